"""Lists, names, deletes, exports and imports the faces that a backend has learnt and keeps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ._shared import errors, face_messages, protocol
from .face import Identity
from .questions import Questions

MINUTE = 60.0  # seconds for an answer: many faces are read from a disk, or one is carried over a network


@dataclass(frozen=True)
class KeptFace:
    """A face that the backend keeps.

    Attributes:
        facts: what is known of it; see `LearntFace`.
        preview: u8 (96, 96, 3), sRGB.
    """

    facts: face_messages.LearntFace
    preview: NDArray[np.uint8]

    @property
    def id(self) -> str:
        """Its ID, which `animate` and `render` take as `identity`."""
        return self.facts.identity

    @property
    def name(self) -> str:
        """That somebody gave it, or else the names of its pictures."""
        return self.facts.name

    @property
    def learnt_at(self) -> datetime | None:
        """When it was learnt; None if it is damaged."""
        return datetime.fromisoformat(self.facts.learnt_at) if self.facts.learnt_at else None


Face = KeptFace | Identity | str  # or an ID


class KeptFaces:
    """The faces of a backend; `Backend.faces`. All calls are answered at once, also while jobs run.

    Args:
        questions: of the connection.
    """

    def __init__(self, questions: Questions) -> None:
        self._questions = questions

    def list(self, timeout: float = MINUTE) -> list[KeptFace]:
        """All of them, the oldest first.

        Raises:
            SpeechFaceError: the backend does not answer in time, or is of a release without it.
        """
        found: dict[str, KeptFace] = {}
        first, is_over = 0, False
        while not is_over:
            answer = self._questions.ask(protocol.ListFaces(faces_from=first), protocol.Faces, timeout)
            found |= {face.id: face for face in _kept(answer)}
            first += len(answer.faces)
            is_over = not answer.faces or first >= answer.count
        return [*found.values()]

    def rename(self, face: Face, name: str, timeout: float = MINUTE) -> KeptFace:
        """Gives a face a name, or none if it is empty; the face as it is now.

        Raises:
            SpeechFaceError: there is no such face, or the name is too long or cannot be shown.
        """
        question = protocol.RenameFace(identity=_id(face), name=name)
        return _kept(self._questions.ask(question, protocol.Faces, timeout))[0]

    def delete(self, face: Face, timeout: float = MINUTE) -> int:
        """Deletes a face; how many bytes that frees.

        Raises:
            SpeechFaceError: there is no such face, or a job that waits or runs needs it.
        """
        return self._questions.ask(protocol.DeleteFace(identity=_id(face)), protocol.FaceDeleted, timeout).freed_bytes

    def export(self, face: Face, path: Path | str, timeout: float = MINUTE) -> Path:
        """Writes a face into a file for another backend; the path.

        Raises:
            SpeechFaceError: there is no such face, or the file cannot be written.
        """
        answer = self._questions.ask(protocol.ExportFace(identity=_id(face)), protocol.FaceFile, timeout)
        target = Path(path)
        try:
            answer.content.tofile(target)
        except OSError as error:
            raise errors.ValueRangeError(f"cannot write {target}: {error.strerror or error}; choose another") from error
        return target

    def take_in(self, path: Path | str, timeout: float = MINUTE) -> KeptFace:
        """Has the backend keep a face from its file; the same pictures then find it there.

        Raises:
            SpeechFaceError: the file cannot be read, or is no face.
        """
        try:
            content = np.fromfile(path, np.uint8)
        except OSError as error:
            raise errors.ValueRangeError(f"the face {path} cannot be read: {error.strerror or error}") from error
        if not content.size:
            raise errors.ValueRangeError(f"the face {path} is empty; choose another file")
        question = protocol.ImportFace(content=content)
        question.check()
        return _kept(self._questions.ask(question, protocol.Faces, timeout))[0]


def _kept(answer: protocol.Faces) -> list[KeptFace]:
    if answer.previews is None:
        return []
    return [KeptFace(facts, preview) for facts, preview in zip(answer.faces, answer.previews, strict=True)]


def _id(face: Face) -> str:
    return face if isinstance(face, str) else face.id
