"""Makes an animated face blink, over a clip of any length and frame rate.

The generator makes blocks of three seconds. They are joined where the eyes are open, a blink that the end of the clip
would cut is left out, and the joined motion is read at the frame times. Motion that was read is dropped, so an hour
needs no more memory beside the result than a minute, however few or many frames it has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import maximum_filter1d

from backend_server.blink.generator import BlinkGenerator
from backend_server.config import CORPUS_FRAME_RATE
from backend_server.metrics.blink import BlinkStatistics, blink_curves, blink_statistics
from backend_server.metrics.landmarks import eye_aspect_ratio
from shared.errors import ShapeError, ValueRangeError
from shared.landmarks import EYE_REGION
from shared.motion_controls import RANGES

OPEN_DROP = 0.15  # eyes count as open while the lid gap has lost less than this share
OVER_DROP = 0.08  # a blink begins and is over where the lid gap has lost less than this share
SHUT_DROP = 0.5  # a closing beyond it is a blink
MARGIN_FRAMES = 2  # kept open on either side of a seam or of the end
FADE_FRAMES = 3  # from the slow motion of open eyes to rest, before a blink that is left out
BLINK_MARGIN_FRAMES = 3  # added to a blink before it is noticed and after it is over
SHORTEST_CALM = 0.05  # of its length, to which the time between blinks is squeezed at most
BLOCKS = 16  # drawn at once
READ_FRAMES = 4096  # of the clip, read at once
REACH_FRAMES = 3  # of the timeline to either side of a frame of the clip, which its value depends on
BEYOND_FRAMES = 2  # of 1/25 s, by which a timeline goes on after the clip

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Stretch:
    """A part of a timeline of eye motion.

    Attributes:
        begins: of its frames after the first frame of the clip, (F,), ascending, in frames of 1/25 s.
        motion: (F, 22, 2), canonical units.
        until: motion before it can be read from this stretch, in frames of 1/25 s.
    """

    begins: NDArray[np.float64]
    motion: Array
    until: float


def closing(displacements: Array, neutral_canonical: Array) -> NDArray[np.floating]:
    """How far the eyes are closed, (...,): 0 as the neutral face, 1 shut.

    Args:
        displacements: of the eye region, (..., 22, 2), canonical units.
        neutral_canonical: (68, 2).
    """
    return 1 - blink_curves(displacements, neutral_canonical) / eye_aspect_ratio(neutral_canonical)


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
    lowered = shut > OVER_DROP
    if not lowered[-MARGIN_FRAMES:].any():
        return motion
    end = int(np.flatnonzero(lowered)[-1])
    before = np.flatnonzero(~lowered[:end])
    begin = int(before[-1]) if len(before) else 0  # the last frame in which the lids had not begun to fall
    if shut[begin:].max() < OPEN_DROP:
        return motion  # a squint
    fade = np.clip((begin - np.arange(len(motion))) / FADE_FRAMES, 0, 1).astype(np.float32)
    return motion * fade[:, None, None]


def blink_count(shut: NDArray[np.floating]) -> int:
    """How many times the eyes shut in closings (T,)."""
    return int((np.diff((shut > SHUT_DROP).astype(np.int8), prepend=0) > 0).sum())


def spread(counts: list[int]) -> list[int]:
    """Orders blocks so that a face never stares, given the number of blinks in each.

    A block with one blink comes first, so that a short clip has one too, and no two blocks without any come together
    where possible. Every block stays in, so the rate of blinks over a long clip is the generator's.

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
def draw_pieces(generator: BlinkGenerator, noise_source: torch.Generator) -> list[Array]:
    """About 45 seconds of eye motion at 25 frames/s: pieces (F, 22, 2) that begin and end with open eyes at rest."""
    config, device = generator.config, next(generator.parameters()).device
    neutral = generator.neutral_canonical.cpu().numpy()
    noise = torch.randn(BLOCKS, config.frames, config.noise_size, generator=noise_source)
    blocks = generator(noise.to(device)).float().cpu().numpy()
    spans = [open_span(shut) for shut in closing(blocks, neutral)]
    pieces = [anchored(block[span]) for block, span in zip(blocks, spans, strict=True)]
    shut = np.split(closing(np.concatenate(pieces), neutral), np.cumsum([len(piece) for piece in pieces])[:-1])
    ordered = [pieces[number] for number in spread([blink_count(one) for one in shut])]
    if not any(len(piece) for piece in ordered):  # the eyes never open: rest
        return [np.zeros((config.frames, len(EYE_REGION), 2), np.float32)]
    return ordered


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


def drawn_statistics(generator: BlinkGenerator, timelines: int, seed: int) -> BlinkStatistics:
    """Blinking in so many timelines of 45 seconds, before any control of frequency and duration."""
    noise_source = torch.Generator().manual_seed(seed)
    neutral = generator.neutral_canonical.cpu().numpy()
    drawn = [np.concatenate(draw_pieces(generator, noise_source)) for _ in range(timelines)]
    return blink_statistics([blink_curves(timeline, neutral) for timeline in drawn], CORPUS_FRAME_RATE)


