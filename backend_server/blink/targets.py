"""Prepares the eye motion that G_B learns.

Raw eye landmarks hold gaze, squints and tracking noise beside blinks, and the people of a small corpus blink between
0 and 1.3 times a second. So whole blinks are cut out of the clips, without the drift under them, and placed at random
times over the slow motion of other clips: sequences like the corpus, at a chosen rate, as many as are wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from backend_server.config import BlinkConfig
from backend_server.metrics.blink import find_blinks
from backend_server.metrics.landmarks import eye_aspect_ratios
from shared.errors import CorpusError
from shared.landmarks import EYE_REGION

LEAST_DEPTH = 0.6  # of the lid gap; shallower drops are squints and glances
CLOSED_DEPTH = 0.85  # to which a blink is scaled: the tracker sees the lashes of shut eyes as a gap
LONGEST_FRAMES = 16  # 0.64 s at 25 frames/s
LEAD_FRAMES = 2  # kept before the drop is noticed
TAIL_FRAMES = 4  # kept after the lids are back, for their slow end
SLOW_SIGMA = 5.0  # frames; motion slower than this stays under the blinks
REST_SECONDS = 0.3  # eyes stay open for at least this long between blinks
OVERSHOOT = 0.12  # of the lid gap; a blink over which the eyes open wider than that was cut at the wrong place
LARGEST_SQUINT = 0.2  # of the lid gap; calm motion that changes it more is left out
BROW_FOLLOW = 0.05  # of the way of the lids, downwards

BROWS = slice(0, 10)  # places within the 22 points
UPPER_LIDS, LOWER_LIDS = (11, 12, 17, 18), (14, 15, 20, 21)

Array = NDArray[np.float32]


@dataclass(frozen=True)
class BlinkTargets:
    """The parts of training sequences, canonical units.

    Attributes:
        blinks: displacements of one blink each, (L, 22, 2), zero at both ends.
        calm: displacements of clips without their blinks, (T, 22, 2), slow, mean zero.
    """

    blinks: tuple[Array, ...]
    calm: tuple[Array, ...]


def _between_ends(motion: Array) -> Array:
    """The straight line from the first to the last frame of a motion (L, 22, 2)."""
    share = np.linspace(0, 1, len(motion), dtype=np.float32)[:, None, None]
    return motion[0] * (1 - share) + motion[-1] * share


def lid_gaps(displacements: Array) -> Array:
    """Change of the mean lid gap, (..., T) canonical units, of eye-region displacements (..., T, 22, 2)."""
    vertical = displacements[..., 1]  # y down
    return vertical[..., list(LOWER_LIDS)].mean(-1) - vertical[..., list(UPPER_LIDS)].mean(-1)


def _is_even(ears: NDArray[np.floating], start: int, end: int) -> bool:
    """Whether both eyes close alike within the frames of a blink; ears (T, 2)."""
    drops = 1 - ears[start:end].min(0) / np.median(ears, axis=0)
    return bool(abs(drops[0] - drops[1]) < 0.3)


def with_settled_brows(blink: Array) -> Array:
    """A blink (L, 22, 2) in which the brows follow the lids a little.

    The tracker places the corners of shut eyes too low, and the head is aligned by them, so the brows seem to rise by a
    quarter of the way of the lids. In the pictures they do not: there the brows of seven people in 218 blinks go
    between 0.04 up and 0.15 down, on average 0.01 down. So the eyes are measured from the brows, and the brows move
    by `BROW_FOLLOW`, within what people do and enough to be seen.
    """
    settled = blink.copy()
    settled[..., 1] -= blink[:, BROWS, 1].mean(1, keepdims=True)
    settled[:, BROWS] = 0.0
    settled[:, BROWS, 1] = BROW_FOLLOW * -lid_gaps(blink)[:, None]
    return settled


def cut_blinks(canonical: Array, neutral_canonical: Array, frame_rate: float) -> tuple[list[Array], Array]:
    """Separates the blinks of a clip from the slow motion under them.

    Args:
        canonical: landmarks of the clip, (T, 68, 2), canonical units.
        neutral_canonical: (68, 2).
        frame_rate: frames a second.

    Returns:
        The clear blinks, each (L, 22, 2), and the clip's slow motion (T, 22, 2).
    """
    eyes = list(EYE_REGION)
    motion = (canonical - neutral_canonical)[:, eyes].astype(np.float32)
    ears = eye_aspect_ratios(canonical)
    found = find_blinks(ears.mean(-1), frame_rate)
    calm, blinks = motion.copy(), []
    for start, end, depth in zip(found.starts, found.ends, found.depths, strict=True):
        first, last = max(start - LEAD_FRAMES, 0), min(end + TAIL_FRAMES, len(motion))
        piece = motion[first:last]
        is_whole = start >= LEAD_FRAMES and end + TAIL_FRAMES <= len(motion)
        if is_whole and depth >= LEAST_DEPTH and end - start <= LONGEST_FRAMES and _is_even(ears, start, end):
            blinks.append(piece - _between_ends(piece))
        calm[first:last] = _between_ends(calm[first:last])
    slow = gaussian_filter1d(calm, SLOW_SIGMA, axis=0, mode="nearest")
    return blinks, (slow - slow.mean(0)).astype(np.float32)


def _open_gap(neutral_canonical: Array) -> float:
    """Mean lid gap of the face at rest, canonical units."""
    return float(lid_gaps(neutral_canonical[list(EYE_REGION)]))


def collect_targets(clips: Sequence[Array], neutral_canonical: Array, frame_rate: float) -> BlinkTargets:
    """Blinks and calm motion of many clips, each (T, 68, 2).

    Raises:
        CorpusError: no clip holds a clear blink.
    """
    blinks: list[Array] = []
    calm: list[Array] = []
    gap = _open_gap(neutral_canonical)
    for canonical in clips:
        cut, slow = cut_blinks(canonical, neutral_canonical, frame_rate)
        clean = [blink for blink in cut if lid_gaps(blink).max() < OVERSHOOT * gap]
        blinks += [with_settled_brows(blink) * (CLOSED_DEPTH * gap / -lid_gaps(blink).min()) for blink in clean]
        if np.ptp(lid_gaps(slow)) < LARGEST_SQUINT * gap:
            calm.append(slow)
    if not blinks or not calm:
        raise CorpusError(
            f"None of the {len(clips)} training clips holds a clear blink; add clips in which people blink."
        )
    return BlinkTargets(tuple(blinks), tuple(calm))


def stretched(blink: Array, factor: float) -> Array:
    """A blink (L, 22, 2) that takes `factor` times as long."""
    length = max(round(factor * len(blink)), 2)
    places = np.linspace(0, len(blink) - 1, length)
    lower = np.minimum(places.astype(int), len(blink) - 2)
    share = (places - lower).astype(np.float32)[:, None, None]
    return np.asarray((1 - share) * blink[lower] + share * blink[lower + 1], np.float32)


def compose(
    targets: BlinkTargets, count: int, frames: int, frame_rate: float, config: BlinkConfig, random: np.random.Generator
) -> Array:
    """Random sequences of eye motion, (count, frames, 22, 2).

    Blinks follow each other at random, eyes are open for a while between two and at the start. The last blink may be
    cut by the end of the sequence.

    Args:
        targets: blinks and calm motion.
        count: sequences.
        frames: of each.
        frame_rate: frames a second.
        config: rate of the blinks and how they are stretched in time.
        random: source of randomness.
    """
    rest_frames = round(REST_SECONDS * frame_rate)
    result = np.zeros((count, frames, len(EYE_REGION), 2), np.float32)
    mean_length = np.mean([len(blink) for blink in targets.blinks]) * np.mean(config.blink_stretch)
    mean_gap = max(frame_rate / config.blinks_per_second - mean_length - rest_frames, 1.0)
    for sequence in result:
        base = targets.calm[random.integers(len(targets.calm))]
        shift = int(random.integers(max(len(base) - frames, 0) + 1))
        part = base[shift : shift + frames]
        sequence[: len(part)] = part
        sequence[len(part) :] = part[-1]
        start = int(random.exponential(mean_gap))
        while start < frames:
            blink = stretched(
                targets.blinks[random.integers(len(targets.blinks))], random.uniform(*config.blink_stretch)
            )
            seen = blink[: frames - start]
            sequence[start : start + len(seen)] += seen
            start += len(blink) + rest_frames + int(random.exponential(mean_gap))
    return result
