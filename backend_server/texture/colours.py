"""How do images become the pictures that a network sees, and photos of other light look alike?"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backend_server.texture.synthesis import References


def to_pictures(images: Tensor) -> Tensor:
    """u8 (N, 256, 256, 3) to (N, 3, 256, 256) in [-1, 1]."""
    return images.permute(0, 3, 1, 2).float().div(127.5).sub(1).contiguous()


def references_of(
    crops: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    mattes: NDArray[np.uint8],
    device: torch.device | str,
    foreground: NDArray[np.uint8] | None = None,
) -> References:
    """One person's images as references, in the colours of the first.

    Args:
        crops: (R, 256, 256, 3) RGB.
        landmarks: (R, 68, 2) pixels.
        mattes: (R, 256, 256), 255 where the person is.
        device: of the tensors.
        foreground: (256, 256, 3), the first crop without background at the person's edge; None for the crop itself.
    """
    cover = torch.from_numpy(mattes).to(device)[:, None].float() / 255
    pictures = match_colours(to_pictures(torch.from_numpy(crops).to(device)), cover)
    edge = None
    if foreground is not None:
        edge = to_pictures(torch.from_numpy(foreground[None]).to(device)) - pictures[:1]
    return References(pictures[None], torch.from_numpy(landmarks).to(device).float()[None], cover[None], edge)


def match_colours(images: Tensor, mattes: Tensor) -> Tensor:
    """Gives every person (K, 3, H, W) the mean and the contrast of the first, channel by channel.

    Photos of other light would otherwise teach the network to change the light from frame to frame.
    """
    share = mattes / mattes.sum((2, 3), keepdim=True).clamp_min(1)
    mean = (images * share).sum((2, 3), keepdim=True)
    deviation = ((images - mean).square() * share).sum((2, 3), keepdim=True).sqrt().clamp_min(1e-3)
    gain = (deviation[:1] / deviation).clamp(0.5, 2)
    matched = ((images - mean) * gain + mean[:1]).clamp(-1, 1)
    return torch.cat([images[:1], matched[1:]])
