"""Defines what a batch is asked for and what came of each line: the structs that travel to workers and into files."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Literal

import msgspec

from backend_server.export.formats import FrameFormat
from backend_server.export.hand_off import HandOff, HandOffs, read_hand_offs
from shared.motion_controls import UNTOUCHED, MotionControls
from shared.notes import Note
from shared.rig.mapping import RigMapping
from shared.timing import FrameRate

RESULT_NAME = "line.json"  # in the folder of a line
INSIDE = ".batch"  # in the output folder: what the batch itself needs


class Output(StrEnum):
    """What can be written of a line; beside these, every `FrameFormat` and every `HandOff`."""

    CURVES = "curves"
    ARKIT = "arkit"
    LANDMARKS = "landmarks"
    RIG = "rig"


OUTPUTS = (*Output, *FrameFormat, *HandOff)
USUAL_OUTPUTS = (Output.CURVES.value, Output.ARKIT.value)


class Character(msgspec.Struct, frozen=True):
    """Whom lines belong to, as the file of characters describes it; paths are absolute.

    Attributes:
        name: as the manifest calls it.
        images: pictures of the face, or folders of them; empty for the mean face.
        identity: a learnt face, its file or its ID, instead of images.
        landmarks: file of the landmarks placed by hand on the images.
        epochs: of learning the face, where pictures are rendered.
        rig: mappings from ARKit's shapes to its rigs, of different names.
        controls: of the motion.
        gains: by which shapes of ARKit are multiplied, before any mapping.
        blink: whether the eyes blink.
    """

    name: str
    images: tuple[str, ...] = ()
    identity: str | None = None
    landmarks: str | None = None
    epochs: int = 10
    rig: tuple[RigMapping, ...] = ()
    controls: MotionControls = UNTOUCHED
    gains: dict[str, float] = {}
    blink: bool = True

    @property
    def has_face(self) -> bool:
        """Whether it has a face of its own."""
        return bool(self.images or self.identity)


NOBODY = Character("")  # of lines without a character: the mean face


class Line(msgspec.Struct, frozen=True):
    """One row of a manifest.

    Attributes:
        row: as a spreadsheet counts, the header is 1; in a folder, the number of the file.
        id: of the line, and the name of its folder.
        audio: absolute path of its sound.
        character: name of the character; empty for the mean face.
        language: as the manifest says; empty if it does not.
        outputs: some of `OUTPUTS`; "atlas:8x4" is an atlas of this layout.
    """

    row: int
    id: str
    audio: str
    character: str
    language: str
    outputs: tuple[str, ...]

    @property
    def frame_format(self) -> FrameFormat | None:
        """In which format pictures are written; None for none."""
        return next((FrameFormat(name) for name in self.outputs if name in tuple(FrameFormat)), None)

    @property
    def hand_offs(self) -> HandOffs:
        """Which files for engines are written.

        Raises:
            ValueRangeError: a layout of an atlas is none, or a library is missing.
        """
        return read_hand_offs(",".join(name for name in self.outputs if name.partition(":")[0] in tuple(HandOff)))


class Plan(msgspec.Struct, frozen=True):
    """What holds for every line.

    Attributes:
        out: absolute path of the output folder.
        frame_rate: of the curves and pictures.
        seed: of the blinks; each line gets another one that is made from it and the line's ID.
        device: as `choose_device` takes it.
    """

    out: str
    frame_rate: FrameRate
    seed: int = 0
    device: str = "auto"

    @property
    def inside(self) -> Path:
        """The folder of what the batch itself needs."""
        return Path(self.out) / INSIDE


class Face(msgspec.Struct, frozen=True):
    """A face that is ready for lines.

    Attributes:
        id: of the identity.
        file: absolute path of the identity.
        notes: what the user should know of it.
        sentence: why there is none; empty if there is one.
    """

    id: str = ""
    file: str = ""
    notes: tuple[Note, ...] = ()
    sentence: str = ""


class Job(msgspec.Struct, frozen=True):
    """One line with all that a worker must know of it."""

    line: Line
    character: Character
    face: Face | None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What was made of a line, `line.json` in its folder.

    Attributes:
        id: of the line.
        key: sha256 of everything that the files depend on.
        character: its name.
        language: as the manifest says.
        audio_sha256: of the sound file.
        weights_version: of the networks.
        seed: of the blinks; `animate --seed` repeats them.
        seconds: length of the sound.
        frames: how many.
        clipped: share of the sound's moments that reach full scale.
        silent: share of the frames in which nobody speaks.
        confidence: as `SpeechEvidence.confidence`.
        opening: of the mouth, eye distances, at evenly spaced times.
        notes: what the user should know.
        files: sha256 of each, by its path in the folder.
    """

    format: Literal["speech_face.line"] = "speech_face.line"
    version: Literal[1] = 1
    id: str
    key: str
    character: str
    language: str
    audio_sha256: str
    weights_version: str
    seed: int
    seconds: float
    frames: int
    clipped: float
    silent: float
    confidence: float | None
    opening: tuple[float, ...]
    notes: tuple[Note, ...]
    files: dict[str, str]


class Outcome(msgspec.Struct, frozen=True):
    """How a line ended.

    Attributes:
        line: which.
        state: unchanged if its folder held the result already.
        result: None if it failed.
        sentence: why it failed.
        detail: for the log; may be empty.
        kept: new names of folders and files that stood where the result is now, and were not the batch's own.
    """

    line: Line
    state: Literal["done", "unchanged", "failed"]
    result: Result | None = None
    sentence: str = ""
    detail: str = ""
    kept: tuple[str, ...] = ()
