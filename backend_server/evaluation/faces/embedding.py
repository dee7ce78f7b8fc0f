"""A network that tells people apart, to judge whether a rendered face is the right one.

MobileFaceNet (Chen et al. 2018), a network for face recognition of a million parameters, trained with the ArcFace loss
(Deng et al. 2019). Its weights are not shipped: the user gives a checkpoint of the public PyTorch version
(Xiaoccer/MobileFaceNet_Pytorch, `068.ckpt`). Only figures of `evaluate` come from it.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from backend_server.checkpoints import read_torch_file
from shared.errors import WeightsError
from shared.landmarks import LEFT_EYE, RIGHT_EYE

WIDTH, HEIGHT = 96, 112  # pixels of the picture that enters
# Where the face has its eyes, tip of the nose and mouth corners in that picture (Liu et al. 2017), pixels.
_PLACES = np.array([(30.2946, 51.6963), (65.5318, 51.5014), (48.0252, 71.7366), (33.5493, 92.3655), (62.7299, 92.2041)])
# Expansion, channels, repetitions and first stride of each group of bottlenecks (Chen et al. 2018, Table 1).
_GROUPS = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))
_BATCH = 32


class _Bottleneck(nn.Module):
    """Widens by 1x1, filters each channel by 3x3, narrows by 1x1; adds its input where the sizes are the same."""

    def __init__(self, channels: int, out: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = channels * expansion
        self.conv = nn.Sequential(
            nn.Conv2d(channels, wide, 1, bias=False),
            nn.BatchNorm2d(wide),
            nn.PReLU(wide),
            nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False),
            nn.BatchNorm2d(wide),
            nn.PReLU(wide),
            nn.Conv2d(wide, out, 1, bias=False),
            nn.BatchNorm2d(out),
        )
        self.adds_input = stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, out, H / stride, W / stride)."""
        return x + self.conv(x) if self.adds_input else self.conv(x)


def _layer(convolution: nn.Conv2d, *, is_linear: bool = False) -> nn.Sequential:
    channels = convolution.out_channels
    parts: dict[str, nn.Module] = {"conv": convolution, "bn": nn.BatchNorm2d(channels)}
    return nn.Sequential(OrderedDict(parts if is_linear else parts | {"prelu": nn.PReLU(channels)}))


def mobile_face_net() -> nn.Sequential:
    """The network: RGB pictures (N, 3, 112, 96) in [-1, 1] to embeddings (N, 128); its parts have the public names."""
    blocks: list[nn.Module] = []
    channels = 64
    for expansion, out, count, stride in _GROUPS:
        for number in range(count):
            blocks.append(_Bottleneck(channels, out, 1 if number else stride, expansion))
            channels = out
    parts: dict[str, nn.Module] = {
        "conv1": _layer(nn.Conv2d(3, 64, 3, 2, 1, bias=False)),
        "dw_conv1": _layer(nn.Conv2d(64, 64, 3, 1, 1, groups=64, bias=False)),
        "blocks": nn.Sequential(*blocks),
        "conv2": _layer(nn.Conv2d(128, 512, 1, bias=False)),
        "linear7": _layer(nn.Conv2d(512, 512, (7, 6), groups=512, bias=False), is_linear=True),
        "linear1": _layer(nn.Conv2d(512, 128, 1, bias=False), is_linear=True),
        "flat": nn.Flatten(),
    }
    return nn.Sequential(OrderedDict(parts))


def aligned_face(picture: NDArray[np.uint8], landmarks: NDArray[np.floating]) -> NDArray[np.uint8]:
    """The face (112, 96, 3) of a u8 picture (H, W, 3), eyes, nose and mouth at fixed places.

    Args:
        picture: RGB.
        landmarks: (68, 2), its pixels.
    """
    points = np.stack([landmarks[RIGHT_EYE].mean(0), landmarks[LEFT_EYE].mean(0), *landmarks[[30, 48, 54]]])
    # The similarity of least squares: x' = a x - b y + c, y' = b x + a y + d.
    rows = [[(x, -y, 1, 0), (y, x, 0, 1)] for x, y in points]
    a, b, c, d = np.linalg.lstsq(np.reshape(rows, (-1, 4)), _PLACES.ravel(), rcond=None)[0]
    face = cv2.warpAffine(picture, np.array([[a, -b, c], [b, a, d]]), (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
    return np.asarray(face, np.uint8)


class MobileFaceEmbedding:
    """Embeddings of faces by MobileFaceNet.

    Args:
        network: what `mobile_face_net` makes, with weights.
    """

    def __init__(self, network: nn.Module) -> None:
        self._network = network.eval().requires_grad_(False)

    def __call__(self, pictures: NDArray[np.uint8], landmarks: NDArray[np.floating]) -> NDArray[np.float32]:
        """Embeddings (N, 128) of u8 pictures (N, H, W, 3) with landmarks (N, 68, 2), pixels."""
        if not len(pictures):
            return np.empty((0, 128), np.float32)
        faces = np.stack([aligned_face(*pair) for pair in zip(pictures, landmarks, strict=True)])
        x = (torch.from_numpy(faces).permute(0, 3, 1, 2).float() - 127.5) / 128
        with torch.inference_mode():
            return torch.cat([self._network(batch) for batch in x.split(_BATCH)]).numpy()


def load_embedding(path: Path) -> MobileFaceEmbedding:
    """Embedding by the weights of a checkpoint file.

    Raises:
        WeightsError: the file is missing, damaged, or of another network.
    """
    network = mobile_face_net()
    try:
        state = read_torch_file(path)
        network.load_state_dict(state.get("net_state_dict", state))
    except (WeightsError, RuntimeError, AttributeError, TypeError) as error:
        raise WeightsError(f"{path} holds no weights of MobileFaceNet that can be read.", detail=str(error)) from error
    return MobileFaceEmbedding(network)
