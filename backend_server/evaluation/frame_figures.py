"""What is measured on the rendered frames of one clip?"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backend_server.data.corpus import Clip
from backend_server.evaluation.redetection import MeshFinder, redetect, redetected_distance
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
    "faces found",
    "flicker, grey levels",
    "deviation, grey levels",
    "ACD",
    "identity distance",
)


@dataclass(frozen=True)
class Frames:
    """Real frames of a clip.

    Attributes:
        landmarks: f32 (T, 68, 2), pixels of the pictures; they drive the rendered frames.
        pictures: u8 (T, 256, 256, 3).
    """

    landmarks: NDArray[np.float32]
    pictures: NDArray[np.uint8]


def spread_frames(clip: Clip, left_out: NDArray[np.integer]) -> Frames:
    """The judged frames: 25 spread over those of the clip that are not left out, or all when there are fewer."""
    others = np.setdiff1d(np.arange(clip.frame_count), left_out)
    return _frames(clip, others[np.linspace(0, len(others) - 1, min(JUDGED_FRAMES, len(others))).round().astype(int)])


def middle_run(clip: Clip) -> Frames:
    """Neighbouring frames from the middle of the clip: 25, or all when there are fewer."""
    start = max(clip.frame_count - RUN_FRAMES, 0) // 2
    return _frames(clip, np.arange(start, min(start + RUN_FRAMES, clip.frame_count)))


def _frames(clip: Clip, numbers: NDArray[np.integer]) -> Frames:
    return Frames(clip.landmarks().landmarks[numbers], clip.faces([int(number) for number in numbers]))


@dataclass(frozen=True)
class Judge:
    """Measures rendered frames against real ones.

    Attributes:
        finder: looks for the lips in rendered frames.
        embedding: tells people apart; without it there are no distances of identity.
    """

    finder: MeshFinder
    embedding: FaceEmbedding | None = None

    def judge(self, made: NDArray[np.uint8], real: Frames, made_run: NDArray[np.uint8], run: Frames) -> TextureFigures:
        """Figures of rendered frames.

        Args:
            made: u8 (T, 256, 256, 3), rendered from the landmarks of `real`.
            real: what they should look like.
            made_run: u8 (R, 256, 256, 3), rendered from the landmarks of `run`.
            run: neighbouring frames.
        """
        found, still = redetect(self.finder, made), still_pixels(run.landmarks, *made_run.shape[1:3])
        pairs = list(zip(made, real.pictures, strict=True))
        mouths = zip(made, real.pictures, real.landmarks, strict=True)
        of_made, of_real = self._embed(made, real.landmarks), self._embed(real.pictures, real.landmarks)
        return TextureFigures(
            psnr=mean_of_numbers(psnr(*pair) for pair in pairs),
            ssim=mean_of_numbers(ssim(*pair) for pair in pairs),
            mouth_psnr=mean_of_numbers(mouth_psnr(*mouth) for mouth in mouths),
            cpbd=mean_of_numbers(cpbd(picture) for picture in made),
            lips_lmd=redetected_distance(found, real.landmarks),
            faces_found=float((~np.isnan(found[:, 0, 0])).mean()),
            flicker=flicker(made_run, still),
            deviation=temporal_deviation(made_run, still),
            content_distance=average_content_distance(of_made),
            identity_distance=identity_distance(of_made, of_real),
        )

    def judge_real(self, real: Frames, run: Frames) -> TextureFigures:
        """Figures of the real frames themselves; none of those that compare made with real."""
        figures = self.judge(real.pictures, real, run.pictures, run)
        none = float("nan")
        return replace(figures, psnr=none, ssim=none, mouth_psnr=none, identity_distance=none)

    def _embed(self, pictures: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> NDArray[np.floating]:
        """Embeddings (T, D), or (0, 0) where nothing makes them."""
        return np.empty((0, 0)) if self.embedding is None else self.embedding(pictures, landmarks)
