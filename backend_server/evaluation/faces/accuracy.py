"""Compares faces rendered from the real landmarks of people held out with their recorded frames (Fig. 9, Table 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

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
from backend_server.evaluation.page.charts import Curve, Panel, draw_panels
from backend_server.evaluation.page.report import Picture, Section
from backend_server.evaluation.page.sheets import telling_frames, write_sheet
from backend_server.evaluation.run import Context
from backend_server.progress import Progress

UNTUNED = Recipe(20, 0)
BY_IMAGES = (Recipe(1, 0), ONE_IMAGE, Recipe(5, 10), Recipe(10, 10), USUAL)  # Fig. 9
BY_EPOCHS = (UNTUNED, Recipe(20, 1), Recipe(20, 5), USUAL)  # Table 4
RECIPES = tuple(dict.fromkeys((*BY_IMAGES, *BY_EPOCHS)))
ANOTHER_CLIP = USUAL.name_from_another_clip
CLIP_BY_CLIP = "Faces from real landmarks, clip by clip"
_DRAWN = {"psnr": "PSNR, dB", "ssim": "SSIM", "cpbd": "CPBD", "lips_lmd": "lips LMD, pixels"}
_JUDGING = 60  # as long as so many images of fine-tuning


def run(context: Context) -> Section:
    """Figures by number of images and by epochs, beside the paper's, drawn as lines, and the faces themselves."""
    faces, clips = Faces(context.cascade, context.seed, context.kept), context.people
    with judging(context.embedding) as judge:
        results = judge_recipes(faces, clips, judge, context.progress)
    means = means_by_name(results)
    printed = {
        f"the paper, {epochs} epoch{'s' * (epochs > 1)}, driven by the sound": printed_figures(values)
        for epochs, values in paper.GRID_EPOCHS.items()
    }
    by_images = _beside_real(means, [recipe.name for recipe in BY_IMAGES])
    by_images |= {"the paper, K = 1, driven by the sound": printed_figures(paper.GRID_ONE_IMAGE)}
    by_images |= {"the paper, K = 20, driven by the sound": printed_figures(paper.GRID_EPOCHS[USUAL.epochs])}
    by_epochs = _beside_real(means, [recipe.name for recipe in BY_EPOCHS]) | printed
    tables = [
        face_table("Faces by the number of images K, real landmarks (Fig. 9)", by_images),
        face_table("Faces by epochs of fine-tuning, real landmarks (Table 4)", by_epochs),
    ]
    repeated = {result.clip for result in results if result.name == ANOTHER_CLIP}
    if repeated:
        of_repeated = means_by_name([result for result in results if result.clip in repeated])
        rows = _beside_real(of_repeated, [USUAL.name, ANOTHER_CLIP])
        tables.append(face_table("Faces learnt from another clip of the person, real landmarks", rows))
    single = [one for one in results if one.name in (UNTUNED.name, USUAL.name)]
    by_clip = {f"{clip_name(one.clip)}, {one.name}": one.figures for one in single}
    tables.append(face_table(CLIP_BY_CLIP, by_clip, is_detail=True))
    return Section(
        "Faces from real landmarks",
        (
            f"{people_and_clips(clips)}, learnt from K frames of a clip and rendered from the real landmarks of other "
            "frames of it, 256 x 256: how good the pictures are when the motion is right. That is more than a user "
            "gets, whose motion comes from the sound and whose pictures from another day. The paper's rows are driven "
            "by the sound. Each person counts the same; the settings were chosen by looking at these people.",
            READING,
        ),
        tuple(tables),
        (*_charts(context.folder, means), *_sheets(context.folder, faces, one_of_each(clips))),
        tuple(goals(means)),
    )


def judge_recipes(
    faces: Faces,
    clips: Sequence[Clip],
    judge: Judge,
    progress: Progress,
    recipes: Sequence[Recipe] = RECIPES,
    from_others: Sequence[Recipe] = (USUAL,),
) -> list[ClipFigures]:
    """Learns and renders each clip by each recipe; the frames judged are never among the images given.

    Args:
        faces: of the network that is judged.
        clips: of people whom the network never saw.
        judge: measures.
        progress: receives ("faces", done, of all), in images seen by fine-tuning.
        recipes: how faces are learnt from the clip itself.
        from_others: how a person of several clips is also learnt from other clips.

    Returns:
        For each clip its recorded frames, those of each recipe, and those learnt from other clips.
    """
    results: list[ClipFigures] = []
    repeats = [(recipe, _JUDGING if recipe in recipes else _work(recipe)) for recipe in from_others]
    others = {clip: other_clips(clip, clips) for clip in clips}
    steps = sum(map(_work, recipes)) * len(clips)
    steps += sum(work for _, work in repeats) * sum(map(len, others.values()))
    done = 0
    for clip in clips:
        judged, real = judge.read(clip), clip.landmarks().landmarks
        results.append(ClipFigures(clip, REAL, judge.judge_real(judged)))
        ways = [(recipe.name, clip, recipe, _work(recipe)) for recipe in recipes]
        ways += [
            (recipe.name_from_another_clip, other, recipe, work) for recipe, work in repeats for other in others[clip]
        ]
        for name, source, recipe, work in ways:
            progress("faces", done, steps)
            results.append(ClipFigures(clip, name, judge.figures(judged, faces, faces.learn(source, recipe), real)))
            done += work
    progress("faces", steps, steps)
    return results


