"""Judges a picture by its features in networks trained for something else (Eq. 10).

They are VGG19 (Simonyan & Zisserman 2015) and VGGFace, which is VGG16 trained on faces (Parkhi et al. 2015). Their
weights are not shipped: `train texture --vgg19 FILE --vggface FILE` takes state-dict files, in torchvision's names
(`features.0.weight`) or any other, as long as the convolutions are in order. Without them the discriminator's features
are used.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from backend_server.checkpoints import read_torch_file
from shared.errors import WeightsError

_POOL = 0  # in place of a channel count: halve the picture
_READ_AFTER = 2  # the second convolution of a stage, or its only one


@dataclass(frozen=True)
class _Layout:
    """A VGG network: channels of its convolutions in order, and how pictures enter it."""

    name: str
    layers: tuple[int, ...]
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    is_blue_first: bool


# Pictures in [0, 1], normalised as torchvision's networks were trained.
VGG19 = _Layout(
    "VGG19",
    (64, 64, _POOL, 128, 128, _POOL, 256, 256, 256, 256, _POOL, 512, 512, 512, 512, _POOL, 512, 512, 512, 512),
    (0.485, 0.456, 0.406),
    (0.229, 0.224, 0.225),
    is_blue_first=False,
)
# Pictures in [0, 255], blue first, less the mean face colour.
VGGFACE = _Layout(
    "VGGFace",
    (64, 64, _POOL, 128, 128, _POOL, 256, 256, 256, _POOL, 512, 512, 512, _POOL, 512, 512, 512),
    (93.5940 / 255, 104.7624 / 255, 129.1863 / 255),
    (1 / 255, 1 / 255, 1 / 255),
    is_blue_first=True,
)


class VggFeatures(nn.Module):
    """Activations of a VGG network after an early convolution of each stage.

    Args:
        layout: `VGG19` or `VGGFACE`.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, layout: _Layout) -> None:
        super().__init__()
        self.layout = layout
        self.convolutions = nn.ModuleList()
        channels = 3
        for width in layout.layers:
            if width != _POOL:
                self.convolutions.append(nn.Conv2d(channels, width, 3, padding=1))
                channels = width
        self.pool = nn.MaxPool2d(2)
        self.register_buffer("mean", torch.tensor(layout.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(layout.deviation).view(1, 3, 1, 1), persistent=False)

    def forward(self, picture: Tensor) -> list[Tensor]:
        """Pictures (N, 3, H, W) in [-1, 1] to activations, one per stage."""
        x = (picture + 1) / 2
        x = x.flip(1) if self.layout.is_blue_first else x
        x = (x - self.mean) / self.deviation
        features: list[Tensor] = []
        convolutions = iter(self.convolutions)
        in_stage = 0
        for width in self.layout.layers:
            if width == _POOL:
                x, in_stage = self.pool(x), 0
                continue
            x = next(convolutions)(x).relu()
            in_stage += 1
            if in_stage == _READ_AFTER:
                features.append(x)
        return features


def _read_state(path: Path, layout: _Layout) -> dict[str, Tensor]:
    try:
        state = load_file(path) if path.suffix == ".safetensors" else read_torch_file(path)
    except (OSError, SafetensorError, WeightsError) as error:
        raise WeightsError(f"no weights of {layout.name}: {error}") from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    named = state.items() if isinstance(state, dict) else ()
    return {str(name): tensor for name, tensor in named if isinstance(tensor, Tensor)}


def load_features(path: Path, layout: _Layout, device: str = "cpu") -> VggFeatures:
    """A frozen feature network from a state-dict file (.pth, or safetensors).

    Raises:
        WeightsError: the file is missing, damaged, or of another network.
    """
    network = VggFeatures(layout)
    state = _read_state(path, layout)
    kernels = [name for name, tensor in state.items() if tensor.ndim == 4]
    if len(kernels) < len(network.convolutions):
        raise WeightsError(f"{path} holds {len(kernels)} convolutions, {layout.name} needs {len(network.convolutions)}")
    convolutions = list(network.convolutions.parameters())
    wanted = [end for name in kernels for end in (name, name.removesuffix("weight") + "bias")][: len(convolutions)]
    given = [state[name] for name in wanted if name in state]
    if [t.shape for t in given] != [p.shape for p in convolutions]:
        raise WeightsError(f"the convolutions in {path} have other sizes than those of {layout.name}")
    with torch.no_grad():
        for parameter, tensor in zip(convolutions, given, strict=True):
            parameter.copy_(tensor)
    return network.to(device).eval().requires_grad_(False)
