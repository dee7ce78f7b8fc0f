"""Measures rendered frames of a clip against the recorded ones.

Lips are found in the frames, rendered and recorded alike, by the tracker that found the landmarks of the corpus. What
it measures on recorded frames is its own error: the corpus's videos had other pixels, and their landmarks were
smoothed in time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backend_server.data.corpus import Clip
from backend_server.evaluation.faces.figures import FaceFigures
from backend_server.evaluation.faces.recipes import Faces, given_frames
from backend_server.face.mesh_points import landmarks_of_mesh
from backend_server.face.tracker import FaceTracker
from backend_server.identity import Identity
from backend_server.metrics.figures import mean_of_numbers
from backend_server.metrics.flicker import flicker, still_pixels, temporal_deviation
from backend_server.metrics.identity import FaceEmbedding, average_content_distance, identity_distance
from backend_server.metrics.image import gmsd, mouth_psnr, psnr, ssim
from backend_server.metrics.landmarks import landmark_distance, lip_shape_distance
from backend_server.metrics.sharpness import cpbd
from backend_server.retarget import procrustes_align
from shared.errors import ShapeError
from shared.landmarks import POINT_COUNT, STABLE

JUDGED_FRAMES = 25  # a clip, spread over it
RUN_FRAMES = 25  # one after another, from the middle of the clip: flicker is seen between neighbours

Landmarks = NDArray[np.floating]


@dataclass(frozen=True)
class Frames:
    """Frames of a clip, recorded or rendered.

    Attributes:
        landmarks: f32 (T, 68, 2), pixels of the pictures: seen in recorded frames, driving in rendered ones.
        pictures: u8 (T, 256, 256, 3).
        numbers: (T,) of the frames in the clip.
    """

    landmarks: NDArray[np.float32]
    pictures: NDArray[np.uint8]
    numbers: NDArray[np.integer]


@dataclass(frozen=True)
class JudgedClip:
    """The recorded frames of a clip that are judged.

    Attributes:
        clip: whose frames they are.
        spread: some over the whole clip, none of them given to learn from.
        found: landmarks that the tracker sees in these, (T, 68, 2) pixels; NaN where it sees none.
        run: some side by side.
    """

    clip: Clip
    spread: Frames
    found: NDArray[np.float32]
    run: Frames


@dataclass(frozen=True)
class Judge:
    """Measures rendered frames against recorded ones.

    Attributes:
        tracker: looks for the face in frames.
        embedding: tells people apart; without it there are no distances of identity.
    """

    tracker: FaceTracker
    embedding: FaceEmbedding | None = None

    def read(self, clip: Clip) -> JudgedClip:
        """The judged frames of a clip.

        Raises:
            CorpusError: a file of it is missing or damaged.
        """
        spread = spread_frames(clip, given_frames(clip))
        return JudgedClip(clip, spread, find_landmarks(self.tracker, spread.pictures), middle_run(clip))

    def figures(self, clip: JudgedClip, faces: Faces, identity: Identity, driving: NDArray[np.float32]) -> FaceFigures:
        """Figures of the face rendered from landmarks (T, 68, 2) of the whole clip, pixels."""
        spread, run = (
            Frames(driving[real.numbers], faces.render(identity, driving, real.numbers), real.numbers)
            for real in (clip.spread, clip.run)
        )
        return self.judge(spread, run, clip)

    def judge(self, made: Frames, made_run: Frames, real: JudgedClip) -> FaceFigures:
        """Figures of rendered frames: those that stand for `real.spread`, and those that stand for `real.run`."""
        found = find_landmarks(self.tracker, made.pictures)
        still = still_pixels(made_run.landmarks, *made_run.pictures.shape[1:3])
        pairs = list(zip(made.pictures, real.spread.pictures, strict=True))
        mouths = zip(made.pictures, real.spread.pictures, real.spread.landmarks, strict=True)
        of_made, of_real = self._embed(made), self._embed(real.spread)
        both = seen(found, real.found)
        return FaceFigures(
            lips_lmd=lip_shape_distance(*both) if len(both[0]) else float("nan"),
            lips_lmd_on_head=found_distance(heads_on(*both), both[1]),
            lips_lmd_in_picture=found_distance(*both),
            psnr=mean_of_numbers(psnr(*pair) for pair in pairs),
            ssim=mean_of_numbers(ssim(*pair) for pair in pairs),
            gmsd=mean_of_numbers(gmsd(*pair) for pair in pairs),
            mouth_psnr=mean_of_numbers(mouth_psnr(*mouth) for mouth in mouths),
            cpbd=mean_of_numbers(cpbd(picture) for picture in made.pictures),
            driving_lmd=found_distance(found, made.landmarks),
            faces_found=float((~np.isnan(found[:, 0, 0])).mean()),
            flicker=flicker(made_run.pictures, still),
            deviation=temporal_deviation(made_run.pictures, still),
            content_distance=average_content_distance(of_made),
            identity_distance=identity_distance(of_made, of_real),
        )

    def judge_real(self, real: JudgedClip) -> FaceFigures:
        """Figures of the recorded frames themselves; none of those that compare made with recorded."""
        figures = self.judge(real.spread, real.run, real)
        compared = ("lips_lmd", "lips_lmd_on_head", "lips_lmd_in_picture", "psnr", "ssim", "gmsd", "mouth_psnr")
        return replace(figures, **dict.fromkeys((*compared, "identity_distance"), float("nan")))

    def _embed(self, frames: Frames) -> NDArray[np.floating]:
        """Embeddings (T, D), or (0, 0) where nothing makes them."""
        return np.empty((0, 0)) if self.embedding is None else self.embedding(frames.pictures, frames.landmarks)


@contextmanager
def judging(embedding: FaceEmbedding | None = None) -> Iterator[Judge]:
    """A judge with a tracker of its own, which is closed in the end."""
    with closing(FaceTracker()) as tracker:
        yield Judge(tracker, embedding)


def spread_frames(clip: Clip, left_out: NDArray[np.integer]) -> Frames:
    """The judged frames: 25 spread over those of the clip that are not left out, or all when there are fewer."""
    others = np.setdiff1d(np.arange(clip.frame_count), left_out)
    return frames_of(clip, others[np.linspace(0, len(others) - 1, min(JUDGED_FRAMES, len(others))).round().astype(int)])


def middle_run(clip: Clip) -> Frames:
    """Neighbouring frames from the middle of the clip: 25, or all when there are fewer."""
    start = max(clip.frame_count - RUN_FRAMES, 0) // 2
    return frames_of(clip, np.arange(start, min(start + RUN_FRAMES, clip.frame_count)))


def frames_of(clip: Clip, numbers: NDArray[np.integer]) -> Frames:
    """The recorded frames of those numbers (T,)."""
    return Frames(clip.landmarks().landmarks[numbers], clip.faces([int(number) for number in numbers]), numbers)


def find_landmarks(tracker: FaceTracker, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Landmarks that the tracker sees in u8 frames (T, H, W, 3), (T, 68, 2) pixels; NaN where it finds none."""
    tracker.forget()
    meshes = [tracker.find(frame) for frame in frames]
    lost = np.full((POINT_COUNT, 2), np.nan, np.float32)
    return np.array([lost if mesh is None else landmarks_of_mesh(mesh) for mesh in meshes], np.float32)


def seen(found: Landmarks, real: Landmarks) -> tuple[Landmarks, Landmarks]:
    """The frames of two motions (T, 68, 2) in which both have a face."""
    both = ~(np.isnan(found) | np.isnan(real)).any(axis=(1, 2))
    return found[both], real[both]


def heads_on(found: Landmarks, real: Landmarks) -> Landmarks:
    """Faces (T, 68, 2), each turned, scaled and shifted so that its head lies on the real head of that frame.

    What is left between the two is the motion of the face itself: sound does not tell how a head moves.
    """
    stable = list(STABLE)
    return procrustes_align(found[:, stable], real[:, stable]).apply(found) if len(found) else found


def found_distance(found: Landmarks, other: Landmarks) -> float:
    """Mean distance of the lips between landmarks found in frames and others, without laying them on one another.

    Args:
        found: (T, 68, 2) pixels; frames of NaN do not count.
        other: of the same shape.

    Returns:
        Pixels; NaN when no face was found.

    Raises:
        ShapeError: the shapes differ.
    """
    if found.shape != other.shape:
        raise ShapeError(f"expected landmarks of one shape, got {found.shape} and {other.shape}")
    both = seen(found, other)
    return landmark_distance(*both) if len(both[0]) else float("nan")
