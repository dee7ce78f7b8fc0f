from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from backend_server.face.crop import crop_image, crop_transform
from backend_server.face.detector import FaceDetector
from backend_server.face.mesh_points import landmarks_of_mesh, yaw_degrees_of_mesh
from backend_server.face.tracker import FaceTracker
from shared.errors import FaceError, ImageError, NoFaceError
from shared.landmarks import LEFT_EYE, MIRROR, RIGHT_EYE
from shared.notes import NoteCode

HEAD = astronaut()[:220, 110:330]


@pytest.fixture(scope="module")
def detector():
    with FaceDetector() as detector:
        yield detector


@pytest.fixture(scope="module")
def upright(detector):
    return detector.detect(astronaut())


def on_grey(height: int, width: int, *heads: tuple[int, int, int]) -> np.ndarray:
    """Heads at (x, y) with a side in pixels, on grey."""
    image = np.full((height, width, 3), 120, np.uint8)
    for x, y, side in heads:
        image[y : y + side, x : x + side] = cv2.resize(HEAD, (side, side), interpolation=cv2.INTER_AREA)
    return image


def test_landmarks_lie_on_the_features_of_a_known_photo(upright):
    """Places read off the picture by eye, in pixels."""
    points = upright.landmarks
    assert points.shape == (68, 2)
    assert points.dtype == np.float32
    for indices, place in (
        (RIGHT_EYE, (205, 105)),
        (LEFT_EYE, (246, 107)),
        ([30], (223, 126)),  # tip of the nose
        ([8], (222, 177)),  # chin
        ([48], (205, 137)),  # corners of the mouth
        ([54], (241, 138)),
        ([51, 57], (223, 145)),  # the lips
    ):
        assert np.abs(points[indices].mean(0) - place).max() < 4, (indices, points[indices].mean(0), place)
    assert (upright.face_count, upright.notes) == (1, ())
    assert abs(upright.yaw_degrees) < 8


def test_a_mirrored_photo_has_mirrored_landmarks(detector, upright):
    flipped = detector.detect(np.ascontiguousarray(astronaut()[:, ::-1])).landmarks
    back = flipped[MIRROR] * (-1, 1) + (511, 0)
    np.testing.assert_allclose(back, upright.landmarks, atol=3)


def test_an_upside_down_photo_has_the_same_face(detector, upright):
    turned = detector.detect(np.ascontiguousarray(astronaut()[::-1, ::-1])).landmarks
    np.testing.assert_allclose((511, 511) - turned, upright.landmarks, atol=2)


@pytest.mark.parametrize("cut", [np.s_[45:185, 160:290], np.s_[60:180, 175:275]], ids=["crop", "tight"])
def test_a_tight_crop_is_seen_as_it_stands(detector, upright, cut):
    image = np.ascontiguousarray(astronaut()[cut])
    corner = (cut[1].start, cut[0].start)
    side = np.ptp(upright.landmarks, axis=0).max()
    stands = detector.detect(image).landmarks + corner
    turned = (image.shape[1] - 1, image.shape[0] - 1) - detector.detect(image[::-1, ::-1].copy()).landmarks + corner
    for found in (stands, turned):
        assert np.abs(found - upright.landmarks).mean() < 0.05 * side


def test_a_small_face_in_a_large_picture_is_found(detector):
    face = detector.detect(on_grey(1800, 2400, (1500, 1000, 200)))
    assert 70 < face.side_pixels < 100
    assert np.abs(face.landmarks[30] - (1603, 1114)).max() < 5


def test_the_largest_of_several_faces_is_taken_and_said(detector):
    face = detector.detect(on_grey(400, 800, (20, 20, 300), (450, 50, 220)))
    assert face.face_count == 2
    assert face.landmarks[:, 0].max() < 320
    assert [note.code for note in face.notes] == [NoteCode.SEVERAL_FACES]


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (20, 300)])
def test_a_tiny_picture_shows_no_face(detector, size):
    with pytest.raises(NoFaceError):
        detector.detect(np.full((*size, 3), 128, np.uint8))


