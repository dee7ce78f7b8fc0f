"""Reads a prepared corpus, which holds:

index.tsv        speaker, clip, split, seconds, frames, text
canonical.npz    neutral_canonical (68, 2)
report.json, report.md
SPEAKER/CLIP/    speech.wav (16 kHz mono), faces/0001.jpg ... (256x256), landmarks.npz,
                 arkit.npz (what the Face Landmarker scores)
"""

from __future__ import annotations

import csv
import logging
import wave
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.errors import CorpusError

LOG = logging.getLogger(__name__)
INDEX = "index.tsv"
CANONICAL = "canonical.npz"
DAMAGE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)  # what reading a broken .npz raises
COLUMNS = ("speaker", "clip", "split", "seconds", "frames", "text")
SHORTEST_SHARE = 0.8  # of the usual length


@dataclass(frozen=True)
class ClipLandmarks:
    """What `landmarks.npz` of a clip holds.

    Attributes:
        frame_times: f64 (T,), seconds after the first sample.
        landmarks: f32 (T, 68, 2), pixels of the crop.
        canonical: f32 (T, 68, 2), canonical units, without head motion.
        neutral: f32 (68, 2), pixels of the crop.
        crop: f32 (2, 3), crop pixel to pixel of the video.
    """

    frame_times: NDArray[np.float64]
    landmarks: NDArray[np.float32]
    canonical: NDArray[np.float32]
    neutral: NDArray[np.float32]
    crop: NDArray[np.float32]


@dataclass(frozen=True)
class Clip:
    """One clip of the corpus; its arrays are read when asked for."""

    folder: Path
    speaker: str
    name: str
    split: str
    seconds: float
    frame_count: int
    text: str

    def landmarks(self) -> ClipLandmarks:
        """Reads the landmarks.

        Raises:
            CorpusError: the file is missing or damaged.
        """
        path = self.folder / "landmarks.npz"
        try:
            with np.load(path) as arrays:
                return ClipLandmarks(**{name: arrays[name] for name in ClipLandmarks.__dataclass_fields__})
        except DAMAGE as error:
            raise CorpusError(f"{path} is missing or damaged; prepare the corpus again.", detail=str(error)) from error

    def arkit(self) -> NDArray[np.float32]:
        """Reads the scores of `arkit.SHAPES` in each frame, f32 (T, 52), 0 to 1.

        Raises:
            CorpusError: the file is missing or damaged.
        """
        path = self.folder / "arkit.npz"
        try:
            with np.load(path) as arrays:
                return arrays["weights"]
        except DAMAGE as error:
            raise CorpusError(f"{path} is missing or damaged; prepare the corpus again.", detail=str(error)) from error

    def waveform(self) -> NDArray[np.float32]:
        """Reads the sound, f32 (S,) in [-1, 1], 16 kHz.

        Raises:
            CorpusError: the file is missing or damaged.
        """
        path = self.folder / "speech.wav"
        try:
            with wave.open(str(path), "rb") as file:
                samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        except (OSError, EOFError, wave.Error) as error:
            raise CorpusError(f"{path} is missing or damaged; prepare the corpus again.", detail=str(error)) from error
        return samples.astype(np.float32) / np.float32(32768)

    def face(self, frame: int) -> NDArray[np.uint8]:
        """Reads the face crop of frame 0 ... frame_count - 1, u8 (256, 256, 3) RGB.

        Raises:
            CorpusError: the file is missing or damaged.
        """
        path = self.folder / "faces" / f"{frame + 1:04d}.jpg"
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image is None:
            raise CorpusError(f"{path} is missing or damaged; prepare the corpus again.")
        return np.ascontiguousarray(image[..., ::-1]).astype(np.uint8, copy=False)

    def faces(self, frames: list[int] | None = None) -> NDArray[np.uint8]:
        """Reads several face crops, u8 (T, 256, 256, 3); all when `frames` is None."""
        return np.stack([self.face(frame) for frame in (range(self.frame_count) if frames is None else frames)])


class Corpus:
    """A prepared corpus.

    Args:
        path: the folder that `prepare` wrote.

    Raises:
        CorpusError: the folder holds no corpus.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            lines = (path / INDEX).read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise CorpusError(
                f"{path} holds no corpus; make one with: python -m backend_server prepare VIDEO_DIR --out {path}"
            ) from error
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        if tuple(rows.fieldnames or ()) != COLUMNS:
            raise CorpusError(f"{path / INDEX} has the columns {rows.fieldnames}; prepare the corpus again.")
        self._clips = [
            Clip(
                folder=path / row["speaker"] / row["clip"],
                speaker=row["speaker"],
                name=row["clip"],
                split=row["split"],
                seconds=float(row["seconds"]),
                frame_count=int(row["frames"]),
                text=row["text"],
            )
            for row in rows
        ]

    def clips(self, split: str | None = None, speaker: str | None = None) -> list[Clip]:
        """Returns the clips of a split ("train" or "val") and a speaker; None takes all."""
        return [c for c in self._clips if split in (None, c.split) and speaker in (None, c.speaker)]

    def speakers(self, split: str | None = None) -> list[str]:
        """Returns the names of the speakers that have a clip in a split, sorted."""
        return sorted({clip.speaker for clip in self.clips(split)})

    def source(self, split: str) -> str:
        """What a split holds, in words."""
        clips = self.clips(split)
        return f"{len(clips)} clips of {len({clip.speaker for clip in clips})} people"

    @cached_property
    def neutral_canonical(self) -> NDArray[np.float32]:
        """The canonical neutral shape l_p^m, f32 (68, 2)."""
        try:
            with np.load(self.path / CANONICAL) as arrays:
                return arrays["neutral_canonical"]
        except DAMAGE as error:
            raise CorpusError(f"{self.path / CANONICAL} is missing or damaged; prepare the corpus again.") from error


def long_enough(clips: Sequence[Clip], enough_frames: int | None = None) -> list[Clip]:
    """The clips that are not much shorter than the others; the log says how many are left out.

    Where clips lie in one array, each is cut to the shortest, and a single short one would shorten all the others.

    Args:
        clips: of one training.
        enough_frames: this many are enough, however long the others are.
    """
    if not clips:
        return []
    usual = float(np.median([clip.frame_count for clip in clips]))
    least = SHORTEST_SHARE * min(usual, enough_frames or usual)
    kept = [clip for clip in clips if clip.frame_count >= least]
    if len(kept) < len(clips):
        LOG.warning("left out: %d of %d clips, shorter than %.0f frames", len(clips) - len(kept), len(clips), least)
    return kept
