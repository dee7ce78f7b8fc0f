"""Measures how far apart sound and picture are: in recordings, in recordings that were shifted, in rendered faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend_server.data.corpus import Clip
from backend_server.evaluation import paper
from backend_server.evaluation.faces.recipes import USUAL, Faces
from backend_server.evaluation.faces.sound import LANDMARKS, SOUND, driving
from backend_server.evaluation.goals import Goal
from backend_server.evaluation.held_out import PEOPLE
from backend_server.evaluation.kept import training_data
from backend_server.evaluation.page.charts import Panel, draw_panels
from backend_server.evaluation.page.report import Picture, Section, Table
from backend_server.evaluation.run import Context
from backend_server.evaluation.sync.films import Film, mouth_pictures, read_film, sound_windows
from backend_server.evaluation.sync.network import SyncConfig, SyncNetwork, load_sync_network, save_sync_network
from backend_server.evaluation.sync.scores import OFFSETS, REACH, SyncFigures, similarity_curve, sync_figures
from backend_server.evaluation.sync.training import train_sync, training_films

RECORDED, OTHER_SOUND, STILL = "as recorded", "another person's sound", "a still face"
SHIFTS = (-6, -3, 3, 6)  # frames by which faces of recordings are made late
FROM_SOUND, FROM_LANDMARKS = (f"rendered from {name}, {USUAL.name}" for name in (SOUND, LANDMARKS))
LEAST_FRAMES = 50  # of a judged clip: shifted, and at the largest offset, half of it is left
FITS, SHIFTED = "sync.png", "sync_shifts.png"
BY_GROUP, BY_PERSON = "Sync by our own network", "Sync by our own network, person by person"
COLUMNS = ("clips", "offset, frames", "found within a frame", "confidence")


@dataclass(frozen=True)
class Judged:
    """One film as it was judged, or the means over films.

    Attributes:
        speaker: who is seen; several names of several people.
        curve: mean similarity at each offset, (31,).
        figures: what was read off it.
    """

    speaker: str
    curve: NDArray[np.float64]
    figures: SyncFigures


Row = tuple[str, str]
"""Which clips, and what was done to them."""


def run(context: Context) -> Section:
    """Offsets and confidences of held-out clips, recorded, shifted, with another sound and rendered."""
    network = sync_network(context)
    rows = judge_recordings(network, recordings(context))
    rows |= judge_rendered(network, context)
    return Section(
        "Sync of sound and picture",
        (
            "A small network of two streams, of SyncNet's kind (Chung and Zisserman 2016, by which the paper judges) "
            "and trained here on the training clips of this corpus, every person as often as the others, sees five "
            "grey mouths of 32 x 48 pixels and hears 0.2 s of sound. The offset is where the mean cosine of the two "
            f"is greatest, from {-REACH} to {REACH} frames of 40 ms, positive when the face is late; the confidence "
            "is that cosine less the median one. None of these clips was trained on.",
            "The rows of recordings say what the figures mean: a face made so many frames late, whose offset is "
            "known; a stranger's sound, of another sentence of the same few words, which fits by chance alone; a face "
            "that does not move. Zero is where this corpus has picture and sound; an error that all its recordings "
            "share is not seen. Confidences are cosines of this network and compare with one another, not with "
            f"SyncNet's distances: the paper prints an offset of {paper.OFFSET_FRAMES:.0f} frame and a confidence of "
            f"{paper.CONFIDENCE} on GRID. Every person counts the same.",
        ),
        (_table(BY_GROUP, rows), _table(BY_PERSON, by_person(rows))),
        _charts(context.folder, rows),
        tuple(goals(rows)),
    )


def sync_network(context: Context) -> SyncNetwork:
    """The network of the corpus, trained where it is not kept."""
    config, device = SyncConfig(), context.settings.device

    def make(path: Path) -> None:
        films = training_films(context.corpus, config, context.progress)
        save_sync_network(path, train_sync(films, config, context.seed, device, context.progress))

    depends_on = (config, context.seed, training_data(context.corpus))
    return load_sync_network(context.kept.file("sync", depends_on, make), device)


def recordings(context: Context) -> dict[str, list[Film]]:
    """Films of the held-out clips by group; short clips are left out."""
    groups = {
        group: [read_film(take.clip) for take in takes if take.clip.frame_count >= LEAST_FRAMES]
        for group, takes in context.held_out.items()
    }
    return {group: films for group, films in groups.items() if films}


def judge_recordings(network: SyncNetwork, groups: Mapping[str, Sequence[Film]]) -> dict[Row, list[Judged]]:
    """Each group as recorded, shifted, with another person's sound where there is another, and standing still."""
    everyone = [film for films in groups.values() for film in films]
    rows: dict[Row, list[Judged]] = {}
    for group, films in groups.items():
        strangers = [
            film.with_sound(others[place % len(others)])
            for place, film in enumerate(films)
            if (others := [other for other in everyone if other.speaker != film.speaker])
        ]
        rows[group, RECORDED] = [judge(network, film) for film in films]
        for shift in SHIFTS:
            rows[group, shift_name(shift)] = [judge(network, film.late(shift), shift) for film in films]
        rows[group, OTHER_SOUND] = [judge(network, film) for film in strangers]
        rows[group, STILL] = [judge(network, film.still()) for film in films]
    return {row: judged for row, judged in rows.items() if judged}


