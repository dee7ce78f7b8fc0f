"""Makes the jobs that the fault runs repeat; the seed of a request says how it must turn out."""

from __future__ import annotations

import numpy as np

from shared.protocol import AdaptRequest, AnimateRequest, new_id

FRAME_COUNTS = (40, 64, 96, 150)  # 3 to 10 messages of pictures
VARIANT_COUNT = len(FRAME_COUNTS)
LONG_FRAME_COUNT = 64 * 16  # 64 messages: more than the queues between server and client hold
_SAMPLE_RATE = 16_000


def animation(variant: int, frame_count: int | None = None, seed: int | None = None) -> AnimateRequest:
    """A new request with the pictures of one variant; only its ID differs from call to call."""
    frames = FRAME_COUNTS[variant % VARIANT_COUNT] if frame_count is None else frame_count
    speech = np.sin(np.arange(_SAMPLE_RATE, dtype=np.float32) * np.float32(0.01 * (variant + 1)))
    return AnimateRequest(
        job=new_id(),
        seed=1000 + variant if seed is None else seed,
        sample_rate=_SAMPLE_RATE,
        speech=speech,
        frame_times=np.arange(frames) / 25,
        references=(np.full((8, 9, 3), variant, np.uint8),),
    )


def adaptation(variant: int, epochs: int = 2) -> AdaptRequest:
    """A new request for a face that depends on the variant."""
    images = tuple(np.full((6 + index, 8, 3), variant % 256, np.uint8) for index in range(1 + variant % 3))
    return AdaptRequest(job=new_id(), images=images, epochs=epochs, seed=variant)
