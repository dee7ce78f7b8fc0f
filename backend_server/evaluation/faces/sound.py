"""Judges faces of people held out as a user gets them, driven by the sound, beside the paper's (Table 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend_server.cascade import Cascade
from backend_server.config import SAMPLE_RATE
from backend_server.data.corpus import Clip
from backend_server.evaluation import paper
from backend_server.evaluation.faces.figures import (
    READING,
    REAL,
    ClipFigures,
    FaceFigures,
    face_table,
    means_by_name,
    people_and_clips,
    printed_figures,
)
from backend_server.evaluation.faces.judge import Judge, judging
from backend_server.evaluation.faces.recipes import ONE_IMAGE, USUAL, Faces, Recipe, given_frames, other_clips
from backend_server.evaluation.goals import Goal
from backend_server.evaluation.held_out import clip_name, one_of_each
from backend_server.evaluation.page.report import Picture, Section, Table
from backend_server.evaluation.page.sheets import telling_frames, write_sheet
from backend_server.evaluation.run import Context
from backend_server.identity import Identity
from backend_server.progress import Progress
from backend_server.retarget import procrustes_align
from shared.landmarks import STABLE

SOUND = "sound, head still"
SOUND_ON_HEAD = "sound, real head motion"
LANDMARKS = "real landmarks"
NOTHING = "nothing: a still face"
SAME_CLIP, OTHER_CLIP = "the same clip, other frames", "another clip of the person"
FIRST_TABLE = "Faces driven by the sound: what a user gets (Table 2)"
CLIP_BY_CLIP = "Faces from the sound, clip by clip"
FIRST_COLUMNS = {
    "lips_lmd": "lips LMD, px",
    "lips_lmd_on_head": "LMD, heads aligned, px",
    "lips_lmd_in_picture": "LMD, not aligned, px",
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    "mouth_psnr": "mouth PSNR, dB",
    "cpbd": "CPBD",
}
JUDGED = "the judged people"
PRINTED = "as printed; how its heads or lips were aligned is not said"
AT_MOST = ("lips_lmd",)  # of the paper's figures; the others are better when they are higher

Motion = NDArray[np.float32]


@dataclass(frozen=True)
class Way:
    """One way to make a face speak.

    Attributes:
        recipe: how the face is learnt.
        driving: what moves it.
        pictures: what it is learnt from.
    """

    recipe: Recipe
    driving: str = SOUND
    pictures: str = SAME_CLIP

    @property
    def name(self) -> str:
        """As a row of a table is called."""
        return f"{self.recipe.name}, {self.driving}" + f", {self.pictures}" * (self.pictures != SAME_CLIP)

    @property
    def note(self) -> str:
        """What sets the row apart from what a user gets."""
        if self.pictures == OTHER_CLIP:
            return "what a user gets from pictures of another day: other clothes and light"
        return {
            SOUND: "what a user gets from pictures of the very recording",
            SOUND_ON_HEAD: "not what a user gets: no sound tells how the head moves",
            LANDMARKS: "not what a user gets: the motion is copied from the judged frames",
            NOTHING: "for comparison",
        }[self.driving]


FROM_SOUND = (Way(USUAL), Way(ONE_IMAGE))
WAYS = (
    *FROM_SOUND,
    Way(USUAL, pictures=OTHER_CLIP),
    Way(USUAL, SOUND_ON_HEAD),
    Way(USUAL, LANDMARKS),
    Way(ONE_IMAGE, LANDMARKS),
    Way(USUAL, NOTHING),
)


def run(context: Context) -> Section:
    """Figures of faces from the sound beside the paper's, and beside those with other motion; a sheet a person."""
    faces, clips = Faces(context.cascade, context.seed, context.kept), context.people
    with judging(context.embedding) as judge:
        results = judge_ways(context.cascade, faces, clips, judge, context.progress)
    means = means_by_name(results)
    single = [one for one in results if one.name in [way.name for way in FROM_SOUND]]
    return Section(
        "Faces from the sound",
        (
            f"{people_and_clips(clips)}, driven by landmarks that the networks make from the clip's own sound, blinks "
            "included: what a user gets. No head moves in them, while the real head does, so PSNR and SSIM of the "
            "whole picture, taken as the paper takes them, count the head's motion as an error; with the real head's "
            "motion added they count what is made. A blink comes when it does not in the recorded frames.",
            f"{READING} Each person counts the same.",
            "The paper does not say how many pixels its faces are across, nor whether its LMD lays the lips on one "
            "another as the authors it names do; its 1.22 stands under that definition. Settings of these networks "
            "were chosen by looking at these people, whose pictures and sound no network was trained on; the paper's "
            "network was trained on another corpus, TCD-TIMIT.",
        ),
        (
            first_table(means),
            face_table("Faces from the sound, all figures", means, is_detail=True),
            face_table(
                CLIP_BY_CLIP, {f"{clip_name(one.clip)}, {one.name}": one.figures for one in single}, is_detail=True
            ),
        ),
        tuple(_sheet(context, faces, clip) for clip in one_of_each(clips)),
        (
            *paper_goals(Way(USUAL), means, paper.GRID, "the paper, GRID (Table 2)"),
            *paper_goals(Way(ONE_IMAGE), means, paper.GRID_ONE_IMAGE, "the paper, GRID (Section 4.3)"),
        ),
    )


