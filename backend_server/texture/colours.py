"""Turns images into input of a network, gives photos in different light the same colours, and keeps grey ones grey."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from backend_server.identity import FaceReferences

_GREY_LEVELS = 8  # by which the channels of a grey photo may differ where JPEG or a profile has rounded them
_COLOURED_SHARE = 0.002  # of the person's pixels; a photo with more of them that differ by more is not grey
LUMINANCE = (0.2126, 0.7152, 0.0722)  # of red, green and blue (ITU-R BT.709)


def to_pictures(images: Tensor) -> Tensor:
    """u8 (N, 256, 256, 3) to (N, 3, 256, 256) in [-1, 1]."""
    return images.permute(0, 3, 1, 2).float().div(127.5).sub(1).contiguous()


def match_colours(images: Tensor, mattes: Tensor) -> Tensor:
    """Gives every person (K, 3, H, W) the mean and the contrast of the first, channel by channel.

    Otherwise photos in different light would teach the network to change the light from frame to frame.
    """
    share = mattes / mattes.sum((2, 3), keepdim=True).clamp_min(1)
    mean = (images * share).sum((2, 3), keepdim=True)
    deviation = ((images - mean).square() * share).sum((2, 3), keepdim=True).sqrt().clamp_min(1e-3)
    gain = (deviation[:1] / deviation).clamp(0.5, 2)
    matched = ((images - mean) * gain + mean[:1]).clamp(-1, 1)
    return torch.cat([images[:1], matched[1:]])


def are_grey(faces: FaceReferences) -> bool:
    """Whether all of one person's images are grey where the person is."""
    person = faces.crops[faces.mattes > 127]
    pixels = person if len(person) else faces.crops.reshape(-1, 3)
    return bool((np.ptp(pixels, axis=1) > _GREY_LEVELS).mean() <= _COLOURED_SHARE)


def to_grey(pictures: Tensor) -> Tensor:
    """Pictures (N, 3, H, W) with the luminance of each pixel in all channels."""
    weights = pictures.new_tensor(LUMINANCE)[:, None, None]
    return (pictures * weights).sum(1, keepdim=True).expand_as(pictures)
