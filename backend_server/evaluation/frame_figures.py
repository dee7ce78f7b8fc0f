"""What is measured on the rendered frames of one clip?"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backend_server.data.corpus import Clip
from backend_server.evaluation.redetection import MeshFinder, heads_on, redetect, redetected_distance
from backend_server.metrics.figures import Figures, mean_of_numbers
from backend_server.metrics.flicker import flicker, still_pixels, temporal_deviation
from backend_server.metrics.identity import FaceEmbedding, average_content_distance, identity_distance
from backend_server.metrics.image import mouth_psnr, psnr, ssim
from backend_server.metrics.sharpness import cpbd

JUDGED_FRAMES = 25  # a clip, spread over it
RUN_FRAMES = 25  # one after another, from the middle of the clip: flicker is seen between neighbours


@dataclass(frozen=True)
class TextureFigures(Figures):
    """Means over the judged frames of one clip; NaN where a figure was not measured.

    Attributes:
        psnr: dB.
        ssim: structural similarity.
        mouth_psnr: dB, in the box of the lips.
        cpbd: share of sharp edges.
        lips_lmd: lips found in the frames, pixels from the driving ones.
        real_lips_lmd: the same from the real ones, once each head lies on the real head.
        faces_found: share of the frames in which the tracker finds a face.
        flicker: change of pixels away from moving landmarks, grey levels a frame.
        deviation: the same over all frames instead of neighbours, grey levels.
        content_distance: between the embeddings of the clip's frames (ACD).
        identity_distance: between the embeddings of made and real frames.
    """

    psnr: float
    ssim: float
    mouth_psnr: float
    cpbd: float
    lips_lmd: float
    real_lips_lmd: float
    faces_found: float
    flicker: float
    deviation: float
    content_distance: float
    identity_distance: float


COLUMNS = (
    "PSNR, dB",
    "SSIM",
    "mouth PSNR, dB",
    "CPBD",
    "lips LMD, px",
    "lips LMD to the real, px",
    "faces found",
    "flicker, grey levels",
    "deviation, grey levels",
    "ACD",
    "identity distance",
)


@dataclass(frozen=True)
class Frames:
    """Frames of a clip, real or rendered.

    Attributes:
        landmarks: f32 (T, 68, 2), pixels of the pictures: seen in real frames, driving in rendered ones.
        pictures: u8 (T, 256, 256, 3).
        numbers: (T,) of the frames in the clip.
    """

    landmarks: NDArray[np.float32]
    pictures: NDArray[np.uint8]
    numbers: NDArray[np.integer]


def spread_frames(clip: Clip, left_out: NDArray[np.integer]) -> Frames:
    """The judged frames: 25 spread over those of the clip that are not left out, or all when there are fewer."""
    others = np.setdiff1d(np.arange(clip.frame_count), left_out)
    return frames_of(clip, others[np.linspace(0, len(others) - 1, min(JUDGED_FRAMES, len(others))).round().astype(int)])


def middle_run(clip: Clip) -> Frames:
    """Neighbouring frames from the middle of the clip: 25, or all when there are fewer."""
    start = max(clip.frame_count - RUN_FRAMES, 0) // 2
    return frames_of(clip, np.arange(start, min(start + RUN_FRAMES, clip.frame_count)))


def frames_of(clip: Clip, numbers: NDArray[np.integer]) -> Frames:
    """The real frames of those numbers (T,)."""
    return Frames(clip.landmarks().landmarks[numbers], clip.faces([int(number) for number in numbers]), numbers)


@dataclass(frozen=True)
class Judge:
    """Measures rendered frames against real ones.

    Attributes:
        finder: looks for the lips in rendered frames.
        embedding: tells people apart; without it there are no distances of identity.
    """

    finder: MeshFinder
    embedding: FaceEmbedding | None = None

    def judge(self, made: Frames, real: Frames, made_run: Frames, run: Frames) -> TextureFigures:
        """Figures of rendered frames.

        Args:
            made: rendered, with the landmarks that drove them.
            real: what they should look like.
            made_run: the same of `run`.
            run: neighbouring frames.
        """
        found = redetect(self.finder, made.pictures)
        still = still_pixels(made_run.landmarks, *made_run.pictures.shape[1:3])
        pairs = list(zip(made.pictures, real.pictures, strict=True))
        mouths = zip(made.pictures, real.pictures, real.landmarks, strict=True)
        of_made, of_real = self._embed(made), self._embed(real)
        return TextureFigures(
            psnr=mean_of_numbers(psnr(*pair) for pair in pairs),
            ssim=mean_of_numbers(ssim(*pair) for pair in pairs),
            mouth_psnr=mean_of_numbers(mouth_psnr(*mouth) for mouth in mouths),
            cpbd=mean_of_numbers(cpbd(picture) for picture in made.pictures),
            lips_lmd=redetected_distance(found, made.landmarks),
            real_lips_lmd=redetected_distance(heads_on(found, real.landmarks), real.landmarks),
            faces_found=float((~np.isnan(found[:, 0, 0])).mean()),
            flicker=flicker(made_run.pictures, still),
            deviation=temporal_deviation(made_run.pictures, still),
            content_distance=average_content_distance(of_made),
            identity_distance=identity_distance(of_made, of_real),
        )

    def judge_real(self, real: Frames, run: Frames) -> TextureFigures:
        """Figures of the real frames themselves; none of those that compare made with real."""
        figures = self.judge(real, real, run, run)
        none = float("nan")
        return replace(figures, psnr=none, ssim=none, mouth_psnr=none, identity_distance=none)

    def _embed(self, frames: Frames) -> NDArray[np.floating]:
        """Embeddings (T, D), or (0, 0) where nothing makes them."""
        return np.empty((0, 0)) if self.embedding is None else self.embedding(frames.pictures, frames.landmarks)
