"""Cuts the faces out of a user's images, ready for the texture network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from backend_server.face.crop import crop_image, crop_transform, to_crop
from backend_server.face.cut import Cut, cut_face
from backend_server.face.detector import Face, FaceDetector
from backend_server.face.images import flattened
from backend_server.face.judging import SeenFace, judge, show_several_people
from backend_server.face.rest_pose import distance_from_rest, rest_pose
from backend_server.face_photo import kept_photo
from backend_server.identity import FaceReferences
from backend_server.progress import Progress, silent
from shared.errors import ImageError, ShapeError, SpeechFaceError
from shared.landmarks import POINT_COUNT
from shared.notes import Note, NoteCode

MAX_IMAGES = 20  # K (Section 4.3)


def prepare_references(
    images: Sequence[NDArray[np.uint8]],
    placed: NDArray[np.float32] | None = None,
    progress: Progress = silent,
    names: Sequence[str] = (),
    chosen: NDArray[np.float32] | None = None,
) -> FaceReferences:
    """Finds the face of each image, cuts it out with its matte, and orders them by their distance from rest.

    Args:
        images: K pictures (H, W, 3), or (H, W, 4) with the user's own matte; any sizes, 1 <= K <= 20.
        placed: landmarks (K, 68, 2) in the images' pixels that replace detection; rows of NaN do not.
        progress: told after each image.
        names: of the files, for sentences; empty if unknown.
        chosen: a point (K, 2) on the face that is meant, in the images' pixels; rows of NaN: the largest face.

    Raises:
        ImageError: no image, or too many.
        ShapeError: placed landmarks are not 68 points.
        NoFaceError: an image shows no face.
        FaceError: a face is too small or in profile.
    """
    if not 1 <= len(images) <= MAX_IMAGES:
        raise ImageError(f"{len(images)} images were given; give 1 to {MAX_IMAGES} pictures of one person")
    if placed is None:
        placed = np.full((len(images), POINT_COUNT, 2), np.nan, np.float32)
    placed = np.asarray(placed, np.float32)
    if placed.shape != (len(images), POINT_COUNT, 2):
        raise ShapeError(f"expected landmarks of shape ({len(images)}, 68, 2), got {placed.shape}")
    called = names or [f"image {k + 1} of {len(images)}" for k in range(len(images))]
    found: list[NDArray[np.float32]] = []
    faces: list[Face | None] = []
    with FaceDetector() as detector:
        for k, (image, points) in enumerate(zip(images, placed, strict=True)):
            progress("face", k, len(images))
            if not np.isnan(points).any():
                found.append(points)
                faces.append(None)
                continue
            face = _detected(detector, flattened(image), called[k], None if chosen is None else chosen[k])
            found.append(face.landmarks)
            faces.append(face)
    crops = [_transform(points, name) for points, name in zip(found, called, strict=True)]
    order = sorted(range(len(images)), key=lambda k: distance_from_rest(found[k]))
    transforms = [crops[k] for k in order]
    progress("face", len(images), len(images))
    landmarks = np.stack([to_crop(found[k], t) for k, t in zip(order, transforms, strict=True)])
    # Only the first is shown; the others' mattes say what to learn from, and a rough edge is enough there.
    cuts = [
        cut_face(images[k], t, points, is_fine=k == order[0])
        for k, t, points in zip(order, transforms, landmarks, strict=True)
    ]
    seen = [_seen(cut, points, faces[k]) for k, cut, points in zip(order, cuts, landmarks, strict=True)]
    return FaceReferences(
        crops=np.stack([cut.crop for cut in cuts]),
        landmarks=landmarks,
        mattes=np.stack([cut.matte for cut in cuts]),
        foreground=cuts[0].own,
        neutral_landmarks=rest_pose(landmarks[0]),
        crop=transforms[0],
        notes=_notes(seen, [faces[k] for k in order], [called[k] for k in order]),
        photo=kept_photo(flattened(images[order[0]]), transforms[0]),
    )


def picture_of(references: FaceReferences, images: Sequence[NDArray[np.uint8]]) -> int:
    """Index of the image (H, W, 3 or 4) that the first face was cut from: there the same cut gives the same pixels."""
    first = references.crops[0].astype(np.int16)
    crops = (crop_image(flattened(image), references.crop).astype(np.int16) for image in images)
    return int(np.argmin([np.abs(crop - first).mean() for crop in crops]))


def _seen(cut: Cut, landmarks: NDArray[np.float32], face: Face | None) -> SeenFace:
    seen = SeenFace(cut.crop, landmarks, cut.matte, cut.is_inside, cut.missed, cut.has_own_alpha)
    if face is None:
        return seen
    return replace(seen, movement=face.movement, yaw_degrees=face.yaw_degrees, mesh=face.mesh)


def _notes(seen: Sequence[SeenFace], faces: Sequence[Face | None], names: Sequence[str]) -> tuple[Note, ...]:
    """What the user should know of each picture, the animated one first, and of all together."""
    notes: list[Note] = []
    for number, (one, face, name) in enumerate(zip(seen, faces, names, strict=True)):
        own = [*(face.notes if face else ()), *judge(one, is_animated=number == 0)]
        notes += [msgspec.structs.replace(note, about=name) for note in own]
    if show_several_people(seen):
        sentence = "the pictures seem to show different people; give pictures of one person, or look at the result"
        notes.append(Note(NoteCode.SEVERAL_PEOPLE, sentence))
    return tuple(notes)


def _detected(detector: FaceDetector, image: NDArray[np.uint8], name: str, chosen: NDArray[np.float32] | None) -> Face:
    try:
        return detector.detect(image, None if chosen is None or np.isnan(chosen).any() else chosen)
    except SpeechFaceError as error:
        raise type(error)(f"{name}: {error.sentence}", detail=error.detail) from error


def _transform(landmarks: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    try:
        return crop_transform(landmarks)
    except SpeechFaceError as error:
        raise type(error)(f"{name}: {error.sentence}", detail=error.detail) from error
