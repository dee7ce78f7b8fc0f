"""How are the figures and pictures of rendered faces laid out, beside the paper's (Tables 2 and 4, Fig. 9 and 10)?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields
from pathlib import Path

import numpy as np

from backend_server.cascade import Cascade
from backend_server.data.corpus import Clip
from backend_server.evaluation import paper
from backend_server.evaluation.frame_figures import COLUMNS, TextureFigures
from backend_server.evaluation.identities import Identities, given_frames
from backend_server.evaluation.picture_sheet import telling_frames, write_sheet
from backend_server.evaluation.report import Picture, Section, Table
from backend_server.evaluation.texture import (
    ANOTHER_CLIP,
    BY_EPOCHS,
    BY_IMAGES,
    REAL,
    RECIPES,
    USUAL,
    ClipFigures,
    beside_real,
    made_frames,
    means_by_name,
)
from backend_server.evaluation.texture_charts import Lines, draw_lines
from backend_server.evaluation.texture_sound import BY_LANDMARKS, BY_SOUND, drivings

READING = (
    "Mouth PSNR: in the box of the lips and a fifth more on each side. CPBD: share of edges without visible blur. Lips "
    "LMD: lips found anew in the frames by the face tracker, against the driving ones, and against the real ones once "
    "the heads lie on one another; on real frames it is the tracker's own error. Flicker: mean change from frame to "
    "frame over a second, away from moving landmarks; deviation: of each pixel over that second; in real frames both "
    "hold the camera's noise and the head's motion. ACD and identity distance need a network that tells people apart; "
    "the paper's ACD, 1.12e-4 on GRID, comes from another one."
)
_DRAWN = {"psnr": "PSNR, dB", "ssim": "SSIM", "cpbd": "CPBD", "real_lips_lmd": "lips LMD to the real, pixels"}


def printed_figures(values: Mapping[str, float]) -> TextureFigures:
    """Figures of the paper; NaN where it prints none."""
    return TextureFigures(**{field.name: values.get(field.name, float("nan")) for field in fields(TextureFigures)})


def texture_table(title: str, rows: Mapping[str, TextureFigures]) -> Table:
    """Figures in rows."""
    return Table(title, COLUMNS, tuple((name, astuple(figures)) for name, figures in rows.items()))


def texture_section(folder: Path, results: Sequence[ClipFigures], identities: Identities) -> Section:
    """Figures by number of images and by epochs, beside the paper's, drawn as lines, and the faces themselves.

    Args:
        folder: of the report.
        results: of `evaluate_texture`.
        identities: that made them.
    """
    means = means_by_name(results)
    by_images = beside_real(means, [recipe.name for recipe in BY_IMAGES])
    by_images |= {"the paper, K = 1": printed_figures(paper.GRID_ONE_IMAGE)}
    by_images |= {"the paper, K = 20": printed_figures(paper.GRID_EPOCHS[USUAL.epochs])}
    by_epochs = beside_real(means, [recipe.name for recipe in BY_EPOCHS])
    names = {epochs: f"the paper, {epochs} epoch{'s' * (epochs > 1)}" for epochs in paper.GRID_EPOCHS}
    by_epochs |= {names[epochs]: printed_figures(values) for epochs, values in paper.GRID_EPOCHS.items()}
    tables = [
        texture_table("Faces by the number of images K, real landmarks (Fig. 9)", by_images),
        texture_table("Faces by epochs of fine-tuning, real landmarks (Table 4)", by_epochs),
    ]
    repeated = [result for result in results if result.clip in {r.clip for r in results if r.name == ANOTHER_CLIP}]
    if repeated:
        rows = beside_real(means_by_name(repeated), [USUAL.name, ANOTHER_CLIP])
        tables.append(texture_table("Faces learnt from another clip of the person, real landmarks", rows))
    single = {f"{one.clip.speaker} {one.clip.name}": one.figures for one in results if one.name == USUAL.name}
    tables.append(texture_table(f"Clips one by one, {USUAL.name}, real landmarks", single))
    pictures = [*_charts(folder, means), *_sheets_by_recipe(folder, identities, first_clips(results))]
    return Section(
        "Faces from real landmarks",
        (
            f"{_people(results)}, learnt from K frames of a clip and rendered from the real landmarks of other frames, "
            "256 x 256. Each person counts the same.",
            READING,
        ),
        tuple(tables),
        tuple(pictures),
    )


def sound_section(folder: Path, results: Sequence[ClipFigures], cascade: Cascade, identities: Identities) -> Section:
    """Figures of faces driven by the sound beside those driven by real landmarks, and both below the real faces.

    Args:
        folder: of the report.
        results: of `evaluate_from_sound`.
        cascade: that hears.
        identities: that made them.
    """
    rows = means_by_name(results) | {"the paper, GRID (Table 2)": printed_figures(paper.GRID_TEXTURE)}
    pictures = []
    for clip in first_clips(results):
        identity, moments = identities(clip, USUAL), telling_frames(clip, given_frames(clip))
        numbers = np.array(list(moments.values()))
        ways = drivings(cascade, clip, identity, identities.seed)
        shown = [(REAL, clip.faces(list(moments.values())))]
        for name in (BY_LANDMARKS, BY_SOUND):
            shown.append((name, made_frames(identities.network, identity, ways[name], numbers).pictures))
        file = f"faces_{clip.speaker}.jpg"
        write_sheet(folder / file, list(moments), shown)
        caption = f"{clip.speaker}, {clip.text}: real frames above rendered ones of the same moments ({USUAL.name})."
        pictures.append(Picture(file, caption))
    return Section(
        "Faces from the sound",
        (
            f"The same people, {USUAL.name}, driven by landmarks that the networks make from the clip's own sound, "
            "blinks included: what a user gets. No head moves in them, while the real head does, so PSNR and SSIM "
            "of the whole picture, taken as the paper takes them, count the head's motion as an error; with the real "
            "head's motion added they count what is made. A blink comes when it does not in the real frames.",
        ),
        (texture_table("Faces from the sound (Table 2)", rows),),
        tuple(pictures),
    )


def first_clips(results: Sequence[ClipFigures]) -> list[Clip]:
    """The first clip of each person."""
    return list({result.clip.speaker: result.clip for result in reversed(results)}.values())[::-1]


def _people(results: Sequence[ClipFigures]) -> str:
    clips: dict[str, set[str]] = {}
    for result in results:
        clips.setdefault(result.clip.speaker, set()).add(result.clip.name)
    counts = [f"{name} ({len(own)} clip{'s' * (len(own) > 1)})" for name, own in clips.items()]
    return f"Held-out people, {', '.join(counts)}"


def _charts(folder: Path, means: Mapping[str, TextureFigures]) -> list[Picture]:
    """Lines over K and over epochs."""
    images = [recipe for recipe in BY_IMAGES if recipe.epochs and recipe.name in means]
    epochs = [recipe for recipe in BY_EPOCHS if recipe.name in means]
    over_images, over_epochs = [], []
    for key, title in _DRAWN.items():
        real = getattr(means[REAL], key)
        level = {} if np.isnan(real) else {"real frames": real}
        curve = {recipe.images: getattr(means[recipe.name], key) for recipe in images}
        printed = {1: paper.GRID_ONE_IMAGE.get(key), USUAL.images: paper.GRID_TEXTURE[key]}
        known = {position: value for position, value in printed.items() if value is not None}
        over_images.append(Lines(title, "images K", {"ours": curve}, {"the paper, GRID": known}, level))
        curve = {recipe.epochs: getattr(means[recipe.name], key) for recipe in epochs}
        known = {position: values[key] for position, values in paper.GRID_EPOCHS.items()}
        over_epochs.append(Lines(title, "epochs, K = 20", {"ours": curve}, {"the paper, GRID": known}, level))
    draw_lines(folder / "texture_images.png", over_images)
    draw_lines(folder / "texture_epochs.png", over_epochs)
    return [
        Picture("texture_images.png", "Figures by the number of images, 10 epochs (Fig. 9)."),
        Picture("texture_epochs.png", "Figures by epochs of fine-tuning, K = 20 (Table 4)."),
    ]


def _sheets_by_recipe(folder: Path, identities: Identities, clips: Sequence[Clip]) -> list[Picture]:
    """A sheet a person: real frames above those of each recipe."""
    pictures = []
    for clip in clips:
        moments, landmarks = telling_frames(clip, given_frames(clip)), clip.landmarks().landmarks
        numbers = np.array(list(moments.values()))
        rows = [(REAL, clip.faces(list(moments.values())))]
        for recipe in RECIPES:
            made = made_frames(identities.network, identities(clip, recipe), landmarks, numbers)
            rows.append((recipe.name, made.pictures))
        file = f"recipes_{clip.speaker}.jpg"
        write_sheet(folder / file, list(moments), rows, cell_pixels=144)
        pictures.append(Picture(file, f"{clip.speaker}: real frames, and the same frames by each recipe."))
    return pictures
