"""Keeps the inside of a rendered mouth in colours that mouths have.

The network has seen the mouths of twenty people; in other faces, dark or painted ones above all, it paints teeth that
are green. Real insides of mouths are redder than the person's skin where they are dark and hardly so where they are
bright, whatever the light. Between which bounds was measured on the training clips; colours beyond them are brought
back to the nearest bound, at the same luminance.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from backend_server.texture.colours import LUMINANCE
from backend_server.texture.warping.spline import sample
from shared.errors import WeightsError

SHIPPED = Path(__file__).with_name("mouth_colours.json")
_FORMAT = "speech_face.mouth_colours"
_SKIN = ((2, 31), (2, 41), (3, 48), (14, 35), (14, 46), (13, 54), (28, 28), (29, 29))  # skin lies between these
_SKIN_PIXELS = 5  # a side of the squares whose means count
_DARKEST = 1 / 255


@dataclass(frozen=True)
class MouthColours:
    """Between which colours the insides of mouths lie.

    Attributes:
        luminance: beside that of the skin, (B,), ascending.
        redness: least and most logarithm of red over green, less that of the skin, at these luminances, (2, B).
        blueness: the same of blue over green.
    """

    luminance: NDArray[np.float32]
    redness: NDArray[np.float32]
    blueness: NDArray[np.float32]

    def save(self, path: Path, source: str) -> None:
        """Writes them as JSON, with where they come from."""
        numbers = {name: np.round(value, 3).tolist() for name, value in asdict(self).items()}
        path.write_text(json.dumps({"format": _FORMAT, "source": source, **numbers}, indent=1) + "\n", "utf-8")

    def natural(self, pictures: Tensor, share: Tensor, skin: Tensor) -> Tensor:
        """Pictures (N, 3, H, W) in [-1, 1] whose colours lie between the bounds where `share` (N, 1, H, W) is 1.

        Args:
            pictures: of one person.
            share: how much of each pixel is the inside of a mouth.
            skin: of the person, as `skin_colours`, (3,).
        """
        rows, columns = (share[:, 0].amax(axes).nonzero() for axes in ((0, 2), (0, 1)))
        if len(rows) == 0:
            return pictures
        box = (..., slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
        result = pictures.clone()
        result[box] = pictures[box].lerp(2 * self._within(pictures[box].add(1).div(2), skin) - 1, share[box])
        return result

    def _within(self, colours: Tensor, skin: Tensor) -> Tensor:
        """Colours (N, 3, h, w) in [0, 1] between the bounds."""
        weights = colours.new_tensor(LUMINANCE)[:, None, None]
        luminance = (colours * weights).sum(1, keepdim=True).clamp_min(_DARKEST)
        beside = luminance / (skin * weights[:, 0, 0]).sum()
        red, green, blue = colours.clamp_min(_DARKEST).log().split(1, 1)
        red_of_skin, green_of_skin, blue_of_skin = skin.log()
        reddest, bluest = red_of_skin - green_of_skin, blue_of_skin - green_of_skin
        redness = self._bounded(red - green - reddest, beside, self.redness) + reddest
        blueness = self._bounded(blue - green - bluest, beside, self.blueness) + bluest
        shape = torch.cat([redness.exp(), torch.ones_like(redness), blueness.exp()], 1)
        return (shape * luminance / (shape * weights).sum(1, keepdim=True)).clamp(0, 1)

    def _bounded(self, values: Tensor, beside: Tensor, bounds: NDArray[np.float32]) -> Tensor:
        least, most = (self._read(row, beside) for row in bounds)
        return values.clamp(least, most)

    def _read(self, row: NDArray[np.float32], at: Tensor) -> Tensor:
        """A row of bounds (B,) read at luminances of any shape, between them linearly."""
        knots, values = at.new_tensor(self.luminance), at.new_tensor(row)
        right = torch.searchsorted(knots, at.contiguous()).clamp(1, len(knots) - 1)
        share = ((at - knots[right - 1]) / (knots[right] - knots[right - 1])).clamp(0, 1)
        return values[right - 1].lerp(values[right], share)


def load_mouth_colours(path: Path = SHIPPED) -> MouthColours:
    """What `MouthColours.save` wrote.

    Raises:
        WeightsError: the file is missing, damaged, or of another kind.
    """
    return _load(path, path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache(maxsize=4)
def _load(path: Path, _modified: int) -> MouthColours:
    try:
        kept = json.loads(path.read_text("utf-8"))
        if kept["format"] != _FORMAT:
            raise WeightsError(f"{path} does not hold the colours of mouths; give a file that `train mouth` wrote")
        luminance = np.array(kept["luminance"], np.float32)
        shape = (2, len(luminance))
        return MouthColours(luminance, *(np.array(kept[n], np.float32).reshape(shape) for n in ("redness", "blueness")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"cannot read the colours of mouths from {path}: {error}") from error


def skin_colours(images: Tensor, landmarks: Tensor) -> Tensor:
    """The colour of each person's skin, (N, 3) in (0, 1], of pictures (N, 3, 256, 256) in [-1, 1] and their landmarks.

    The median of squares between landmarks, so that a beard, a strand of hair or a highlight does not count.
    """
    first, second = (list(points) for points in zip(*_SKIN, strict=True))
    places = (landmarks[:, first] + landmarks[:, second]) / 2  # (N, S, 2)
    means = F.avg_pool2d(images, _SKIN_PIXELS, 1, _SKIN_PIXELS // 2, count_include_pad=False)
    found = sample(means, places.mT[..., None])[..., 0]  # (N, 3, S)
    return found.median(-1).values.add(1).div(2).clamp(_DARKEST, 1)