def judge_ways(
    cascade: Cascade,
    faces: Faces,
    clips: Sequence[Clip],
    judge: Judge,
    progress: Progress,
    ways: Sequence[Way] = WAYS,
) -> list[ClipFigures]:
    """Figures of each clip, recorded and rendered in each way.

    Args:
        cascade: hears each clip and moves its face.
        faces: of the network that is judged.
        clips: of people whom the networks never saw.
        judge: measures.
        progress: receives ("faces from sound", done, of all).
        ways: how the faces are made; a person of one clip is not learnt from another.
    """
    results = []
    for number, clip in enumerate(clips):
        judged = judge.read(clip)
        results.append(ClipFigures(clip, REAL, judge.judge_real(judged)))
        for place, way in enumerate(ways):
            progress("faces from sound", number * len(ways) + place, len(clips) * len(ways))
            for source in [clip] if way.pictures == SAME_CLIP else other_clips(clip, clips):
                identity = faces.learn(source, way.recipe)
                moved = driving(way.driving, cascade, clip, identity, faces.seed)
                results.append(ClipFigures(clip, way.name, judge.figures(judged, faces, identity, moved)))
    progress("faces from sound", len(clips) * len(ways), len(clips) * len(ways))
    return results


def driving(name: str, cascade: Cascade, clip: Clip, identity: Identity, seed: int) -> Motion:
    """Landmarks (T, 68, 2) of a whole clip that drive a face, pixels of the crop.

    Args:
        name: what moves the face.
        cascade: hears, moves and retargets.
        clip: its own sound is heard.
        identity: whose face.
        seed: of the blinks.
    """
    data = clip.landmarks()
    if name == LANDMARKS:
        return data.landmarks
    if name == NOTHING:
        return np.repeat(identity.references.neutral_landmarks[None], len(data.frame_times), axis=0)
    heard = cascade.animate(clip.waveform(), SAMPLE_RATE, data.frame_times, identity, seed=seed).landmarks
    return with_head(heard, identity.references.neutral_landmarks, data.landmarks) if name == SOUND_ON_HEAD else heard


def with_head(landmarks: Motion, neutral: Motion, real: Motion) -> Motion:
    """A motion without head movement, moved as the head of another recording of that face moved.

    Args:
        landmarks: (T, 68, 2), around the face at rest.
        neutral: (68, 2), that face.
        real: (T, 68, 2), whose head is followed.
    """
    stable = list(STABLE)
    return procrustes_align(neutral[stable], real[:, stable]).apply(landmarks).astype(np.float32)


def first_table(means: Mapping[str, FaceFigures]) -> Table:
    """What a user gets first, beside the paper's; each row says what drives the face and what it was learnt from."""
    rows = {
        way.name: (way.driving, way.pictures, JUDGED, *_chosen(means[way.name]), way.note)
        for way in WAYS
        if way.name in means
    }
    printed = ("sound", "images of the person", "not said", *_chosen(printed_figures(paper.GRID)), PRINTED)
    real = ("", "", "", *_chosen(means[REAL]), "nothing is rendered")
    order = {name: row for name, row in rows.items() if row[0] == SOUND} | {"the paper, GRID": printed} | rows
    return Table(
        FIRST_TABLE,
        ("driven by", "learnt from", "settings chosen on", *FIRST_COLUMNS.values(), "note"),
        tuple((order | {REAL: real}).items()),
    )


def paper_goals(way: Way, means: Mapping[str, FaceFigures], printed: Mapping[str, float], source: str) -> list[Goal]:
    """The paper's figures as goals for the same figures of faces made in the same way."""
    return [
        Goal(
            f"{FIRST_COLUMNS[key]}, {way.name}",
            value,
            getattr(means[way.name], key),
            is_least=key not in AT_MOST,
            source=source,
        )
        for key, value in printed.items()
    ]


def _chosen(figures: FaceFigures) -> list[float]:
    return [getattr(figures, key) for key in FIRST_COLUMNS]


def _sheet(context: Context, faces: Faces, clip: Clip) -> Picture:
    """Recorded frames above rendered ones of the same moments."""
    identity, moments = faces.learn(clip, USUAL), telling_frames(clip, given_frames(clip))
    numbers = list(moments.values())
    rows = [(REAL, clip.faces(numbers))]
    for name in (LANDMARKS, SOUND):
        moved = driving(name, context.cascade, clip, identity, context.seed)
        rows.append((f"driven by {name}", faces.render(identity, moved, numbers)))
    file = f"faces_{clip.speaker}.jpg"
    write_sheet(context.folder / file, list(moments), rows)
    return Picture(file, f"{clip.speaker}, {clip.text}: recorded frames above rendered ones ({USUAL.name}).")
