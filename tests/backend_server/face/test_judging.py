"""Tests what is said of pictures that can be used but will not give what the user wants, and that nothing else is."""

from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from backend_server.face.crop import crop_image, crop_transform, to_crop
from backend_server.face.detector import FaceDetector
from backend_server.face.images import read_image
from backend_server.face.judging import SeenFace, cut_sides, judge, lid_opening, lip_gap, show_several_people
from shared.notes import NoteCode

GRID = Path(__file__).parents[4] / "shared" / "data" / "grid"
PORTRAITS = GRID.parent / "portraits"


@pytest.fixture(scope="module")
def detector():
    with FaceDetector() as detector:
        yield detector


@pytest.fixture(scope="module")
def seen(detector):
    """Makes a face as it is judged of a picture."""

    def look(image):
        face = detector.detect(np.ascontiguousarray(image))
        transform = crop_transform(face.landmarks)
        whole = np.full(image.shape[:2], 255, np.uint8)
        inside = cv2.warpAffine(whole, transform, (256, 256), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP) > 0
        return SeenFace(
            crop=crop_image(image, transform),
            landmarks=to_crop(face.landmarks, transform),
            matte=np.full((256, 256), 255, np.uint8),
            is_inside=inside,
            movement=face.movement,
            yaw_degrees=face.yaw_degrees,
            mesh=face.mesh,
        )

    return look


@pytest.fixture(scope="module")
def portrait():
    return astronaut()


@pytest.fixture(scope="module")
def landmarks(detector, portrait):
    """(68, 2) pixels of the portrait."""
    return detector.detect(portrait).landmarks


def codes(face, *, is_animated=True):
    return {note.code for note in judge(face, is_animated=is_animated)}


def laid_over(image, outline, colour, grain=4.0):
    """The image with a soft-edged thing of one colour and some grain over it."""
    mask = np.zeros(image.shape[:2], np.float32)
    cv2.fillPoly(mask, [np.round(outline * 16).astype(np.int32)], 1.0, shift=4)
    mask = cv2.GaussianBlur(mask, (0, 0), 0.8)[..., None]
    noise = cv2.GaussianBlur(np.random.default_rng(0).standard_normal(image.shape[:2]).astype(np.float32), (0, 0), 1)
    thing = np.asarray(colour, np.float32) + (noise / noise.std() * grain)[..., None]
    return np.clip(image * (1 - mask) + thing * mask, 0, 255).astype(np.uint8)


def ellipse(centre, width, height):
    angle = np.linspace(0, 2 * np.pi, 40)
    return centre + np.stack([np.cos(angle) * width, np.sin(angle) * height], axis=1)


def with_mask(image, points, colour):
    return laid_over(image, np.concatenate([points[2:15], points[[28]]]), colour)


def with_microphone(image, points):
    mouth = points[48:60]
    return laid_over(image, ellipse(mouth.mean(0), *(0.62 * np.ptp(mouth[:, 0]),) * 2), (35, 35, 38), 10)


def with_sunglasses(image, points):
    for eye in (points[36:42], points[42:48]):
        width = np.ptp(eye[:, 0])
        image = laid_over(image, ellipse(eye.mean(0), 0.95 * width, 0.75 * width), (25, 25, 28))
    return image


