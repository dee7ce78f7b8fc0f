"""The figures of rendered faces, their means over people, and their tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from backend_server.data.corpus import Clip
from backend_server.evaluation.page.report import Table
from backend_server.metrics.figures import Figures

REAL = "recorded frames"  # a row in which nothing is rendered


@dataclass(frozen=True)
class FaceFigures(Figures):
    """Means over the judged frames of one clip; NaN where a figure was not measured.

    Attributes:
        lips_lmd: the paper's LMD, pixels; see `lip_shape_distance`.
        lips_lmd_on_head: the same, but with the found heads laid on one another instead of the middles of the lips, so
            that the place of the mouth in the face counts too.
        lips_lmd_in_picture: the same with nothing laid on anything, so that the motion of the head counts too.
        psnr: dB.
        ssim: structural similarity.
        gmsd: deviation of the gradient magnitude similarity; 0 is best.
        mouth_psnr: dB, in the box of the lips.
        cpbd: share of sharp edges.
        driving_lmd: lips found in the frames, pixels from those that drove them.
        faces_found: share of the frames in which the tracker finds a face.
        flicker: change of pixels away from moving landmarks, grey levels a frame.
        deviation: the same over all frames instead of neighbours, grey levels.
        content_distance: between the embeddings of the clip's frames (ACD).
        identity_distance: between the embeddings of made and recorded frames.
    """

    lips_lmd: float
    lips_lmd_on_head: float
    lips_lmd_in_picture: float
    psnr: float
    ssim: float
    gmsd: float
    mouth_psnr: float
    cpbd: float
    driving_lmd: float
    faces_found: float
    flicker: float
    deviation: float
    content_distance: float
    identity_distance: float


COLUMNS = (
    "lips LMD, px",
    "LMD, heads aligned, px",
    "LMD, not aligned, px",
    "PSNR, dB",
    "SSIM",
    "GMSD",
    "mouth PSNR, dB",
    "CPBD",
    "LMD to the driving lips, px",
    "faces found",
    "flicker, grey levels",
    "deviation, grey levels",
    "ACD",
    "identity distance",
)  # of FaceFigures, in its order
HIGHER_IS_BETTER = ("psnr", "ssim", "mouth_psnr", "cpbd", "faces_found")  # of its fields; of the others lower is

READING = (
    "Lips LMD: the lips are found in the rendered and in the recorded frame in the same way, the middles of both lie "
    "on one another, and the distance of the twenty points is averaged (Chen et al. 2018, whom the paper names for its "
    "LMD and whose program does so). Heads aligned: the whole faces lie on one another, so that a mouth in the wrong "
    "place counts too. Not aligned: as they stand in the picture, the motion of the head included. LMD to the driving "
    "lips: between the lips found and those from which the frame was rendered; on recorded frames it is the error of "
    "the tracker. GMSD: how unevenly the edges of both pictures agree (Xue et al. 2014), 0 for equal ones. Mouth PSNR: "
    "in the box of the lips and a fifth more on each side. CPBD: share of edges without visible blur. "
    "Flicker: mean change from frame to frame over a second, away from moving landmarks; deviation: of "
    "each pixel over that second; in recorded frames both hold the camera's noise and the head's motion. ACD and "
    "identity distance need a network that tells people apart; the paper's ACD, 1.12e-4 on GRID, comes from another "
    "one."
)


def printed_figures(values: Mapping[str, float]) -> FaceFigures:
    """Figures of the paper; NaN where it prints none."""
    return FaceFigures(**{field.name: values.get(field.name, float("nan")) for field in fields(FaceFigures)})


def face_table(title: str, rows: Mapping[str, FaceFigures], *, is_detail: bool = False) -> Table:
    """Figures in rows."""
    return Table.of_figures(title, COLUMNS, rows, is_detail=is_detail)


@dataclass(frozen=True)
class ClipFigures:
    """Figures of one clip, rendered in one way or recorded: the clip, the name of the way, what was measured."""

    clip: Clip
    name: str
    figures: FaceFigures


def means_by_name(results: Sequence[ClipFigures]) -> dict[str, FaceFigures]:
    """Means of each way; every person counts the same, however many clips there are."""
    means: dict[str, FaceFigures] = {}
    for name in dict.fromkeys(result.name for result in results):
        people: dict[str, list[FaceFigures]] = {}
        for result in results:
            if result.name == name:
                people.setdefault(result.clip.speaker, []).append(result.figures)
        means[name] = FaceFigures.mean([FaceFigures.mean(figures) for figures in people.values()])
    return means


def people_and_clips(clips: Sequence[Clip]) -> str:
    """The judged people in words, with how many clips each gave."""
    counts = {clip.speaker: sum(one.speaker == clip.speaker for one in clips) for clip in clips}
    return "Held-out people, " + ", ".join(f"{name} ({n} clip{'s' * (n > 1)})" for name, n in counts.items())
