"""Says what is wrong with a picture of a face that can be used all the same.

Every measure is taken on the face crop. The bounds were chosen on the people of GRID, on paintings, drawings and
portraits, in colour and grey, darkened, flattened and compressed, and with masks, hands, microphones and sunglasses
laid over them. `tests/backend_server/face/test_judging.py` shows what they tell apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.measure import blur_effect

from backend_server.config import CROP_SIZE
from backend_server.face.cover import MOST_MISSED, MOSTLY_MISSED
from shared.landmarks import INNER_LIP_PAIRS, LEFT_EYE, RIGHT_EYE
from shared.notes import Note, NoteCode

MOST_YAW_DEGREES = 35.0  # beyond it the far half of the mouth is guessed
BLURRED = 0.68  # Crete et al. 2007, 0 sharp to 1: pictures as they are stay below 0.6, blurred by two pixels lie at 0.7
SHUT = 0.13  # opening of the lids over the width of the eye, of the eye that is open further
PARTED = 0.2  # of the inter-ocular distance, wider than a smile that shows the teeth
CUT = 0.06  # of the crop's side, along which the person touches the edge of the picture

_LIP_CONTRAST = 0.5  # between lips and the skin around them, over the face's deviation of lightness
_MOUTH_RELIEF = 0.3  # deviation of lightness across the mouth, over the face's
_EYE_RELIEF = 0.3  # the same within an eye
_MOUTH_MOVES, _MOUTH_IS_GUESSED = 0.006, 0.01  # of the face's side, when the face is cut out differently
_EYES_ARE_GUESSED = 0.012
_SHAPES_DIFFER = 0.06  # of the size of the mesh; two of one person differ by less, whatever they do
_SHAPES_AND_COLOURS_DIFFER = (0.04, 15.0)  # the same, and the distance of the skins' colours in Lab's a and b
_RIGHT_EYE_CORNER, _LEFT_EYE_CORNER, _CHIN, _NOSE_BASE = 33, 263, 152, 2  # of the mesh; below the nose speech moves it

Picture = NDArray[np.uint8]
Points = NDArray[np.float32]


@dataclass(frozen=True)
class SeenFace:
    """One face as it was cut out.

    Attributes:
        crop: (256, 256, 3).
        landmarks: (68, 2) pixels of the crop.
        matte: (256, 256), 255 where the person is, as the segmentation or the user's alpha says.
        is_inside: (256, 256), which pixels of the crop lie in the picture.
        missed: share of the face that was not taken for the person.
        has_own_alpha: whether the matte is the user's own.
        movement: (68,) how far each landmark moves, over the face's side, when the face is cut out differently; None
            for landmarks placed by hand, of which nothing is doubted.
        yaw_degrees: turn about the vertical.
        mesh: (478, 3) pixels; None for landmarks placed by hand.
    """

    crop: Picture
    landmarks: Points
    matte: Picture
    is_inside: NDArray[np.bool_]
    missed: float = 0.0
    has_own_alpha: bool = False
    movement: Points | None = None
    yaw_degrees: float = 0.0
    mesh: Points | None = None


def judge(face: SeenFace, *, is_animated: bool) -> list[Note]:
    """What a user should know of one picture.

    Args:
        face: as it was cut out.
        is_animated: whether this picture is the one that moves; of others it does not matter that the eyes are shut.
    """
    notes = [*_position(face), *_sharpness(face)]
    if face.movement is not None and not any(note.code == NoteCode.BLURRED_FACE for note in notes):
        notes += _covers(face)  # a blur hides as much
    if is_animated:
        notes += [*_outline(face), *_expression(face)]
    return notes


def _position(face: SeenFace) -> list[Note]:
    notes = []
    if abs(face.yaw_degrees) > MOST_YAW_DEGREES:
        sentence = (
            f"the face is turned {abs(face.yaw_degrees):.0f} degrees to the side, and beyond {MOST_YAW_DEGREES:.0f} "
            "its far half is guessed; use a picture that looks towards the camera"
        )
        notes.append(Note(NoteCode.TURNED_FACE, sentence))
    if sides := cut_sides(face):
        sentence = (
            f"the head is cut by the {' and '.join(sides)} edge of the picture, so the result is transparent there"
        )
        notes.append(Note(NoteCode.CUT_FACE, f"{sentence}; use a picture with more room around the head"))
    return notes


def cut_sides(face: SeenFace) -> list[str]:
    """The edges of the picture that cut the person within the crop, of "top", "bottom", "left" and "right"."""
    inside, person = face.is_inside, face.matte > 127
    turned = {"top": (inside, person), "bottom": (inside[::-1], person[::-1])}
    turned |= {"left": (inside.T, person.T), "right": (inside.T[::-1], person.T[::-1])}
    cut = []
    for side, (within, covered) in turned.items():
        first = within.argmax(0)  # the first row of each column that lies in the picture
        begins = (first > 1) & within.any(0)
        row = np.minimum(first + 2, len(within) - 1)  # not the soft edge itself
        columns = np.flatnonzero(begins)
        if covered[row[columns], columns].sum() > CUT * len(within):
            cut.append(side)
    return cut


def _sharpness(face: SeenFace) -> list[Note]:
    low, high = np.clip([face.landmarks.min(0), face.landmarks.max(0)], 0, len(face.crop) - 1).astype(int)
    grey = cv2.cvtColor(face.crop, cv2.COLOR_RGB2GRAY)[low[1] : high[1] + 1, low[0] : high[0] + 1]
    if min(grey.shape) < 16 or float(np.mean(blur_effect(grey))) < BLURRED:
        return []
    return [Note(NoteCode.BLURRED_FACE, "the face is blurred, and so will be the result; use a sharper picture")]


def _covers(face: SeenFace) -> list[Note]:
    notes = []
    if is_mouth_covered(face):
        sentence = "the mouth seems to be covered, and what covers it would be moved; use a picture that shows the lips"
        notes.append(Note(NoteCode.COVERED_MOUTH, sentence))
    if are_eyes_hidden(face):
        sentence = "the eyes seem to be hidden, and what hides them would blink; use a picture that shows both eyes"
        notes.append(Note(NoteCode.HIDDEN_EYES, sentence))
    return notes


def is_mouth_covered(face: SeenFace) -> bool:
    """Whether something lies over the lips: they hardly differ from what is around, or are but guessed."""
    assert face.movement is not None
    moves, relief, contrast = float(face.movement[48:].mean()), mouth_relief(face), mouth_contrast(face)
    if relief < _MOUTH_RELIEF / 2 and contrast < _LIP_CONTRAST / 2:  # plain: there is no mouth
        return True
    if moves > _MOUTH_MOVES and relief < _MOUTH_RELIEF and contrast < _LIP_CONTRAST:
        return True
    return moves > _MOUTH_IS_GUESSED and not are_eyes_hidden(face)  # hidden eyes unsettle the whole face


def are_eyes_hidden(face: SeenFace) -> bool:
    """Whether something lies over an eye: nothing is seen in it, or it is but guessed."""
    assert face.movement is not None
    return eye_relief(face) < _EYE_RELIEF or float(face.movement[36:48].mean()) > _EYES_ARE_GUESSED


def mouth_contrast(face: SeenFace) -> float:
    """Distance in Lab between the lips and the ring around them, over the face's standard deviation of lightness."""
    lab = cv2.cvtColor(face.crop, cv2.COLOR_RGB2LAB).astype(np.float32)
    outer = face.landmarks[48:60]
    ring = _filled(_grown(outer, 1.45)) & ~_filled(_grown(outer, 1.15))
    lips = _filled(outer)
    if not lips.any() or not ring.any():
        return 0.0
    return float(np.linalg.norm(lab[lips].mean(0) - lab[ring].mean(0))) / _face_deviation(face, lab[..., 0])


