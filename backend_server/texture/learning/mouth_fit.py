"""Measures between which colours the insides of mouths lie, on the training clips of a corpus."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from backend_server.data.corpus import Clip, Corpus
from backend_server.progress import Progress, silent
from backend_server.texture.colours import LUMINANCE, to_pictures
from backend_server.texture.mouth_colours import MouthColours, skin_colours
from backend_server.texture.warping.raster import opening_images
from shared.errors import CorpusError
from shared.landmarks import INNER_LIP_PAIRS

_FRAMES = 8  # of a clip, with its widest mouths
_LEAST_GAP = 4.0  # pixels between the lips
_INSIDE = 0.95  # share of a pixel that must lie between the lips
_BINS = 10  # of luminance, each with as many pixels
_OUTSIDE = 0.25  # of the pixels that lie beyond each bound


def train_mouth(*, corpus: Path, out: Path, progress: Progress = silent) -> str:
    """Measures the mouths of a corpus, writes their colours, and returns what they were measured on.

    Raises:
        CorpusError: there is nothing to measure.
    """
    people = Corpus(corpus)
    fit_mouth_colours(people, progress).save(out, people.source("train"))
    return people.source("train")


def fit_mouth_colours(corpus: Corpus, progress: Progress = silent) -> MouthColours:
    """The bounds between which half of the real pixels lie.

    Raises:
        CorpusError: no training clip shows an open mouth, or one is damaged.
    """
    clips, found = corpus.clips("train"), []
    for number, clip in enumerate(clips):
        progress("mouth", number, len(clips))
        found += _insides(clip)
    progress("mouth", len(clips), len(clips))
    if not found:
        raise CorpusError(f"no mouth opens in the training clips of {corpus.path}; prepare others")
    luminance, redness, blueness = np.concatenate(found).T
    edges = np.quantile(luminance, np.linspace(0, 1, _BINS + 1))
    inside = [(luminance >= low) & (luminance <= high) for low, high in pairwise(edges)]

    def bounds(values: NDArray[np.float64]) -> NDArray[np.float32]:
        return np.array([np.quantile(values[own], (_OUTSIDE, 1 - _OUTSIDE)) for own in inside], np.float32).T

    middles = np.array([np.median(luminance[own]) for own in inside], np.float32)
    return MouthColours(middles, bounds(redness), bounds(blueness))


def _insides(clip: Clip) -> list[NDArray[np.float64]]:
    """Luminance, redness and blueness of the pixels between parted lips, (P, 3) for each of the widest mouths."""
    landmarks = clip.landmarks().landmarks
    upper, lower = INNER_LIP_PAIRS[1]
    gap = landmarks[:, lower, 1] - landmarks[:, upper, 1]
    numbers = [int(number) for number in np.argsort(gap)[-_FRAMES:] if gap[number] > _LEAST_GAP]
    if not numbers:
        return []
    faces, points = clip.faces(numbers), torch.from_numpy(landmarks[numbers])
    between = opening_images(points)[:, 0].numpy() > _INSIDE
    skins = skin_colours(to_pictures(torch.from_numpy(faces)), points).double().numpy()
    found = []
    for face, own, skin in zip(faces, between, skins, strict=True):
        colours = (face[own].astype(np.float64) + 1) / 256
        red, green, blue = np.log(colours / skin).T
        found.append(np.stack([colours @ LUMINANCE / (skin @ LUMINANCE), red - green, blue - green], 1))
    return found
