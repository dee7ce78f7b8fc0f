"""Shows one sentence on faces of all shapes, from a child to a caricature (Eq. 7)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend_server.config import CROP_SIZE, SAMPLE_RATE
from backend_server.data.corpus import Corpus
from backend_server.evaluation.page.report import Picture, Section
from backend_server.evaluation.page.sheets import Drawing, Outline, write_drawings
from backend_server.evaluation.run import Context
from backend_server.export.contact_sheet import ACCENT
from backend_server.face.crop import crop_transform, to_crop
from backend_server.metrics.landmarks import eye_aspect_ratio, mouth_opening, mouth_width
from backend_server.retarget import keep_lips_apart, lid_gains, retarget
from shared.landmarks import JAW, LEFT_BROW, LEFT_EYE, LIPS, NOSE_BASE, RIGHT_BROW, RIGHT_EYE

FACE_COUNT, REAL_COUNT = 8, 5
PICTURE = "eight_faces.png"

Points = NDArray[np.float32]


def run(context: Context) -> Section:
    """A held-out sentence on eight faces: the mean one, five people of the corpus, a child and a caricature.

    Raises:
        CorpusError: a clip is missing or damaged.
    """
    cascade, take = context.cascade, next(iter(context.held_out.values()))[0]
    canonical = cascade.animate(take.waveform, SAMPLE_RATE, take.frame_times).canonical
    faces = eight_faces(cascade.neutral_canonical, corpus_faces(context.corpus, REAL_COUNT))
    write_face_sheet(context.folder / PICTURE, canonical, cascade.neutral_canonical, faces)
    return Section(
        "One sentence on eight faces",
        ("Motion is carried from the mean face to others by their height and width (Eq. 7); lips never cross.",),
        pictures=(
            Picture(PICTURE, f"“{take.clip.text.lower()}”, at rest and in the moments in which a fault would show."),
        ),
    )


def on_face(canonical: Points, neutral_canonical: Points, neutral_landmarks: Points) -> Points:
    """Canonical motion on a person's face as the cascade brings it there: lids close, lips never cross.

    Arguments, result and errors are those of `retarget`.
    """
    moved = canonical.copy()
    for eye, gain in zip((RIGHT_EYE, LEFT_EYE), lid_gains(neutral_canonical, neutral_landmarks), strict=True):
        moved[:, eye] = neutral_canonical[eye] + gain * (canonical[:, eye] - neutral_canonical[eye])
    return keep_lips_apart(retarget(moved, neutral_canonical, neutral_landmarks), neutral_landmarks)


def telling_moments(canonical: Points) -> dict[str, int]:
    """The frames of a motion (T, 68, 2) in which a fault would show, by what they are."""
    opening, width, eyes = mouth_opening(canonical), mouth_width(canonical), eye_aspect_ratio(canonical)
    return {
        "widest open": int(opening.argmax()),
        "most closed": int(opening.argmin()),
        "narrowest": int(width.argmin()),
        "broadest": int(width.argmax()),
        "eyes shut": int(eyes.argmin()),
    }


def corpus_faces(corpus: Corpus, count: int) -> dict[str, Points]:
    """Neutral faces of so many people of a corpus, by name: pixels of the crop, (68, 2).

    Raises:
        CorpusError: a clip is missing or damaged.
    """
    speakers = corpus.speakers()[:count]
    return {name: corpus.clips(speaker=name)[0].landmarks().neutral for name in speakers}


def eight_faces(neutral_canonical: Points, real: Mapping[str, Points]) -> dict[str, Points]:
    """The mean face, real faces, and as many made ones as are needed for eight, by name.

    Args:
        neutral_canonical: l_p^m, (68, 2) canonical units.
        real: neutral faces of people or pictures, (68, 2) pixels; the first five are taken.
    """
    made = {
        "child": child(neutral_canonical),
        "caricature": caricature(neutral_canonical),
        "long": neutral_canonical * (0.8, 1.25),
        "round": neutral_canonical * (1.25, 0.85),
        "broad jaw": neutral_canonical * (1 + 0.2 * np.clip(neutral_canonical[:, 1:], -0.5, 0.5) * (1, 0)),
        "one-sided": neutral_canonical + np.maximum(neutral_canonical[:, :1], 0) * (0.15, -0.2),
        "small mouth": _scaled_about_middle(neutral_canonical, LIPS, (0.55, 0.7)),
    }
    people = dict(list(real.items())[:REAL_COUNT])
    fill = dict(list(made.items())[: FACE_COUNT - 1 - len(people)])
    return {"mean": _in_crop(neutral_canonical), **people, **{name: _in_crop(face) for name, face in fill.items()}}


def child(neutral: Points) -> Points:
    """The mean face (68, 2) made a child's: eyes half as large again, below the nose four fifths as high, brows up."""
    face = neutral.copy()
    base = face[NOSE_BASE, 1].max()
    below = np.maximum(face[:, 1] - base, 0)
    face[:, 1] -= 0.2 * below
    face[JAW, 0] *= 1 - 0.1 * np.clip(below[JAW], 0, 1)
    for eye in (RIGHT_EYE, LEFT_EYE):
        face = _scaled_about_middle(face, eye, (1.35, 1.5))
    for brow in (RIGHT_BROW, LEFT_BROW):
        face[brow, 1] -= 0.08
    return _scaled_about_middle(face, LIPS, (0.8, 0.9))


def caricature(neutral: Points) -> Points:
    """The mean face (68, 2) overdrawn: the mouth half as wide again, the chin half as far below it again."""
    face = neutral.copy()
    lip = face[LIPS, 1].max()
    jaw = face[JAW]
    jaw[:, 1] += 0.5 * np.maximum(jaw[:, 1] - lip, 0) + 0.15 * np.clip(jaw[:, 1], 0, None)
    face[JAW] = jaw
    return _scaled_about_middle(face, LIPS, (1.5, 1.2))


def write_face_sheet(path: Path, canonical: Points, neutral_canonical: Points, faces: Mapping[str, Points]) -> None:
    """Draws every face at rest and in the telling moments of one motion, a row a face.

    Args:
        path: a PNG file.
        canonical: l_t^M of a sentence, (T, 68, 2) canonical units.
        neutral_canonical: l_p^m, (68, 2) canonical units.
        faces: neutral landmarks (68, 2) in pixels, by name, as of `eight_faces`.

    Raises:
        ValueRangeError: the points of a face lie on a line.
    """
    moments = telling_moments(canonical)
    chosen = canonical[list(moments.values())]
    rows = []
    for name, neutral in faces.items():
        shown = np.concatenate([neutral[None], on_face(chosen, neutral_canonical, neutral)])
        low, high = shown.min((0, 1)), shown.max((0, 1))
        (x, y), reach = (low + high) / 2, 0.54 * float((high - low).max())
        window = (x - reach, x + reach, y + reach, y - reach)
        titles = ["at rest", *moments] if not rows else [""] * len(shown)
        outlines = [(Outline(landmarks, lip_colour=ACCENT),) for landmarks in shown]
        rows.append((name, [Drawing(one, window, title) for one, title in zip(outlines, titles, strict=True)]))
    write_drawings(path, rows, (1.7, 1.7))


def _scaled_about_middle(face: Points, points: slice, factors: tuple[float, float]) -> Points:
    scaled = face.copy()
    middle = face[points].mean(0)
    scaled[points] = middle + (face[points] - middle) * factors
    return scaled


def _in_crop(face: Points) -> Points:
    """A face (68, 2) in canonical units, in pixels of its crop."""
    pixels = (face * CROP_SIZE).astype(np.float32)
    return to_crop(pixels, crop_transform(pixels))
