# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
# pyright: reportInvalidTypeForm=false
"""Shows the faces that the backend has learnt and keeps, and asks it to list, name, delete and carry them.

The list is this Blender's, and no part of any .blend. It is asked for when a user wants it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import bpy
import bpy.utils.previews
import numpy as np
from bpy.props import BoolProperty, CollectionProperty, IntProperty, StringProperty
from numpy.typing import NDArray

from .. import made_file, words
from .._shared import errors, face_messages, protocol
from ..job import AnimationJob
from ..preferences import settings as backend_settings
from ..properties import SPEECHFACE_Character, scene_settings
from ..session import redraw, session, watch
from .conversation import Conversation, Talk

TICK_SECONDS = 0.05
SUFFIX = ".safetensors"

_Answer = TypeVar("_Answer", bound=protocol.Message)

_previews: bpy.utils.previews.ImagePreviewCollection | None = None
_open: list[Conversation] = []  # that a timer carries on
_last: list[Conversation] = []  # the one that was begun last


class SPEECHFACE_LearntFace(bpy.types.PropertyGroup):
    """A face that the backend keeps. `name` is what it is called there."""

    identity: StringProperty(description="Its ID")
    image_count: IntProperty(name="Photos", description="How many photos it was learnt from")
    is_outdated: BoolProperty(description="Whether it was learnt with other networks than the installed ones")
    is_damaged: BoolProperty(description="Whether its files cannot be used")


def listed(context: bpy.types.Context) -> Sequence[SPEECHFACE_LearntFace]:
    """The faces as the backend last told of them."""
    return context.window_manager.speech_face_faces


def face_of(context: bpy.types.Context, identity: str) -> SPEECHFACE_LearntFace | None:
    """A listed face by its ID, empty for the active one; None if it is not listed."""
    faces = listed(context)
    if not identity:
        number = context.window_manager.speech_face_active_face
        return faces[number] if number < len(faces) else None
    return next((face for face in faces if face.identity == identity), None)


def icon_of(identity: str) -> int:
    """The icon of a face's picture; 0 if there is none."""
    return _previews[identity].icon_id if _previews is not None and identity in _previews else 0


def users_of(identity: str) -> Iterator[SPEECHFACE_Character]:
    """The characters of this file that have a learnt face."""
    for scene in bpy.data.scenes:
        yield from (character for character in scene_settings(scene).characters if character.identity == identity)


def listing() -> Talk:
    """Asks for all faces and shows them."""
    known: dict[str, tuple[face_messages.LearntFace, NDArray[np.uint8]]] = {}
    first = 0
    while True:
        answer = _expected((yield protocol.ListFaces(faces_from=first)), protocol.Faces)
        known |= {face.identity: (face, preview) for face, preview in _pairs(answer)}
        first += len(answer.faces)
        if not answer.faces or first >= answer.count:
            break
    rows = bpy.context.window_manager.speech_face_faces
    rows.clear()
    for face, preview in known.values():
        _fill(rows.add(), face, preview)
    count = len(known)
    return words.fill(
        "The backend keeps {0} learnt face" if count == 1 else "The backend keeps {0} learnt faces", count
    )


def renaming(identity: str, name: str) -> Talk:
    """Asks to give a face a name; empty: again the names of its photos."""
    answer = _expected((yield protocol.RenameFace(identity=identity, name=name)), protocol.Faces)
    shown = _show(answer)
    for character in users_of(identity):
        character.identity_name = shown
    return words.fill("The face is called {0} now", shown)


def deleting(identity: str, name: str) -> Talk:
    """Asks to delete a face."""
    answer = _expected((yield protocol.DeleteFace(identity=identity)), protocol.FaceDeleted)
    wm = bpy.context.window_manager
    for number in reversed(range(len(wm.speech_face_faces))):
        if wm.speech_face_faces[number].identity == identity:
            wm.speech_face_faces.remove(number)
    wm.speech_face_active_face = max(0, min(wm.speech_face_active_face, len(wm.speech_face_faces) - 1))
    users = [character.name for character in users_of(identity)]
    megabytes = answer.freed_bytes / 1e6
    if not users:
        return words.fill("Deleted {0}, {1:.1f} MB", name, megabytes)
    if len(users) == 1:
        return words.fill("Deleted {0}, {1:.1f} MB; {2} needs another", name, megabytes, users[0])
    return words.fill("Deleted {0}, {1:.1f} MB; {2} need another", name, megabytes, ", ".join(users))


def exporting(identity: str, path: Path) -> Talk:
    """Asks for the file of a face and writes it; a file of others that has the name gets another."""
    answer = _expected((yield protocol.ExportFace(identity=identity)), protocol.FaceFile)
    try:
        with made_file.making(path) as made:
            answer.content.tofile(made.temporary)
    except OSError as error:
        raise errors.SpeechFaceError(
            f"cannot write {str(path)!r}: {error.strerror or error}; choose another"
        ) from error
    if made.set_aside is not None:
        return words.fill("Wrote {0}; what had this name is now {1}", path, made.set_aside.name)
    return words.fill("Wrote {0}", path)


