"""When does an animated face blink, over a clip of any length and frame rate?

The generator makes blocks of three seconds. They are joined where the eyes are open, a blink that the end of the clip
would cut is left out, and the joined motion is read at the frame times.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import maximum_filter1d

from backend_server.blink.generator import BlinkGenerator
from backend_server.config import CORPUS_FRAME_RATE
from backend_server.metrics.landmarks import eye_aspect_ratio
from shared.errors import ShapeError, ValueRangeError
from shared.landmarks import EYE_REGION

OPEN_DROP = 0.15  # eyes count as open while the lid gap has lost less than this share
SHUT_DROP = 0.5  # a closing beyond it is a blink
MARGIN_FRAMES = 2  # kept open on either side of a seam or of the end
BLINK_MARGIN_FRAMES = 3  # belong to a blink before it is noticed and after it is over
SHORTEST_CALM = 0.05  # of its length, to which the time between blinks is squeezed at most
BLOCKS = 64  # drawn at once

Array = NDArray[np.float32]


def closing(displacements: Array, neutral_canonical: Array) -> NDArray[np.floating]:
    """How far the eyes are closed, (T,): 0 as the neutral face, 1 shut.

    Args:
        displacements: of the eye region, (T, 22, 2), canonical units.
        neutral_canonical: (68, 2).
    """
    landmarks = np.broadcast_to(neutral_canonical, (len(displacements), 68, 2)).copy()
    landmarks[:, list(EYE_REGION)] += displacements
    return 1 - eye_aspect_ratio(landmarks) / eye_aspect_ratio(neutral_canonical)


def open_span(shut: NDArray[np.floating]) -> slice:
    """The longest stretch of a block, closings (T,), that begins and ends with open eyes; empty when there is none."""
    is_open = shut < OPEN_DROP
    steady = np.flatnonzero(np.convolve(is_open, np.ones(MARGIN_FRAMES + 1), "valid") > MARGIN_FRAMES)
    if len(steady) == 0:
        return slice(0, 0)
    return slice(int(steady[0]), int(steady[-1]) + MARGIN_FRAMES + 1)


def anchored(block: Array) -> Array:
    """A block (T, 22, 2) less the straight line between its ends, so that it begins and ends at rest."""
    share = np.linspace(0, 1, len(block), dtype=np.float32)[:, None, None]
    return block - (block[0] * (1 - share) + block[-1] * share)


def without_last_blink(motion: Array, shut: NDArray[np.floating]) -> Array:
    """A motion (T, 22, 2) with closings (T,) whose last blink is left out if the end would cut it."""
    if len(motion) == 0 or (shut[-MARGIN_FRAMES:] < OPEN_DROP).all():
        return motion
    open_frames = np.flatnonzero(shut < OPEN_DROP)
    open_frames = open_frames[open_frames < len(motion) - MARGIN_FRAMES]
    last = int(open_frames[-1]) if len(open_frames) else 0
    fade = np.clip((last - np.arange(len(motion))) / 3.0, 0, 1).astype(np.float32)  # to rest before the lids fall
    return motion * fade[:, None, None]


def blink_count(shut: NDArray[np.floating]) -> int:
    """How many times the eyes shut in closings (T,)."""
    return int((np.diff((shut > SHUT_DROP).astype(np.int8), prepend=0) > 0).sum())


def spread(counts: list[int]) -> list[int]:
    """An order of blocks in which a face never stares, given the number of blinks in each.

    A block with one blink comes first, so that a short clip has one too, and no two blocks without any come together
    while that can be. Every block stays in, so the rate of blinks over a long clip is the generator's.

    Args:
        counts: blinks of each block.

    Returns:
        Block numbers, each once.
    """
    rest = list(range(len(counts)))
    order: list[int] = []
    while rest:
        wanted = [b for b in rest if (counts[b] == 1 if not order else counts[b] > 0 or counts[order[-1]] > 0)]
        order.append(wanted[0] if wanted else rest[0])
        rest.remove(order[-1])
    return order


@torch.inference_mode()
def draw_timeline(generator: BlinkGenerator, noise_source: torch.Generator) -> Array:
    """About three minutes of eye motion at 25 frames/s, (F, 22, 2): blocks joined where the eyes are open."""
    config, device = generator.config, next(generator.parameters()).device
    neutral = generator.neutral_canonical.cpu().numpy()
    noise = torch.randn(BLOCKS, config.frames, config.noise_size, generator=noise_source)
    blocks = generator(noise.to(device)).float().cpu().numpy()
    pieces = [anchored(block[open_span(closing(block, neutral))]) for block in blocks]
    order = spread([blink_count(closing(piece, neutral)) for piece in pieces])
    timeline = np.concatenate([pieces[number] for number in order])
    return timeline if len(timeline) else np.zeros((config.frames, *timeline.shape[1:]), np.float32)  # never open: rest


def frame_lengths(shut: NDArray[np.floating], frequency: float, duration: float) -> NDArray[np.float64]:
    """How long each frame of a timeline lasts, (F,), in frames of 1/25 s.

    Frames of blinks last `duration`. All others are stretched or squeezed so that in the whole timeline blinks come
    `frequency` times as often.

    Args:
        shut: closings, (F,).
        frequency: above 0.
        duration: above 0.
    """
    is_blink = maximum_filter1d(shut > OPEN_DROP, 2 * BLINK_MARGIN_FRAMES + 1)
    share = float(is_blink.mean())
    calm = max((1 / frequency - share * duration) / max(1 - share, 1e-6), SHORTEST_CALM)
    return np.where(is_blink, duration, calm)


def _check(times: NDArray[np.float64], frequency: float, duration: float) -> None:
    if times.ndim != 1 or not np.isfinite(times).all() or (np.diff(times) < 0).any():
        raise ShapeError(f"expected rising frame times of shape (T,), got shape {times.shape}")
    if not 0.1 <= frequency <= 4:
        raise ValueRangeError(f"The blink frequency must lie between 0.1 and 4, got {frequency}.")
    if not 0.25 <= duration <= 4:
        raise ValueRangeError(f"The blink duration must lie between 0.25 and 4, got {duration}.")


def blink_displacements(
    generator: BlinkGenerator,
    frame_times: NDArray[np.float64],
    seed: int,
    gain: float = 1.0,
    *,
    frequency: float = 1.0,
    duration: float = 1.0,
) -> Array:
    """Blinks for the frames of a clip.

    The same seed gives the same blinks, at the same seconds after the first frame, at every frame rate. A clip
    of three seconds has one, a shorter one may have none.

    Args:
        generator: G_B.
        frame_times: (T,), seconds, not falling.
        seed: chooses the blinks.
        gain: multiplies them; 1 closes the eyes, 0 keeps them still.
        frequency: how many times as often as usual (0.3 a second) eyes blink, 0.1 to 4.
        duration: how many times as long as usual (0.33 s) a blink takes, 0.25 to 4.

    Returns:
        Displacements of the eye region, (T, 22, 2), canonical units; the eyes are open in the first and last frame.

    Raises:
        ShapeError: the frame times are not a list of rising numbers.
        ValueRangeError: frequency or duration are out of range.
    """
    times = np.asarray(frame_times, np.float64)
    _check(times, frequency, duration)
    if len(times) == 0:
        return np.zeros((0, len(EYE_REGION), 2), np.float32)
    positions = np.round((times - times[0]) * CORPUS_FRAME_RATE, 6)  # frames of 1/25 s; 6.9999999 is frame 7
    neutral = generator.neutral_canonical.cpu().numpy()
    noise_source = torch.Generator().manual_seed(seed)
    pieces, lengths = [], []
    while sum(length.sum() for length in lengths) < positions[-1] + 2:
        pieces.append(draw_timeline(generator, noise_source))
        lengths.append(frame_lengths(closing(pieces[-1], neutral), frequency, duration))
    timeline = np.concatenate(pieces)
    begins = np.concatenate([[0.0], np.cumsum(np.concatenate(lengths))])[: len(timeline)]  # of each frame
    whole = int(np.searchsorted(begins, positions[-1], side="right"))  # frames that begin within the clip
    timeline = timeline[: whole + 1].copy()
    timeline[:whole] = without_last_blink(timeline[:whole], closing(timeline[:whole], neutral))
    timeline[whole:] = timeline[whole - 1]
    motion = PchipInterpolator(begins[: len(timeline)], timeline, axis=0)(positions)
    return (gain * motion).astype(np.float32)