def goals(means: Mapping[str, FaceFigures]) -> list[Goal]:
    """The goals of faces rendered from real landmarks; `means` are their figures by recipe."""
    same, nothing = means[USUAL.name], printed_figures({})
    other = means.get(ANOTHER_CLIP, nothing)
    wanted = []
    for name, figures, psnr, ssim in (
        (USUAL.name, same, 36.0, 0.95),
        (ANOTHER_CLIP, other, 33.0, 0.92),
        (ONE_IMAGE.name, means[ONE_IMAGE.name], 32.5, 0.92),
    ):
        wanted += [
            Goal(f"PSNR, dB, real landmarks, {name}", psnr, figures.psnr, is_least=True),
            Goal(f"SSIM, real landmarks, {name}", ssim, figures.ssim, is_least=True),
        ]
    share = same.cpbd / means[REAL].cpbd
    return [
        *wanted,
        Goal(f"mouth PSNR, dB, real landmarks, {USUAL.name}", 30, same.mouth_psnr, is_least=True),
        Goal(f"CPBD, share of the recorded frames', real landmarks, {USUAL.name}", 0.95, share, is_least=True),
        Goal(f"LMD to the driving lips, px, real landmarks, {USUAL.name}", 1.0, same.driving_lmd),
    ]


def _beside_real(means: Mapping[str, FaceFigures], names: Sequence[str]) -> dict[str, FaceFigures]:
    """The recorded frames first, then those of the names that were measured."""
    return {name: means[name] for name in (REAL, *names) if name in means}


def _charts(folder: Path, means: Mapping[str, FaceFigures]) -> list[Picture]:
    """Lines over K and over epochs."""
    over_images, over_epochs = [], []
    for key, title in _DRAWN.items():
        images = {recipe.images: getattr(means[recipe.name], key) for recipe in BY_IMAGES if recipe.epochs}
        printed = {1: paper.GRID_ONE_IMAGE[key]} if key in paper.GRID_ONE_IMAGE else {}
        over_images.append(_panel(title, "images K", images, {**printed, USUAL.images: paper.GRID[key]}, means, key))
        epochs = {recipe.epochs: getattr(means[recipe.name], key) for recipe in BY_EPOCHS}
        printed = {count: values[key] for count, values in paper.GRID_EPOCHS.items()}
        over_epochs.append(_panel(title, "epochs, K = 20", epochs, printed, means, key))
    draw_panels(folder / "texture_images.png", over_images)
    draw_panels(folder / "texture_epochs.png", over_epochs)
    return [
        Picture("texture_images.png", "Figures by the number of images, 10 epochs (Fig. 9)."),
        Picture("texture_epochs.png", "Figures by epochs of fine-tuning, K = 20 (Table 4)."),
    ]


def _panel(title: str, axis: str, ours: Curve, printed: Curve, means: Mapping[str, FaceFigures], key: str) -> Panel:
    real = getattr(means[REAL], key)
    levels = {} if np.isnan(real) else {REAL: real}
    return Panel(title, axis, {"ours, real landmarks": ours}, {"the paper, from the sound": printed}, levels)


def _sheets(folder: Path, faces: Faces, clips: Sequence[Clip]) -> list[Picture]:
    """A sheet a person: recorded frames above those of each recipe."""
    pictures = []
    for clip in clips:
        moments, landmarks = telling_frames(clip, given_frames(clip)), clip.landmarks().landmarks
        numbers = list(moments.values())
        rows = [(REAL, clip.faces(numbers))]
        rows += [(recipe.name, faces.render(faces.learn(clip, recipe), landmarks, numbers)) for recipe in RECIPES]
        file = f"recipes_{clip.speaker}.jpg"
        write_sheet(folder / file, list(moments), rows, cell_pixels=144)
        caption = f"{clip.speaker}: recorded frames, and the same frames by each recipe from their real landmarks."
        pictures.append(Picture(file, caption))
    return pictures


def _work(recipe: Recipe) -> int:
    return recipe.images * recipe.epochs + _JUDGING