@pytest.mark.parametrize(
    "image",
    [np.full((300, 300, 3), 128, np.uint8), np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8)],
    ids=["grey", "noise"],
)
def test_a_picture_without_a_face_is_refused(detector, image):
    with pytest.raises(NoFaceError, match="no face"):
        detector.detect(image)


def test_a_face_under_64_pixels_is_refused_with_its_size(detector):
    with pytest.raises(FaceError, match=r"4[0-9] pixels large, at least 64"):
        detector.detect(on_grey(400, 500, (200, 100, 105)))


def test_arrays_that_are_no_images_are_refused(detector):
    for array in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(ImageError, match="8-bit RGB"):
            detector.detect(array)


def test_yaw_of_a_turned_mesh_by_hand():
    mesh = np.random.default_rng(0).normal(0, 1, (478, 3))
    for right, left in ((33, 263), (127, 356), (234, 454), (98, 327)):
        mesh[right] = (-1, 0, 0)
        mesh[left] = (np.cos(np.pi / 3) * 2 - 1, 0, np.sin(np.pi / 3) * 2)
    assert yaw_degrees_of_mesh(mesh) == pytest.approx(60)


def test_a_profile_is_refused_with_its_angle(detector, monkeypatch):
    monkeypatch.setattr("backend_server.face.detector.yaw_degrees_of_mesh", lambda mesh: -62.0)
    with pytest.raises(FaceError, match="62 degrees"):
        detector.detect(astronaut())


def test_every_landmark_has_its_own_place_on_the_mesh():
    mesh = np.stack([np.arange(478.0), np.zeros(478), np.zeros(478)], axis=1)
    places = landmarks_of_mesh(mesh)[:, 0]
    assert len(np.unique(places)) == 68


def test_a_tracker_follows_a_small_face_through_a_large_video():
    tracker = FaceTracker()
    tracker.forget()
    try:
        for step in range(4):
            mesh = tracker.find(on_grey(720, 1280, (900 + 4 * step, 300, 190)))
            assert mesh is not None
            assert np.abs(landmarks_of_mesh(mesh)[30] - (900 + 4 * step + 98, 408)).max() < 5
        assert tracker.find(np.full((720, 1280, 3), 120, np.uint8)) is None
    finally:
        tracker.close()


def test_the_libraries_do_not_chatter(capfd):
    with FaceDetector() as detector:
        detector.detect(astronaut())
    assert capfd.readouterr().err == ""


def grid_frames(speaker: str, video: str) -> list[np.ndarray]:
    file = Path(__file__).resolve().parents[4] / "shared" / "data" / "grid" / speaker / f"{video}.mpg"
    if not file.exists():
        pytest.skip(f"the corpus file {file} is not here")
    with av.open(str(file)) as film:
        return [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]


@pytest.mark.corpus
def test_an_upright_face_is_never_seen_upside_down(detector):
    for frame in grid_frames("s30", "bwwy5n")[::4]:
        landmarks = detector.detect(frame).landmarks
        assert landmarks[8, 1] > landmarks[27, 1] + 80  # the chin under the brows


@pytest.mark.corpus
@pytest.mark.parametrize("frame", [5, 45])
@pytest.mark.parametrize(("speaker", "video"), [("s30", "bwwy5n"), ("s10", "bbab8n"), ("s23", "lrwp9a")])
def test_an_upside_down_face_is_never_seen_upright(detector, speaker, video, frame):
    """The box finder gives some of these a higher score upside down."""
    picture = grid_frames(speaker, video)[frame]
    crop = crop_image(picture, crop_transform(detector.detect(picture).landmarks))
    for image in (picture, crop):
        landmarks = detector.detect(image[::-1, ::-1].copy()).landmarks
        assert landmarks[8, 1] < landmarks[27, 1] - 60
