"""Defines what every texture generator takes and gives.

`TextureGenerator` is the interface of all presets: landmarks and reference pictures in, pictures out.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from backend_server.config import CROP_SIZE, TextureConfig
from backend_server.identity import FaceReferences
from backend_server.texture.colours import match_colours, to_pictures
from backend_server.texture.inner_mouth import MouthLight
from backend_server.texture.warping.following import Following
from shared.errors import ShapeError


@dataclass(frozen=True)
class References:
    """Pictures of the person to be shown, I^n, with their landmarks.

    Attributes:
        images: (N, R, 3, 256, 256) in [-1, 1]; the first of the R is the base that `warp` moves.
        landmarks: (N, R, 68, 2) pixels.
        mattes: how much of each pixel is the person, (N, R, 1, 256, 256) in [0, 1]; None for all of it.
        edge: added to the first image, removes the background at the person's edge, (N, 3, 256, 256); None for nothing.
    """

    images: Tensor
    landmarks: Tensor
    mattes: Tensor | None = None
    edge: Tensor | None = None

    def __post_init__(self) -> None:
        n, r = self.images.shape[:2]
        if self.images.shape != (n, r, 3, CROP_SIZE, CROP_SIZE) or self.landmarks.shape != (n, r, 68, 2):
            raise ShapeError(
                f"references need images (N, R, 3, 256, 256) and landmarks (N, R, 68, 2), "
                f"got {tuple(self.images.shape)} and {tuple(self.landmarks.shape)}"
            )

    def expand(self, count: int) -> References:
        """The same references of one person for `count` pictures; no copy."""

        def expanded(x: Tensor) -> Tensor:
            return x.expand(count, *[-1] * (x.ndim - 1))

        edge = None if self.edge is None else expanded(self.edge)
        return replace(self._each(expanded), edge=edge)

    def only(self, chosen: slice | list[int]) -> References:
        """Some of each person's references, the first among them if there is an edge."""
        return self._each(lambda x: x[:, chosen])

    def _each(self, change: Callable[[Tensor], Tensor]) -> References:
        mattes = None if self.mattes is None else change(self.mattes)
        return replace(self, images=change(self.images), landmarks=change(self.landmarks), mattes=mattes)


def references_of(faces: FaceReferences, device: torch.device | str, *, is_cut_out: bool) -> References:
    """One person's images as references, in the colours of the first.

    Args:
        faces: the images.
        device: of the tensors.
        is_cut_out: whether the first loses its background at the person's edge.
    """
    cover = torch.from_numpy(faces.mattes).to(device)[:, None].float() / 255
    pictures = match_colours(to_pictures(torch.from_numpy(faces.crops).to(device)), cover)
    edge = to_pictures(torch.from_numpy(faces.foreground[None]).to(device)) - pictures[:1] if is_cut_out else None
    return References(pictures[None], torch.from_numpy(faces.landmarks).to(device).float()[None], cover[None], edge)


@dataclass(frozen=True)
class Code:
    """What is known of N people before landmarks are given.

    Attributes:
        identity: e, (N, code_size).
        strangeness: how much each reference's surroundings differ from the first one's, (N, R).
        light: in which the first reference would show a mouth; None where none is drawn.
    """

    identity: Tensor
    strangeness: Tensor
    light: MouthLight | None = None

    def expand(self, count: int) -> Code:
        """The same code of one person for `count` pictures; no copy."""
        light = None if self.light is None else self.light.expand(count)
        return Code(self.identity.expand(count, -1), self.strangeness.expand(count, -1), light)


@dataclass(frozen=True)
class Synthesis:
    """What a generator made.

    Attributes:
        picture: I_t, (N, 3, 256, 256) in [-1, 1].
        painted: what the network painted before blending, same shape; the picture itself for `paper`.
        mask: share of the painting in the picture, (N, 1, 256, 256); ones for `paper`.
        warped: the moved references, (N, 3, 256, 256); zeros for `paper`.
        alpha: how much of each pixel is the person, (N, 1, 256, 256).
        mouth: share of each pixel that is the inside of a mouth and was not drawn by `inner_mouth`, (N, 1, 256, 256).
        edge: added to the picture, removes the background at the person's edge, (N, 3, 256, 256); None for nothing.
    """

    picture: Tensor
    painted: Tensor
    mask: Tensor
    warped: Tensor
    alpha: Tensor
    mouth: Tensor
    edge: Tensor | None = None


class TextureGenerator(nn.Module):
    """G_T = (E_I, E_L): the interface of all presets.

    Args:
        config: its preset names the subclass.
    """

    # Top, left and size of the square of the picture that the network changes; losses are taken there.
    window: tuple[int, int, int] = (0, 0, CROP_SIZE)
    # D_T as it was trained with this generator, for Eq. 9 and 10 in fine-tuning; not part of the generator's weights.
    judges: tuple[nn.Module, ...] = ()

    def __init__(self, config: TextureConfig) -> None:
        super().__init__()
        self.config = config
        self.following = Following()

    def in_window(self, x: Tensor) -> Tensor:
        """The part (..., size, size) of pictures (..., 256, 256) that the network changes."""
        top, left, size = self.window
        return x[..., top : top + size, left : left + size]

    @abstractmethod
    def encode(self, references: References) -> Code:
        """e = E_I(I^n), the mean over the references."""

    @abstractmethod
    def forward(self, landmarks: Tensor, references: References, code: Code | None = None) -> Synthesis:
        """Pictures of the person with the given landmarks.

        Args:
            landmarks: l_t, (N, 68, 2) pixels of the crop.
            references: pictures of the person.
            code: what `encode` gives; computed when None.
        """
