# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Keeps of each photo where its faces are, which one is meant, and its 68 landmarks, as found and as corrected."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import words
from .._shared import errors, landmarks, notes, protocol
from ..properties import SPEECHFACE_Character
from .face_choice import FaceChoice
from .photo_orientation import UPRIGHT, orientation_of
from .photo_properties import SPEECHFACE_PhotoPoint, SPEECHFACE_ReferenceImage
from .reference_images import ReferencePictures, file_of

LEARNT = "LEARNT"
_TOLERANCE = 1e-3  # pixels


def photos_of(character: SPEECHFACE_Character) -> Sequence[SPEECHFACE_ReferenceImage]:
    """The photos that a face is learnt from; none where a learnt face is used."""
    return () if character.face_source == LEARNT else character.images


def reason_against(character: SPEECHFACE_Character) -> str:
    """Why a character has no face to be drawn, as a sentence; empty when it has."""
    if character.face_source == LEARNT:
        return "" if character.identity else words.fill("Choose one of the learnt faces, or set Face to Photos")
    return "" if character.images else words.fill("Face Picture needs a photo: add at least one")


def choice_of(character: SPEECHFACE_Character, pictures: ReferencePictures) -> FaceChoice:
    """What a request says of a character's face beside its pictures.

    Raises:
        ImageError: landmarks were placed on a photo that has another size now, or the list was changed meanwhile.
    """
    if character.face_source == LEARNT:
        return FaceChoice(identity=character.identity, name=character.identity_name)
    return choice(in_order(character.images, pictures.names), pictures)


def choice(rows: Sequence[SPEECHFACE_ReferenceImage], pictures: ReferencePictures) -> FaceChoice:
    """The landmarks and faces that a user chose in photos.

    Args:
        rows: the photos, in the order in which their pictures are sent.
        pictures: of these.

    Raises:
        ImageError: landmarks were placed on a photo that has another size now.
    """
    sizes = [(image.shape[1], image.shape[0]) for image in pictures.images]  # all others are sent as files
    placed, chosen = np.full((len(rows), 68, 2), np.nan, np.float32), np.full((len(rows), 2), np.nan, np.float32)
    for number, photo in enumerate(rows):
        if not corrected_count(photo) and not photo.has_chosen:
            continue
        scale = _scale(photo, sizes[number] if number < len(sizes) else None)
        if corrected_count(photo):
            placed[number] = _scaled(places(photo), scale)
        if photo.has_chosen:
            chosen[number] = _scaled(np.array(photo.chosen), scale)
    return FaceChoice(
        placed=placed if np.isfinite(placed).any() else None, chosen=chosen if np.isfinite(chosen).any() else None
    )


def in_order(photos: Sequence[SPEECHFACE_ReferenceImage], names: Sequence[str]) -> list[SPEECHFACE_ReferenceImage]:
    """The photos in the order in which their images are sent.

    Raises:
        ImageError: the list was changed meanwhile.
    """
    left, found = list(photos), []
    for name in names:
        photo = next((photo for photo in left if photo.image is not None and photo.image.name == name), None)
        if photo is None:
            raise errors.ImageError(f"the photo {name!r} was taken from the list meanwhile; do that again")
        left.remove(photo)
        found.append(photo)
    return found


def said_here(note: notes.Note, about: str = "") -> notes.Note:
    """A note of the backend with what a user of Blender can do about it, and about whom it is if it does not say."""
    about = note.about or about
    if note.code != notes.NoteCode.SEVERAL_FACES:
        return notes.Note(note.code, note.sentence, about)
    sentence = "several faces are seen, and the largest was taken; press Find Landmarks, and choose the right one there"
    return notes.Note(note.code, sentence, about)


def store(photo: SPEECHFACE_ReferenceImage, found: protocol.PhotoLandmarks) -> None:
    """Keeps what was found in a photo, in place of what was kept before."""
    photo.width, photo.height = found.width, found.height
    content = file_of(photo.image)
    photo.orientation = UPRIGHT if content is None else orientation_of(content.tobytes())
    photo.problem = found.sentence if found.landmarks is None else ""
    photo.taken = -1 if found.taken is None else found.taken
    photo.faces.clear()
    for x, y, side in found.boxes if found.boxes is not None else ():
        face = photo.faces.add()
        face.middle, face.side = (x, y), side
    photo.points.clear()
    if found.landmarks is None:
        return
    confidence = np.ones(len(found.landmarks)) if found.confidence is None else found.confidence
    for number, place in enumerate(found.landmarks):
        point = photo.points.add()
        point.name = landmarks.LABELS[number]
        point.place = point.found = place
        point.confidence = confidence[number]