def importing(path: Path) -> Talk:
    """Asks to keep a face from its file.

    Raises:
        SpeechFaceError: the file cannot be read, or is none of a face.
    """
    try:
        size = path.stat().st_size
        if not 0 < size <= face_messages.MAX_FACE_BYTES:
            raise errors.SpeechFaceError(
                f"{str(path)!r} has {size} bytes, the file of a face has 1 to {face_messages.MAX_FACE_BYTES >> 20} "
                "MiB; choose one that Export wrote"
            )
        content = np.fromfile(path, np.uint8)
    except OSError as error:
        raise errors.SpeechFaceError(f"cannot read {str(path)!r}: {error.strerror or error}; choose another") from error
    answer = _expected((yield protocol.ImportFace(content=content)), protocol.Faces)
    return words.fill("The backend keeps {0} now", _show(answer))


def start(context: bpy.types.Context, talk: Talk) -> Conversation:
    """Begins to ask, and lets a timer go on; the panels show what comes of it.

    Raises:
        SpeechFaceError: the backend cannot be started.
    """
    made = Conversation(session.connect(backend_settings(context)), talk)
    _open.append(made)
    _last[:] = [made]
    if not bpy.app.timers.is_registered(_carry_on):
        bpy.app.timers.register(_carry_on)
    watch()
    return made


def ask_at_once(context: bpy.types.Context, talk: Talk) -> str:
    """Asks and waits for the end; a job that runs goes on meanwhile.

    Raises:
        SpeechFaceError: the backend cannot be started, does not answer, or refuses.
    """
    client = session.connect(backend_settings(context))
    asked = Conversation(client, talk)
    while not asked.is_over:
        try:
            if _is_polled_by_a_job():
                session.generation.tick()
            else:
                session.keep_backend()
                client.poll()
        except errors.SpeechFaceError as error:
            asked.fail(error)
        asked.tick()
        if not asked.is_over:
            client.wait(0.02)
    if asked.error is not None:
        raise asked.error
    return asked.sentence


def last() -> Conversation | None:
    """What a user asked last in a window."""
    return next(iter(_last), None)


def _carry_on() -> float | None:
    """Takes the answers; while a job runs, its operator polls."""
    try:
        if session.client is not None and not _is_polled_by_a_job():
            session.keep_backend()
            session.client.poll()
    except errors.SpeechFaceError as error:
        for asked in _open:
            asked.fail(error)
    for asked in list(_open):
        asked.tick()
        if asked.is_over:
            _open.remove(asked)
            redraw()
    return TICK_SECONDS if _open else None


def _is_polled_by_a_job() -> bool:
    job = session.generation.job if session.generation is not None else None
    return isinstance(job, AnimationJob) and not job.is_over


def _expected(answer: protocol.Message, kind: type[_Answer]) -> _Answer:
    if not isinstance(answer, kind):
        raise errors.SpeechFaceError(f"the backend answered with a {type(answer).__name__}; read its log")
    return answer


def _pairs(answer: protocol.Faces) -> Iterator[tuple[face_messages.LearntFace, NDArray[np.uint8]]]:
    return zip(answer.faces, answer.previews if answer.previews is not None else (), strict=True)


def _show(answer: protocol.Faces) -> str:
    """Shows the one face of an answer, and returns its name."""
    if len(answer.faces) != 1:
        raise errors.SpeechFaceError(f"the backend told of {len(answer.faces)} faces instead of one; read its log")
    face, preview = next(iter(_pairs(answer)))
    row = face_of(bpy.context, face.identity)
    _fill(bpy.context.window_manager.speech_face_faces.add() if row is None else row, face, preview)
    return face.name


def _fill(row: SPEECHFACE_LearntFace, face: face_messages.LearntFace, preview: NDArray[np.uint8]) -> None:
    row.name, row.identity, row.image_count = face.name, face.identity, face.image_count
    row.is_outdated, row.is_damaged = bool(face.is_outdated), face.is_damaged
    if _previews is None:
        return
    shown = _previews[face.identity] if face.identity in _previews else _previews.new(face.identity)
    pixels = np.ones((*preview.shape[:2], 4), np.float32)
    pixels[..., :3] = preview[::-1] / np.float32(255)
    small = pixels.reshape(32, 3, 32, 3, 4).mean(axis=(1, 3))
    shown.image_size, shown.icon_size = preview.shape[1::-1], small.shape[1::-1]
    shown.image_pixels_float.foreach_set(pixels.ravel())
    shown.icon_pixels_float.foreach_set(small.ravel())


def register() -> None:
    """Adds the list to Blender."""
    global _previews  # noqa: PLW0603 (Blender wants one collection for the whole program)
    bpy.utils.register_class(SPEECHFACE_LearntFace)
    bpy.types.WindowManager.speech_face_faces = CollectionProperty(type=SPEECHFACE_LearntFace)
    bpy.types.WindowManager.speech_face_active_face = IntProperty(name="Active Face", min=0)
    _previews = bpy.utils.previews.new()


def unregister() -> None:
    """Removes it."""
    global _previews  # noqa: PLW0603
    if bpy.app.timers.is_registered(_carry_on):
        bpy.app.timers.unregister(_carry_on)
    _open.clear()
    _last.clear()
    if _previews is not None:
        bpy.utils.previews.remove(_previews)
        _previews = None
    del bpy.types.WindowManager.speech_face_active_face
    del bpy.types.WindowManager.speech_face_faces
    bpy.utils.unregister_class(SPEECHFACE_LearntFace)
