"""Which parts does the judgement of rendered faces have, and which goals do they reach?"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from backend_server.cascade import Cascade
from backend_server.data.corpus import Clip
from backend_server.evaluation.frame_figures import Judge
from backend_server.evaluation.goals import Goal, texture_goals
from backend_server.evaluation.identities import Identities
from backend_server.evaluation.report import Section
from backend_server.evaluation.texture import ANOTHER_CLIP, ONE_IMAGE, REAL, USUAL, evaluate_texture, means_by_name
from backend_server.evaluation.texture_ablations import texture_ablation_section
from backend_server.evaluation.texture_initialisation import initialisation_section
from backend_server.evaluation.texture_report import printed_figures, sound_section, texture_section
from backend_server.evaluation.texture_sound import evaluate_from_sound
from backend_server.evaluation.texture_variants import TextureVariants
from backend_server.face.tracker import FaceTracker
from backend_server.metrics.identity import FaceEmbedding
from backend_server.progress import Progress


@dataclass(frozen=True)
class Judged:
    """What a part of an evaluation hands to the report."""

    sections: tuple[Section, ...]
    goals: tuple[Goal, ...]


def judge_faces(
    folder: Path,
    cascade: Cascade,
    clips: Sequence[Clip],
    *,
    seed: int,
    kept: Path,
    progress: Progress,
    embedding: FaceEmbedding | None = None,
) -> Judged:
    """Judges the shipped kind of faces: driven by real landmarks, then by the sound.

    Args:
        folder: of the report; receives the pictures.
        cascade: is judged.
        clips: of people whom the networks never saw.
        seed: of fine-tuning and blinks.
        kept: where faces that were learnt are kept for the next time.
        progress: told of every step.
        embedding: tells people apart, for the distances of identity.
    """
    identities = Identities(cascade, seed, kept)
    with closing(FaceTracker()) as tracker:
        judge = Judge(tracker, embedding)
        results = evaluate_texture(identities, clips, judge, progress)
        heard = evaluate_from_sound(cascade, identities, clips, judge, progress)
    means, nothing = means_by_name(results), printed_figures({})
    other = means.get(ANOTHER_CLIP, nothing)
    goals = texture_goals(means[USUAL.name], other, means[ONE_IMAGE.name], means[REAL])
    sections = texture_section(folder, results, identities), sound_section(folder, heard, cascade, identities)
    return Judged(sections, tuple(goals))


def judge_texture_variants(
    folder: Path,
    variants: TextureVariants,
    start: Path,
    clips: Sequence[Clip],
    *,
    progress: Progress,
    embedding: FaceEmbedding | None = None,
) -> Judged:
    """Trains texture networks with other losses, parts and beginnings, and judges one clip of each person by each.

    Args:
        folder: of the report; receives the pictures.
        variants: trains and keeps them.
        start: the judged weights file, from which Fig. 8 goes on.
        clips: of people whom the networks never saw.
        progress: told of every step.
        embedding: tells people apart, for the distances of identity.
    """
    with closing(FaceTracker()) as tracker:
        judge = Judge(tracker, embedding)
        ablations = texture_ablation_section(folder, variants, clips, judge, progress)
        return Judged((ablations, initialisation_section(folder, variants, start, clips, judge, progress)), ())
