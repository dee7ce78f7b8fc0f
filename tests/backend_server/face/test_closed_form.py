import numpy as np

from backend_server.face.closed_form import closed_form_alpha, matting_laplacian

FRONT, BACK = np.array([200.0, 40.0, 90.0]), np.array([20.0, 160.0, 250.0])


def blended(alpha: np.ndarray) -> np.ndarray:
    return np.round(alpha[..., None] * FRONT + (1 - alpha[..., None]) * BACK).astype(np.uint8)


def test_one_window_by_hand():
    """Two columns white, one black: the colours have a mean of 2/3 and a variance of 2/9."""
    image = np.zeros((3, 3, 3), np.uint8)
    image[:, :2] = 255
    found = matting_laplacian(image, np.ones((3, 3), bool), 1e-7).toarray()
    # (1/3)^2 / (2/9) = 1/2 between white and white, 2 between black and black, -1 between the two.
    np.testing.assert_allclose(found[0, 0], 1 - (1 + 0.5) / 9, atol=1e-4)
    np.testing.assert_allclose(found[0, 1], -(1 + 0.5) / 9, atol=1e-4)
    np.testing.assert_allclose(found[2, 5], -(1 + 2) / 9, atol=1e-4)
    np.testing.assert_allclose(found[0, 2], 0, atol=1e-4)


def test_the_laplacian_leaves_alpha_free_to_follow_the_colours():
    """Rows sum to 0, it is symmetric, and what is linear in the colours costs nothing."""
    alpha = np.random.default_rng(0).uniform(0, 1, (12, 14))
    found = matting_laplacian(blended(alpha), np.ones((12, 14), bool), 1e-7)
    np.testing.assert_allclose(found.sum(1), 0, atol=1e-4)
    np.testing.assert_allclose((found - found.T).toarray(), 0, atol=1e-5)
    flat = alpha.ravel()
    other = np.random.default_rng(1).permutation(flat)
    assert flat @ (found @ flat) < 1e-3 * (other @ (found @ other))


def test_known_alpha_comes_back_from_two_colours():
    ramp = np.clip((np.arange(60) - 20) / 20, 0, 1)
    alpha = np.repeat(ramp[None], 30, axis=0).astype(np.float32)
    is_doubtful = np.zeros((30, 60), bool)
    is_doubtful[:, 15:45] = True
    guess = np.where(is_doubtful, 0.5, alpha).astype(np.float32)
    found = closed_form_alpha(blended(alpha), guess, is_doubtful, np.full(alpha.shape, 1e-5, np.float32))
    np.testing.assert_allclose(found, alpha, atol=0.02)
    np.testing.assert_array_equal(found[~is_doubtful], alpha[~is_doubtful])


def test_without_colours_the_guess_stays():
    guess = np.linspace(0, 1, 25, dtype=np.float32).reshape(5, 5)
    grey = np.full((5, 5, 3), 90, np.uint8)
    ones = np.ones((5, 5), bool)
    found = closed_form_alpha(grey, guess, ones, np.full((5, 5), 1e3, np.float32))
    np.testing.assert_allclose(found, guess, atol=0.01)
    np.testing.assert_array_equal(closed_form_alpha(grey, guess, ~ones, guess), guess)


def test_a_picture_smaller_than_a_window_keeps_the_guess():
    guess = np.array([[0.2, 0.7]], np.float32)
    found = closed_form_alpha(
        np.zeros((1, 2, 3), np.uint8), guess, np.ones((1, 2), bool), np.full((1, 2), 0.01, np.float32)
    )
    np.testing.assert_allclose(found, guess, atol=1e-3)
