"""When does an animated face blink, over a clip of any length and frame rate?

The generator makes blocks of three seconds. They are joined where the eyes are open, a blink that the end of the clip
would cut is left out, and the joined motion is read at the frame times.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.stats import norm

from backend_server.blink.generator import BlinkGenerator
from backend_server.config import CORPUS_FRAME_RATE
from backend_server.metrics.landmarks import eye_aspect_ratio
from shared.errors import ShapeError, ValueRangeError
from shared.landmarks import EYE_REGION

OPEN_DROP = 0.15  # eyes count as open while the lid gap has lost less than this share
MARGIN_FRAMES = 2  # kept open on either side of a seam or of the end
BLOCKS_AT_ONCE = 64

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


def threshold_shift(threshold: float, frequency: float) -> float:
    """By how much an event threshold of standard normal noise moves so that it is passed `frequency` times as often."""
    chance = min(frequency * float(norm.sf(threshold)), 0.2)
    return float(norm.isf(chance)) - threshold


@torch.inference_mode()
def draw_timeline(generator: BlinkGenerator, frames: int, seed: int, frequency: float = 1.0) -> Array:
    """Eye motion at 25 frames/s, (frames, 22, 2): blocks of the generator, joined where the eyes are open.

    Args:
        generator: G_B.
        frames: how many are wanted.
        seed: of the noise.
        frequency: how many times as many blinks as the generator was trained to make.
    """
    config, device = generator.config, next(generator.parameters()).device
    neutral = generator.neutral_canonical.cpu().numpy()
    noise_source = torch.Generator().manual_seed(seed)
    shift = threshold_shift(float(generator.event_threshold), frequency) if frequency != 1 else 0.0
    pieces: list[Array] = [np.zeros((0, len(EYE_REGION), 2), np.float32)]
    filled = 0
    while filled < frames:
        noise = torch.randn(BLOCKS_AT_ONCE, config.frames, config.noise_size, generator=noise_source)
        for block in generator(noise.to(device), shift).float().cpu().numpy():
            span = open_span(closing(block, neutral))
            pieces.append(anchored(block[span]))
            filled += span.stop - span.start
        if filled == 0:
            pieces.append(
                np.zeros((frames, len(EYE_REGION), 2), np.float32)
            )  # eyes that never open: leave them at rest
            break
    return np.concatenate(pieces)[:frames]


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

    The same seed gives the same blinks, at the same seconds after the first frame, at every frame rate. In a clip of
    under two seconds there may be none.

    Args:
        generator: G_B.
        frame_times: (T,), seconds, not falling.
        seed: chooses the blinks.
        gain: multiplies them; 1 closes the eyes, 0 keeps them still.
        frequency: how many times as often as usual eyes blink, above 0 and up to 5.
        duration: how many times as long as usual a blink takes, 0.25 to 4.

    Returns:
        Displacements of the eye region, (T, 22, 2), canonical units, at rest in the first and the last frame.

    Raises:
        ShapeError: the frame times are not a list of rising numbers.
        ValueRangeError: frequency or duration are out of range.
    """
    if not 0 < frequency <= 5:
        raise ValueRangeError(f"The blink frequency must lie above 0 and be at most 5, got {frequency}.")
    if not 0.25 <= duration <= 4:
        raise ValueRangeError(f"The blink duration must lie between 0.25 and 4, got {duration}.")
    times = np.asarray(frame_times, np.float64)
    if times.ndim != 1 or not np.isfinite(times).all() or (np.diff(times) < 0).any():
        raise ShapeError(f"expected rising frame times of shape (T,), got shape {times.shape}")
    if len(times) == 0:
        return np.zeros((0, len(EYE_REGION), 2), np.float32)
    positions = np.round((times - times[0]) * CORPUS_FRAME_RATE / duration, 6)  # 6.9999999 is frame 7
    frames = int(np.ceil(positions[-1])) + 2
    timeline = draw_timeline(generator, frames, seed, frequency * duration)
    shut = closing(timeline, generator.neutral_canonical.cpu().numpy())
    whole = int(positions[-1]) + 1  # frames of the timeline inside the clip
    timeline[:whole] = without_last_blink(timeline[:whole], shut[:whole])
    timeline[whole:] = timeline[whole - 1]
    motion = PchipInterpolator(np.arange(frames), timeline, axis=0)(positions)
    return (gain * motion).astype(np.float32)
