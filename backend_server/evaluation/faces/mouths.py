"""Draws mouths that open and lids that close on photos, large, so that teeth, lips and skin can be looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from backend_server.config import CROP_SIZE
from backend_server.evaluation.faces.beside import compared_faces
from backend_server.evaluation.faces.recipes import Faces, clip_references, recipe_frames
from backend_server.evaluation.held_out import one_of_each
from backend_server.evaluation.page.report import Picture, Section
from backend_server.evaluation.page.sheets import write_strips
from backend_server.evaluation.run import Context
from backend_server.face.images import read_image
from backend_server.face.reference import prepare_references
from backend_server.identities.pictures import picture_files, portrait_path, shown_name
from backend_server.identity import FaceReferences
from backend_server.texture.learning.rehearsal import open_mouth, shut_eyes
from shared.errors import SpeechFaceError
from shared.landmarks import LEFT_EYE, LIPS, RIGHT_EYE

SHEET = "mouths.jpg"
MOST_PORTRAITS = 12
OPENINGS = (0.03, 0.06, 0.1, 0.16, 0.24)  # of the mouth, distances of the outer eye corners
SHUT_SHARES = (0.3, 0.6, 1.0)  # of the lids' gap
MOUTH_SIZE, LIDS_SIZE = (0.92, 0.92), (1.38, 0.55)  # of the regions, width and height in the same unit
_BELOW_LIPS = 0.08  # by which the mouth's region lies below its lips at rest, for the chin goes down
_SCALE = 3  # a pixel of the picture is so many on the sheet
_LARGEST_BYTES = 1_900_000

Region = tuple[slice, slice]
Strip = tuple[str, list[NDArray[np.uint8]]]


@dataclass(frozen=True)
class Portrait:
    """A face to be drawn: what it is called, and its photo as a user gives it."""

    name: str
    references: FaceReferences


def run(context: Context) -> Section:
    """The sheet of up to twelve portraits."""
    portraits, left_out = read_portraits(context)
    faces = compared_faces(context)
    strips: list[Strip] = []
    for number, portrait in enumerate(portraits):
        context.progress("mouths", number, len(portraits))
        strips += portrait_strips(portrait, faces)
    context.progress("mouths", len(portraits), len(portraits))
    write_strips(context.folder / SHEET, strips, largest_bytes=_LARGEST_BYTES)
    names = ", ".join(portrait.name for portrait in portraits)
    return Section(
        "Mouths and lids",
        (
            "Photos, not fine-tuned (K = 1). The photo's mouth, then the mouth opened from shut lips by "
            f"{_list(OPENINGS)} distances of the outer eye corners; the photo's eyes, then the lids closed by "
            f"{_list(SHUT_SHARES)} of their gap. Three times as large as they are.",
            *(["Not drawn: " + "; ".join(left_out)] if left_out else []),
        ),
        pictures=(Picture(SHEET, f"{names}: drawn by {', below it by '.join(_from_the_new(faces))}."),),
    )


def read_portraits(context: Context) -> tuple[list[Portrait], list[str]]:
    """Up to twelve portraits of a context, and in words those that find no room or show no face that can be used.

    They are one clip of each held-out person, by the frame nearest to rest, scikit-image's astronaut, and the photos of
    the folder that was given.

    Raises:
        ImageError: that folder has no pictures.
    """
    portraits = [
        Portrait(clip.speaker, clip_references(clip, recipe_frames(clip, 1)))
        for clip in one_of_each(context.people)[:MOST_PORTRAITS]
    ]
    folder, left_out = context.settings.portraits, []
    for path in (portrait_path(), *(picture_files(folder) if folder else ())):
        name = shown_name(path)
        if len(portraits) >= MOST_PORTRAITS:
            left_out.append(f"{name}: there is room for {MOST_PORTRAITS} portraits")
            continue
        try:
            portraits.append(Portrait(name, prepare_references([read_image(path)], names=[name])))
        except SpeechFaceError as error:
            left_out.append(error.sentence)
    return portraits, left_out


def portrait_strips(portrait: Portrait, faces: Mapping[str, Faces]) -> list[Strip]:
    """The strips of one portrait: its mouth by each network, the new one first, then its lids by each."""
    base = portrait.references.neutral_landmarks
    made = {name: _rendered(faces[name], portrait.references, expressions(base)) for name in _from_the_new(faces)}
    mouth, lids = mouth_region(base), lids_region(base)
    of_mouth = [
        (f"{portrait.name}, {name}: photo; mouth open by {_list(OPENINGS)}", mouth, pictures[: len(OPENINGS)])
        for name, pictures in made.items()
    ]
    of_lids = [
        (f"{portrait.name}, {name}: photo; lids closed by {_list(SHUT_SHARES)}", lids, pictures[len(OPENINGS) :])
        for name, pictures in made.items()
    ]
    photo = portrait.references.crops[0]
    return [
        (caption, [enlarged(picture, region) for picture in (photo, *pictures)])
        for caption, region, pictures in (*of_mouth, *of_lids)
    ]


def expressions(base: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mouth of a face (68, 2) with shut lips opened, then its lids closed, (8, 68, 2)."""
    points = torch.from_numpy(base)
    opened = [open_mouth(points, opening) for opening in OPENINGS]
    return torch.stack([*opened, *(shut_eyes(points, share) for share in SHUT_SHARES)]).numpy()


def mouth_region(landmarks: NDArray[np.float32]) -> Region:
    """Rows and columns of the crop around the mouth of a face (68, 2) at rest, with room for an open one."""
    unit = _unit(landmarks)
    middle = landmarks[LIPS].mean(axis=0) + np.array((0, _BELOW_LIPS * unit))
    return _region(middle, MOUTH_SIZE, unit)


def lids_region(landmarks: NDArray[np.float32]) -> Region:
    """Rows and columns of the crop around both eyes of a face (68, 2)."""
    middle = (landmarks[RIGHT_EYE].mean(axis=0) + landmarks[LEFT_EYE].mean(axis=0)) / 2
    return _region(middle, LIDS_SIZE, _unit(landmarks))


def enlarged(picture: NDArray[np.uint8], region: Region) -> NDArray[np.uint8]:
    """A region of a picture (H, W, 3), three times as large."""
    part = picture[region]
    size = (_SCALE * part.shape[1], _SCALE * part.shape[0])
    return np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def _from_the_new(faces: Mapping[str, Faces]) -> list[str]:
    """The names of the networks in the order of their strips."""
    return list(faces)[::-1]


def _rendered(faces: Faces, references: FaceReferences, landmarks: NDArray[np.float32]) -> NDArray[np.uint8]:
    identity = faces.network.fine_tune(references, epochs=0, seed=faces.seed)
    return faces.render(identity, landmarks, range(len(landmarks)))


def _region(middle: NDArray[np.floating], size: tuple[float, float], unit: float) -> Region:
    """A rectangle of the crop; moved into it where it would reach beyond."""
    columns, rows = (_span(float(centre), round(unit * side)) for centre, side in zip(middle, size, strict=True))
    return rows, columns


def _span(centre: float, length: int) -> slice:
    length = min(length, CROP_SIZE)
    start = min(max(round(centre - length / 2), 0), CROP_SIZE - length)
    return slice(start, start + length)


def _unit(landmarks: NDArray[np.floating]) -> float:
    """Distance of the outer eye corners, pixels."""
    return float(np.linalg.norm(landmarks[36] - landmarks[45]))


def _list(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
