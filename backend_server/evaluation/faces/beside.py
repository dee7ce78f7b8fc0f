"""Judges the texture network of the weights folder beside another one, on held-out people and on people of elsewhere.

Both render the same frames from the same real landmarks, so that a newly trained network can be told from the one that
ships. Of the further corpus, the talkers, only figures are told: its pictures may not be shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields

from backend_server.data.corpus import Clip
from backend_server.evaluation.faces.accuracy import UNTUNED, judge_recipes
from backend_server.evaluation.faces.figures import (
    COLUMNS,
    HIGHER_IS_BETTER,
    READING,
    REAL,
    ClipFigures,
    FaceFigures,
    face_table,
    means_by_name,
    people_and_clips,
)
from backend_server.evaluation.faces.judge import Judge, judging
from backend_server.evaluation.faces.networks import TrainedNetwork
from backend_server.evaluation.faces.recipes import USUAL, Faces, Recipe, given_frames
from backend_server.evaluation.held_out import clip_name, one_of_each
from backend_server.evaluation.page.report import Picture, Section, Table
from backend_server.evaluation.page.sheets import telling_frames, write_sheet
from backend_server.evaluation.run import Context
from backend_server.progress import Progress

TODAY, NEW = "today", "new"
RECIPES = (Recipe(1, 0), UNTUNED)
FROM_OTHERS = (UNTUNED, USUAL)
FULL_SIZE = 256  # pixels
PEOPLE_TITLE, TALKERS_TITLE = (f"Texture networks side by side, {of}" for of in ("held-out people", "talkers"))

Results = Mapping[str, Sequence[ClipFigures]]
"""Figures of each network's faces, by the name of the network."""


def run(context: Context) -> Section:
    """Figures of both networks on the held-out people, where there are two, and on the talkers, where there are any."""
    with judging(context.embedding) as judge:
        return side_by_side_section(context, judge)


def side_by_side_section(context: Context, judge: Judge) -> Section:
    """The section of a judge."""
    faces, talkers = compared_faces(context), context.talkers
    people = context.people if context.settings.beside else []
    tables, sentences = [], [_networks_in_words(context)]
    if people:
        results = judge_networks(faces, people, judge, context.progress, FROM_OTHERS)
        tables += _tables(PEOPLE_TITLE, results)
        sentences.append(
            f"{people_and_clips(people)}: learnt from K frames of the clip, without fine-tuning, and people of several "
            "clips alone from another clip too, without and with it."
        )
    if talkers:
        tables += _tables(TALKERS_TITLE, judge_networks(faces, talkers, judge, context.progress))
        sentences.append(
            f"Talkers: all val clips of {context.settings.talkers} ({len(talkers)}), each learnt from K of its own "
            "frames. Their pictures are not shown."
        )
    sheets = [_sheet(context, faces, clip, recipe) for clip in one_of_each(people) for recipe in RECIPES]
    return Section(
        "Texture networks side by side",
        (
            " ".join(sentences),
            "All are rendered from the real landmarks of other frames. K = 1 is the frame nearest to rest. Each person "
            f"counts the same. {READING}",
        ),
        tuple(tables),
        tuple(sheets),
    )


def compared_faces(context: Context) -> dict[str, Faces]:
    """The faces of the networks that are compared, the earlier one first; the new one alone where there is no other."""
    settings = context.settings
    networks = {TODAY: TrainedNetwork(settings.beside, settings.device)} if settings.beside else {}
    return {
        name: Faces(network, context.seed, context.kept)
        for name, network in (networks | {NEW: context.cascade}).items()
    }


def judge_networks(
    faces: Mapping[str, Faces],
    clips: Sequence[Clip],
    judge: Judge,
    progress: Progress,
    from_others: Sequence[Recipe] = (),
) -> dict[str, list[ClipFigures]]:
    """Figures of the faces of each network.

    Args:
        faces: by the name of the network.
        clips: that no network was trained on.
        judge: measures.
        progress: receives ("faces, NAME", done, of all).
        from_others: how faces are also learnt from other clips of the person.
    """
    return {
        name: judge_recipes(own, clips, judge, _named(progress, name), RECIPES, from_others)
        for name, own in faces.items()
    }


def side_by_side(title: str, results: Results) -> Table:
    """A measure a row, with the figures of all networks for each way side by side, and those of recorded frames."""
    means = {network: means_by_name(own) for network, own in results.items()}
    first = next(iter(means.values()))
    columns = [(way, network) for way in first if way != REAL for network in means]
    rows = []
    for field, measure in zip(fields(FaceFigures), COLUMNS, strict=True):
        better = "higher" if field.name in HIGHER_IS_BETTER else "lower"
        figures = [getattr(means[network][way], field.name) for way, network in columns]
        rows.append((measure, (better, getattr(first[REAL], field.name), *figures)))
    return Table(title, ("better", REAL, *(f"{way}: {network}" for way, network in columns)), tuple(rows))


def _tables(title: str, results: Results) -> list[Table]:
    """The means, and each clip."""
    by_clip = {
        f"{clip_name(one.clip)}, {one.name}: {network}": one.figures
        for network, own in results.items()
        for one in own
        if one.name in [recipe.name for recipe in RECIPES]
    }
    return [side_by_side(title, results), face_table(f"{title}, clip by clip", by_clip, is_detail=True)]


def _networks_in_words(context: Context) -> str:
    """Which networks these are."""
    settings = context.settings
    new = f'"{NEW}" is the texture network of {settings.weights}'
    return f'"{TODAY}" is {settings.beside}, {new}.' if settings.beside else f"{new}."


def _sheet(context: Context, faces: Mapping[str, Faces], clip: Clip, recipe: Recipe) -> Picture:
    """Recorded frames above those of each network, at full size."""
    moments, landmarks = telling_frames(clip, given_frames(clip)), clip.landmarks().landmarks
    numbers = list(moments.values())
    rows = [(REAL, clip.faces(numbers))]
    rows += [(name, own.render(own.learn(clip, recipe), landmarks, numbers)) for name, own in faces.items()]
    file = f"beside_{clip.speaker}_{recipe.images}.jpg"
    write_sheet(context.folder / file, list(moments), rows, FULL_SIZE)
    return Picture(file, f"{clip.speaker}: recorded frames, and the same frames by each network ({recipe.name}).")


def _named(progress: Progress, name: str) -> Progress:
    return lambda stage, step, steps: progress(f"{stage}, {name}", step, steps)