def mouth_relief(face: SeenFace) -> float:
    """How much the lightness changes from above the mouth to below it, over the face's standard deviation."""
    light = _lightness(face)
    outer = face.landmarks[48:60]
    middle = (face.landmarks[60:65] + face.landmarks[[60, 67, 66, 65, 64]]) / 2
    x = np.linspace(middle[0, 0], middle[-1, 0], 25)[3:-3]
    y = np.interp(x, middle[:, 0], middle[:, 1])
    reach = 0.9 * float(np.ptp(outer[:, 1]))
    rows = np.clip(np.round(y + np.linspace(-reach, reach, 37)[:, None]), 0, len(light) - 1).astype(int)
    columns = np.clip(np.round(x), 0, len(light) - 1).astype(int)
    return float(light[rows, columns].mean(1).std()) / _face_deviation(face, light)


def eye_relief(face: SeenFace) -> float:
    """How much the lightness changes within the eye in which it changes less, over the face's standard deviation."""
    light = _lightness(face)
    insides = [_filled(_grown(face.landmarks[eye], 1.1)) for eye in (RIGHT_EYE, LEFT_EYE)]
    return min(float(light[inside].std()) if inside.any() else 0.0 for inside in insides) / _face_deviation(face, light)


def _outline(face: SeenFace) -> list[Note]:
    if face.missed <= MOST_MISSED:
        return []
    if face.has_own_alpha:
        sentence = f"its alpha leaves {face.missed:.0%} of the face transparent; mend it if that is not meant"
    elif face.missed > MOSTLY_MISSED:
        sentence = "no outline of the person was found, so the background stays; use a picture with alpha to cut it out"
    else:
        sentence = (
            f"the outline that was found left out {face.missed:.0%} of the face, which was added; look at hair and "
            "neck, or use a picture with alpha"
        )
    return [Note(NoteCode.MATTE_MISSES_FACE, sentence)]