def read_at(begins: NDArray[np.float64], timeline: Array, positions: NDArray[np.float64]) -> Array:
    """A timeline (F, 22, 2) whose frames begin at `begins` (F,), read smoothly at rising positions (T,).

    Between two frames the curve depends on one more to either side (Fritsch & Butland 1984), so an hour of it is made
    in pieces and is the same.
    """
    motion = np.empty((len(positions), *timeline.shape[1:]), np.float32)
    for first in range(0, len(positions), READ_FRAMES):
        wanted = positions[first : first + READ_FRAMES]
        begin, end = np.searchsorted(begins, wanted[[0, -1]], side="right")
        near = slice(max(begin - REACH_FRAMES, 0), end + REACH_FRAMES - 1)
        motion[first : first + len(wanted)] = PchipInterpolator(begins[near], timeline[near], axis=0)(wanted)
    return motion


def settled_count(begins: NDArray[np.float64], shut: NDArray[np.floating], end: float) -> int:
    """How many first frames of a timeline stay as they are, whichever blink the end of the clip cuts.

    Args:
        begins: of its frames, (F,), ascending, in frames of 1/25 s.
        shut: closings, (F,).
        end: of its last frame; the clip ends at most `BEYOND_FRAMES` before, or later.
    """
    sure = int(np.searchsorted(begins, end - BEYOND_FRAMES)) - MARGIN_FRAMES  # frames with the end of the clip behind
    lifted = np.flatnonzero(shut[: max(sure, 0)] <= OVER_DROP)  # after one of them begins the last blink
    return max(int(lifted[-1]) - FADE_FRAMES, 0) if len(lifted) else 0


def stretches(
    generator: BlinkGenerator, noise_source: torch.Generator, frequency: float, duration: float, last: float
) -> Iterator[Stretch]:
    """A timeline as it is drawn, in stretches that overlap, each to be read from where the one before ended.

    Args:
        generator: G_B.
        noise_source: of the blinks.
        frequency: as in `frame_lengths`.
        duration: as in `frame_lengths`.
        last: place of the clip's last frame after its first, in frames of 1/25 s.
    """
    neutral = generator.neutral_canonical.cpu().numpy()
    begins, motion, end = np.zeros(0), np.zeros((0, len(EYE_REGION), 2), np.float32), 0.0
    while True:
        drawn = np.concatenate(draw_pieces(generator, noise_source))
        ends = np.cumsum(np.append(end, frame_lengths(closing(drawn, neutral), frequency, duration)))
        begins, motion, end = np.append(begins, ends[:-1]), np.concatenate([motion, drawn]), float(ends[-1])
        if end >= last + BEYOND_FRAMES:
            break
        settled = settled_count(begins, closing(motion, neutral), end)
        readable = max(settled - REACH_FRAMES, 0)
        yield Stretch(begins, motion, float(begins[readable]))
        kept = max(readable - REACH_FRAMES, 0)
        begins, motion = begins[kept:], motion[kept:]
    whole = int(np.searchsorted(begins, last, side="right"))  # frames that begin within the clip
    begins, motion = begins[: whole + 1], motion[: whole + 1]
    motion[:whole] = without_last_blink(motion[:whole], closing(motion[:whole], neutral))
    motion[whole:] = motion[whole - 1]
    yield Stretch(begins, motion, np.inf)


def _check(times: NDArray[np.float64], frequency: float, duration: float) -> None:
    if times.ndim != 1 or not np.isfinite(times).all() or (np.diff(times) < 0).any():
        raise ShapeError(f"expected rising frame times of shape (T,), got shape {times.shape}")
    for name, value in (("frequency", frequency), ("duration", duration)):
        least, most = RANGES[f"blink_{name}"]
        if not least <= value <= most:
            raise ValueRangeError(f"The blink {name} must lie between {least:g} and {most:g}, got {value}.")


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
    of three seconds nearly always has one, a shorter one may have none.

    Args:
        generator: G_B.
        frame_times: (T,), seconds, not falling.
        seed: chooses the blinks.
        gain: multiplies them; 1 closes the eyes, 0 keeps them still.
        frequency: how many times as often as usual (0.33 a second) eyes blink, within
            `RANGES["blink_frequency"]`; less often where blinks are so long that there is no time for more.
        duration: how many times as long as usual (0.34 s) a blink takes, within `RANGES["blink_duration"]`.

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
    config = generator.config
    frequency *= config.usual_per_second / config.drawn_per_second
    duration *= config.usual_seconds / config.drawn_seconds
    displacements = np.empty((len(times), len(EYE_REGION), 2), np.float32)
    done = 0
    for stretch in stretches(generator, torch.Generator().manual_seed(seed), frequency, duration, positions[-1]):
        end = int(np.searchsorted(positions, stretch.until))
        displacements[done:end] = read_at(stretch.begins, stretch.motion, positions[done:end])
        done = end
    displacements *= gain
    return displacements