def judge_rendered(network: SyncNetwork, context: Context) -> dict[Row, list[Judged]]:
    """Faces of the people held out, driven by the sound and by the real landmarks; ("sync", done, of all)."""
    faces = Faces(context.cascade, context.seed, context.kept)
    clips = [clip for clip in context.people if clip.frame_count >= LEAST_FRAMES]
    ways = {SOUND: FROM_SOUND, LANDMARKS: FROM_LANDMARKS}
    rows: dict[Row, list[Judged]] = {(PEOPLE, name): [] for name in ways.values()} if clips else {}
    for number, clip in enumerate(clips):
        for place, (way, name) in enumerate(ways.items()):
            context.progress("sync", number * len(ways) + place, len(clips) * len(ways))
            rows[PEOPLE, name].append(judge(network, rendered_film(context, faces, clip, way)))
    context.progress("sync", len(clips) * len(ways), len(clips) * len(ways))
    return rows


def rendered_film(context: Context, faces: Faces, clip: Clip, way: str) -> Film:
    """The film of a clip's face as it is rendered, with the recorded sound."""
    identity = faces.learn(clip, USUAL)
    moved = driving(way, context.cascade, clip, identity, context.seed)
    pictures = faces.render(identity, moved, np.arange(len(moved)))
    mouths = mouth_pictures(pictures, moved, identity.references.neutral_landmarks)
    return Film(clip.speaker, mouths, sound_windows(clip.waveform(), clip.landmarks().frame_times))


def judge(network: SyncNetwork, film: Film, true_offset: int = 0) -> Judged:
    """What the network finds of a film."""
    curve = similarity_curve(network.similarities(film))
    return Judged(film.speaker, curve, sync_figures(curve, true_offset))


def shift_name(frames: int) -> str:
    """As in "face 3 frames late"."""
    return f"face {abs(frames)} frames {'late' if frames > 0 else 'early'}"


def over_people(films: Sequence[Judged]) -> Judged:
    """Means over each person's films, then over the people."""
    people: dict[str, list[Judged]] = {}
    for film in films:
        people.setdefault(film.speaker, []).append(film)
    return Judged(
        ", ".join(people),
        np.mean([np.mean([film.curve for film in own], axis=0) for own in people.values()], axis=0),
        SyncFigures.mean([SyncFigures.mean([film.figures for film in own]) for own in people.values()]),
    )


def by_person(rows: Mapping[Row, Sequence[Judged]]) -> dict[Row, list[Judged]]:
    """Recordings, with their own and with another sound, and rendered faces of each person."""
    people: dict[Row, list[Judged]] = {}
    for (_, name), films in rows.items():
        for film in films if name in (RECORDED, OTHER_SOUND, FROM_SOUND, FROM_LANDMARKS) else ():
            people.setdefault((film.speaker, name), []).append(film)
    return {row: people[row] for row in sorted(people, key=lambda row: row[0])}


def goals(rows: Mapping[Row, Sequence[Judged]]) -> list[Goal]:
    """The paper's offset as a goal for faces driven by the sound."""
    films = rows.get((PEOPLE, FROM_SOUND))
    if not films:
        return []
    name = f"offset of the face, frames, {USUAL.name}, {SOUND}"
    offset = abs(over_people(films).figures.offset)
    return [Goal(name, paper.OFFSET_FRAMES, offset, source="the paper, GRID (Table 2)")]


def _table(title: str, rows: Mapping[Row, Sequence[Judged]]) -> Table:
    shown = (
        (f"{whose}, {name}", (str(len(films)), *astuple(over_people(films).figures)))
        for (whose, name), films in rows.items()
    )
    return Table(title, COLUMNS, tuple(shown))


def _charts(folder: Path, rows: Mapping[Row, Sequence[Judged]]) -> tuple[Picture, ...]:
    """Curves over the offsets: how recordings and rendered faces fit, and how shifted recordings do."""
    fits = (RECORDED, OTHER_SOUND, STILL, FROM_SOUND, FROM_LANDMARKS)
    shifted = (RECORDED, *map(shift_name, SHIFTS))
    for file, names in ((FITS, fits), (SHIFTED, shifted)):
        panels = []
        for group in dict.fromkeys(group for group, _ in rows):
            curves = {name: over_people(rows[group, name]).curve for name in names if (group, name) in rows}
            series = {name: dict(zip(OFFSETS, curve.tolist(), strict=True)) for name, curve in curves.items()}
            panels.append(Panel(f"mean cosine, {group}", "offset, frames; the face is late on the right", series))
        draw_panels(folder / file, panels)
    return (
        Picture(FITS, "How well mouths fit the sound around them, by the offset laid between the two."),
        Picture(SHIFTED, "The same for recordings whose face was made early or late."),
    )