def _expression(face: SeenFace) -> list[Note]:
    notes = []
    if lid_opening(face.landmarks) < SHUT:
        sentence = "the eyes are shut and cannot be opened; use a picture with open eyes"
        notes.append(Note(NoteCode.SHUT_EYES, sentence))
    if lip_gap(face.landmarks) > PARTED:
        sentence = "the lips are wide apart and are closed as well as it can be done; use a picture with closed lips"
        notes.append(Note(NoteCode.PARTED_LIPS, sentence))
    return notes


def lid_opening(landmarks: Points) -> float:
    """Opening of the lids over the width of the eye, of the eye that is open further."""
    openings = []
    for first in (36, 42):
        lids = np.linalg.norm(landmarks[[first + 1, first + 2]] - landmarks[[first + 5, first + 4]], axis=1).mean()
        openings.append(lids / np.linalg.norm(landmarks[first] - landmarks[first + 3]))
    return float(max(openings))


def lip_gap(landmarks: Points) -> float:
    """The widest gap between the lips over the inter-ocular distance."""
    eyes = np.linalg.norm(landmarks[LEFT_EYE].mean(0) - landmarks[RIGHT_EYE].mean(0))
    gaps = np.linalg.norm([landmarks[low] - landmarks[up] for up, low in INNER_LIP_PAIRS], axis=1)
    return float(gaps.max() / eyes)


def show_several_people(faces: Sequence[SeenFace]) -> bool:
    """Whether the pictures fall into groups whose faces have other shapes, or somewhat other shapes and skins.

    Meant for clear cases: of two pictures of different people it notices about half, of one person's none.
    """
    known = [face for face in faces if face.mesh is not None]
    if len(known) < 2:
        return False
    shapes = [_shape(face) for face in known]
    skins = [_skin(face) for face in known]
    group = {0}
    while True:  # single linkage: a person's pictures lie close to some other of theirs
        near = {
            k
            for k in range(len(known))
            if k not in group and any(not _differ(shapes[k], shapes[i], skins[k], skins[i]) for i in group)
        }
        if not near:
            return len(group) < len(known)
        group |= near


def _differ(shape: Points, other: Points, skin: Points, other_skin: Points) -> bool:
    distance = _distance(shape, other)
    least, colours = _SHAPES_AND_COLOURS_DIFFER
    return distance > _SHAPES_DIFFER or (distance > least and float(np.linalg.norm(skin - other_skin)) > colours)


def _shape(face: SeenFace) -> Points:
    """The mesh looking ahead: (478, 3), x to the person's left, y down, centred, of size 1."""
    assert face.mesh is not None
    mesh = face.mesh - face.mesh.mean(0)
    across = mesh[_LEFT_EYE_CORNER] - mesh[_RIGHT_EYE_CORNER]
    across /= np.linalg.norm(across)
    down = mesh[_CHIN] - (mesh[_LEFT_EYE_CORNER] + mesh[_RIGHT_EYE_CORNER]) / 2
    down -= down @ across * across
    down /= np.linalg.norm(down)
    ahead = mesh @ np.stack([across, down, np.cross(across, down)], axis=1)
    return np.asarray(ahead / np.sqrt(np.square(ahead).sum(1).mean()), np.float32)


def _distance(shape: Points, other: Points) -> float:
    """How far two shapes differ above the mouth, seen from the front, after the best similarity (Umeyama 1991)."""
    left, weights, right = np.linalg.svd(shape.T @ other)
    rotation = left @ np.diag([1, 1, np.sign(np.linalg.det(left @ right))]) @ right
    aligned = shape @ rotation * (weights.sum() / np.square(shape).sum())
    is_upper = other[:, 1] < other[_NOSE_BASE, 1]
    return float(np.sqrt(np.square((aligned - other)[is_upper, :2]).sum(1).mean()))


def _skin(face: SeenFace) -> Points:
    """The median colour of nose and cheeks, a and b of Lab."""
    lab = cv2.cvtColor(face.crop, cv2.COLOR_RGB2LAB).astype(np.float32)
    inside = _filled(face.landmarks[[39, 42, 35, 31]])
    return np.median(lab[inside], axis=0)[1:] if inside.any() else np.zeros(2, np.float32)


def _lightness(face: SeenFace) -> Points:
    return cv2.cvtColor(face.crop, cv2.COLOR_RGB2LAB)[..., 0].astype(np.float32)


def _face_deviation(face: SeenFace, light: Points) -> float:
    """Standard deviation of the lightness within jaw and brows; at least 1, so that nothing divides by zero."""
    return max(1.0, float(light[_filled(face.landmarks[[*range(17), *range(26, 16, -1)]])].std()))


def _grown(points: Points, scale: float) -> Points:
    return points.mean(0) + (points - points.mean(0)) * scale


def _filled(points: Points) -> NDArray[np.bool_]:
    """Which pixels of a crop lie in a polygon (N, 2)."""
    mask = np.zeros((CROP_SIZE, CROP_SIZE), np.uint8)
    cv2.fillPoly(mask, [np.round(points * 16).astype(np.int32)], 1, shift=4)
    return mask > 0