CHANGES = {
    "as it is": lambda image: image,
    "grey": lambda image: np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2),
    "dark": lambda image: (image * 0.35).astype(np.uint8),
    "flat": lambda image: (image * 0.4 + 90).astype(np.uint8),
    "small": lambda image: cv2.resize(cv2.resize(image, None, fx=0.75, fy=0.75), image.shape[1::-1]),
    "mirrored": lambda image: np.ascontiguousarray(image[:, ::-1]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_nothing_is_said_of_a_good_picture(seen, portrait, name):
    assert codes(seen(CHANGES[name](portrait))) == set()


@pytest.mark.parametrize("colour", [(150, 190, 215), (225, 225, 225), (45, 45, 45)])
@pytest.mark.parametrize("name", ["as it is", "grey", "dark"])
def test_a_mask_is_named(seen, portrait, landmarks, colour, name):
    picture = CHANGES[name](with_mask(portrait, landmarks, colour))
    assert NoteCode.COVERED_MOUTH in codes(seen(picture))


@pytest.mark.parametrize("name", ["as it is", "grey", "flat"])
def test_sunglasses_are_named(seen, portrait, landmarks, name):
    assert NoteCode.HIDDEN_EYES in codes(seen(CHANGES[name](with_sunglasses(portrait, landmarks))))


def test_landmarks_placed_by_hand_are_not_doubted(seen, portrait, landmarks):
    face = replace(seen(with_sunglasses(portrait, landmarks)), movement=None, mesh=None)
    assert codes(face) == set()


def test_a_blurred_face_is_named(seen, portrait):
    assert codes(seen(cv2.GaussianBlur(portrait, (0, 0), 2.0))) >= {NoteCode.BLURRED_FACE}


@pytest.mark.parametrize("degrees", [-40.0, -34.0, 34.0, 40.0])
def test_a_face_that_is_turned_far_is_named(seen, portrait, degrees):
    noted = judge(replace(seen(portrait), yaw_degrees=degrees), is_animated=True)
    assert [note.code for note in noted] == ([NoteCode.TURNED_FACE] if abs(degrees) > 35 else [])
    assert all("40 degrees" in note.sentence for note in noted)


@pytest.mark.parametrize("side", ["top", "bottom", "left", "right"])
def test_the_edge_that_cuts_a_head_is_named(seen, portrait, side):
    face = seen(portrait)
    inside = np.ones((256, 256), bool)
    rows = {"top": np.s_[:30], "bottom": np.s_[-30:], "left": np.s_[:, :30], "right": np.s_[:, -30:]}
    inside[rows[side]] = False
    cut = replace(face, is_inside=inside)
    assert cut_sides(cut) == [side]
    [note] = judge(cut, is_animated=True)
    assert note.code == NoteCode.CUT_FACE and f"the {side} edge" in note.sentence
    empty = replace(cut, matte=np.zeros((256, 256), np.uint8))
    assert cut_sides(empty) == []  # only background is cut


def test_an_outline_that_leaves_out_the_face_matters_only_in_the_picture_that_moves(seen, portrait):
    face = seen(portrait)
    for missed, is_own, words in (
        (0.31, False, "31% of the face"),
        (0.9, False, "background stays"),
        (0.9, True, "alpha"),
    ):
        left_out = replace(face, missed=missed, has_own_alpha=is_own)
        [note] = judge(left_out, is_animated=True)
        assert note.code == NoteCode.MATTE_MISSES_FACE and words in note.sentence
        assert judge(left_out, is_animated=False) == []


def test_shut_eyes_and_parted_lips_matter_only_in_the_picture_that_moves(seen, portrait):
    face = seen(portrait)
    shut = face.landmarks.copy()
    shut[[37, 38, 43, 44]] = shut[[41, 40, 47, 46]] - (0, 1)
    parted = face.landmarks.copy()
    parted[65:68, 1] += 8
    assert lid_opening(face.landmarks) > 0.2 > lid_opening(shut)
    assert lip_gap(parted) > 0.2 > lip_gap(face.landmarks) > 0.1  # a smile is no reason to complain
    assert codes(replace(face, landmarks=shut)) == {NoteCode.SHUT_EYES}
    assert codes(replace(face, landmarks=parted)) == {NoteCode.PARTED_LIPS}
    assert codes(replace(face, landmarks=shut), is_animated=False) == set()


def test_one_person_in_many_pictures_is_one_person(seen, portrait):
    faces = [seen(change(portrait)) for change in CHANGES.values()]
    assert not show_several_people(faces)
    assert not show_several_people(faces[:1])
    assert not show_several_people([replace(face, mesh=None) for face in faces])


def test_a_face_of_another_shape_is_somebody_else(seen, portrait):
    face = seen(portrait)
    broad = cv2.resize(portrait, None, fx=1.3, fy=1.0)
    assert show_several_people([face, seen(CHANGES["mirrored"](portrait)), seen(broad)])


@pytest.fixture(scope="module")
def people(seen):
    """Two frames of one clip of each person of GRID, and the portraits: name -> faces."""
    found = {}
    for folder in sorted(path for path in GRID.iterdir() if path.is_dir()):
        with av.open(str(sorted(folder.iterdir())[0])) as film:
            frames = [f.to_ndarray(format="rgb24") for i, f in enumerate(film.decode(video=0)) if i in (0, 40)]
        found[folder.name] = [seen(frame) for frame in frames]
    for path in sorted(PORTRAITS.iterdir()):
        found[path.stem] = [seen(read_image(path))]
    return found


@pytest.mark.corpus
@pytest.mark.slow
@pytest.mark.skipif(not GRID.exists(), reason="the GRID corpus is not beside the checkout")
def test_nothing_is_said_of_real_people_but_of_most_of_their_masks(people, seen):
    expected = {NoteCode.SHUT_EYES, NoteCode.PARTED_LIPS, NoteCode.CUT_FACE}  # they speak, blink, and fill the picture
    noted = {name: codes(face) - expected for name, faces in people.items() for face in faces}
    assert {name: found for name, found in noted.items() if found} == {}
    first = [faces[0] for faces in people.values()]
    masked = [seen(with_mask(face.crop, face.landmarks, (225, 225, 225))) for face in first]
    assert np.mean([NoteCode.COVERED_MOUTH in codes(face) for face in masked]) > 0.9
    behind = [seen(with_microphone(face.crop, face.landmarks)) for face in first]
    assert np.mean([NoteCode.COVERED_MOUTH in codes(face) for face in behind]) > 0.5
    shaded = [seen(with_sunglasses(face.crop, face.landmarks)) for face in first]
    assert np.mean([NoteCode.HIDDEN_EYES in codes(face) for face in shaded]) > 0.95


@pytest.mark.corpus
@pytest.mark.slow
@pytest.mark.skipif(not GRID.exists(), reason="the GRID corpus is not beside the checkout")
def test_no_real_person_is_taken_for_two_and_many_pairs_for_two(people):
    assert [name for name, faces in people.items() if show_several_people(faces)] == []
    first = [faces[0] for faces in people.values()]
    pairs = [show_several_people([a, b]) for i, a in enumerate(first) for b in first[:i]]
    assert np.mean(pairs) > 0.35