def choose(photo: SPEECHFACE_ReferenceImage, number: int) -> None:
    """Chooses a face of a photo by its place among those that were seen; its landmarks are not known yet.

    Raises:
        ImageError: there is no such face.
    """
    if not 0 <= number < len(photo.faces):
        count = len(photo.faces)
        known = f"choose 0 to {count - 1}" if count else "press Find Landmarks first"
        raise errors.ImageError(f"there is no face {number} in {photo.image.name!r}; {known}")
    photo.chosen, photo.has_chosen = photo.faces[number].middle, True
    photo.points.clear()
    photo.taken = number


def face_at(photo: SPEECHFACE_ReferenceImage, place: Sequence[float]) -> int | None:
    """The face whose box is around a place (x, y), of several the one whose middle is nearest; None if none is."""
    away = [np.abs(np.array(face.middle) - place).max() / max(face.side / 2, 1e-6) for face in photo.faces]
    return int(np.argmin(away)) if away and min(away) <= 1 else None


def places(photo: SPEECHFACE_ReferenceImage) -> NDArray[np.float32]:
    """Where the landmarks are, (68, 2) pixels of the upright photo; (0, 2) if none were found."""
    return np.array([point.place for point in photo.points], np.float32).reshape(-1, 2)


def place(photo: SPEECHFACE_ReferenceImage, number: int, x: float, y: float) -> None:
    """Puts a landmark at a pixel of the upright photo; what lies outside comes to its edge.

    Raises:
        ImageError: there is no such landmark.
    """
    if not 0 <= number < len(photo.points):
        known = f"choose 0 to {len(photo.points) - 1}" if photo.points else "press Find Landmarks first"
        raise errors.ImageError(f"there is no landmark {number} in {photo.image.name!r}; {known}")
    photo.points[number].place = (min(max(x, 0.0), photo.width - 1.0), min(max(y, 0.0), photo.height - 1.0))


def reset(photo: SPEECHFACE_ReferenceImage, number: int | None = None) -> int:
    """Puts one or all landmarks back to where they were found; how many had been moved."""
    chosen = [point for index, point in enumerate(photo.points) if number in (None, index) and is_corrected(point)]
    for point in chosen:
        point.place = point.found
    return len(chosen)


def is_corrected(point: SPEECHFACE_PhotoPoint) -> bool:
    """Whether a landmark was moved."""
    return max(abs(now - found) for now, found in zip(point.place, point.found, strict=True)) > _TOLERANCE


def corrected_count(photo: SPEECHFACE_ReferenceImage) -> int:
    """How many landmarks were moved."""
    return sum(is_corrected(point) for point in photo.points)


def photo_at(character: SPEECHFACE_Character | None, number: int) -> SPEECHFACE_ReferenceImage:
    """A photo of a character by its row; -1 for the active one.

    Raises:
        ImageError: there is no such photo, or its row is empty.
    """
    if character is None or not character.images:
        raise errors.ImageError("there is no photo; add one first")
    count = len(character.images)
    number = min(character.active_image, count - 1) if number < 0 else number
    if number >= count:
        raise errors.ImageError(f"there is no photo {number}; choose 0 to {count - 1}")
    if character.images[number].image is None:
        raise errors.ImageError(f"row {number} of the photos is empty; choose an image there")
    return character.images[number]


def shown_photo(
    character: SPEECHFACE_Character | None, image: bpy.types.Image | None
) -> SPEECHFACE_ReferenceImage | None:
    """The photo of a character that an Image Editor shows, of several rows the active one; None for another image."""
    if character is None or image is None:
        return None
    rows = [photo for photo in character.images if photo.image == image]
    active = character.images[character.active_image] if character.active_image < len(character.images) else None
    return active if active in rows else next(iter(rows), None)


def _scale(photo: SPEECHFACE_ReferenceImage, size: tuple[int, int] | None) -> NDArray[np.float64]:
    """How many pixels of the picture that is sent are one of the photo that was looked at, (2,).

    Raises:
        ImageError: the photo has other proportions than when it was looked at.
    """
    known = (photo.width, photo.height)
    if size is None:  # a file
        now = tuple(photo.image.size)
        if not all(now) or sorted(now) == sorted(known):  # Blender does not turn photos, nor reads all kinds
            return np.ones(2)
        size = now
    scale = np.array(size, float) / np.maximum(known, 1)
    if abs(scale[0] / scale[1] - 1) > 0.01:
        raise errors.ImageError(
            f"the photo {photo.image.name!r} has {size[0]} x {size[1]} pixels, and had {known[0]} x {known[1]} when "
            "its landmarks were placed; press Find Landmarks again"
        )
    return scale


def _scaled(points: NDArray, scale: NDArray[np.float64]) -> NDArray[np.float64]:
    return (points + 0.5) * scale - 0.5
