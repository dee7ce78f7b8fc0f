"""Looks at rendered faces as a viewer would: the face is opaque, and its lips are where the motion put them."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from backend_server.face.cover import MOST_MISSED, missed_share
from backend_server.face.mesh import FaceMesh
from backend_server.face.mesh_points import landmarks_of_mesh
from shared.landmarks import INNER_LIP_PAIRS
from shared.notes import Note, NoteCode

LOOKED_AT = 8  # frames
FARTHEST_LIPS = 2.5  # pixels of the crop, on average over the lips; frames of good faces have 1 to 1.9
_BACKGROUND = 128


class ResultJudge:
    """Judges the frames of one animation while they are made; close it, or use it in a `with` statement.

    Args:
        landmarks: (T, 68, 2) pixels of the crop, as they were driven.
    """

    def __init__(self, landmarks: NDArray[np.float32]) -> None:
        self._landmarks = landmarks
        self._chosen = set(_from_shut_to_open(landmarks).tolist())
        self._mesh: FaceMesh | None = None
        self._missed: list[float] = []
        self._distances: list[float] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._mesh is not None:
            self._mesh.close()

    def looked_at_before(self, first: int) -> NDArray[np.int64]:
        """Numbers of the frames before `first` at which the judge looks, (n,), in their order."""
        return np.array(sorted(number for number in self._chosen if number < first), np.int64)

    def look(self, number: int, frame: NDArray[np.uint8]) -> None:
        """Looks at one frame (256, 256, 4), RGB and straight alpha."""
        driven = self._landmarks[number]
        self._missed.append(missed_share(frame[..., 3], driven))
        alpha = frame[..., 3:].astype(np.float32) / 255
        shown = np.round(frame[..., :3] * alpha + _BACKGROUND * (1 - alpha)).astype(np.uint8)
        self._mesh = self._mesh or FaceMesh(is_video=False)
        mesh = self._mesh.find(shown)
        if mesh is None:
            self._distances.append(np.inf)
            return
        found = landmarks_of_mesh(mesh)[48:]
        self._distances.append(float(np.linalg.norm(found - driven[48:], axis=1).mean()))

    def watch(self, chunks: Iterator[NDArray[np.uint8]], first: int = 0) -> Iterator[NDArray[np.uint8]]:
        """Yields the same chunks (n, 256, 256, 4), RGB and straight alpha; `first` is the number of the first frame."""
        number = first
        for chunk in chunks:
            for frame in chunk:
                if number in self._chosen:
                    self.look(number, frame)
                number += 1
            yield chunk

    def notes(self) -> tuple[Note, ...]:
        """What the user should know of the frames that were watched."""
        notes = []
        if self._missed and (missed := float(np.mean(self._missed))) > MOST_MISSED:
            sentence = f"{missed:.0%} of the rendered face is transparent; look at the frames, and try another picture"
            notes.append(Note(NoteCode.TRANSPARENT_FACE, sentence))
        lost = sum(np.isinf(self._distances))
        if lost * 2 > len(self._distances):
            sentence = f"no face is recognised in {lost} of {len(self._distances)} rendered frames; look at them"
            notes.append(Note(NoteCode.LIPS_ELSEWHERE, f"{sentence}, and try another picture"))
        elif self._distances and (distance := float(np.median(self._distances))) > FARTHEST_LIPS:
            sentence = f"the lips of the rendered face lie {distance:.0f} pixels from where they were moved to"
            notes.append(Note(NoteCode.LIPS_ELSEWHERE, f"{sentence}; look at the frames, and try another picture"))
        return tuple(notes)


def _from_shut_to_open(landmarks: NDArray[np.float32]) -> NDArray[np.int64]:
    """Numbers of the frames to look at, evenly from the mouth that is open least to the one that is open most."""
    gaps = [np.linalg.norm(landmarks[:, low] - landmarks[:, up], axis=-1) for up, low in INNER_LIP_PAIRS]
    order = np.argsort(np.mean(gaps, axis=0), kind="stable")
    return np.asarray(order[np.linspace(0, len(order) - 1, min(LOOKED_AT, len(order))).round().astype(int)], np.int64)
