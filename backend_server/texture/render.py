"""Makes frames with alpha from any number of landmarks, with the network that was tuned for the face.

Pictures are made in small batches and returned at once, so a long clip needs no more memory than a short one.
Building a tuned network copies the whole network and the weights, so the last ones are kept: animating one person,
then another, then the first again builds only two.
"""

from __future__ import annotations

import copy
import hashlib
from collections import OrderedDict
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backend_server.identity import FaceReferences, Identity
from backend_server.progress import Progress, silent
from backend_server.texture.colours import are_grey, to_grey
from backend_server.texture.mouth_colours import load_mouth_colours, skin_colours
from backend_server.texture.synthesis import TextureGenerator, references_of
from shared.errors import ShapeError, WeightsError
from shared.landmarks import POINT_COUNT

# More is no faster on a CPU, and the first picture comes later. Halved when memory runs out.
FRAMES_PER_BATCH = {"cpu": 4, "cuda": 32}


def tuned_generator(generator: TextureGenerator, identity: Identity) -> TextureGenerator:
    """The generator with the identity's own weights; the generator itself when it has none.

    Raises:
        WeightsError: the identity was tuned from another network.
    """
    if not identity.weights:
        return generator
    tuned = copy.deepcopy(generator)
    own = tuned.state_dict()
    for name, weight in identity.weights.items():
        if name not in own or own[name].shape != weight.shape:
            raise WeightsError(
                "this identity was adapted with other texture weights than the installed ones; "
                "adapt it again from its images"
            )
        own[name].copy_(torch.from_numpy(np.asarray(weight, order="C")))
    return tuned


class TunedGenerators:
    """Keeps the tuned networks used last, and finds them by their weights.

    Args:
        limit: how many are kept; the one unused for longest is dropped.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[str, TextureGenerator] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def generator_for(self, initial: TextureGenerator, identity: Identity) -> TextureGenerator:
        """The network with the identity's weights in it.

        Raises:
            WeightsError: the identity was tuned from another network.
        """
        if not identity.weights:
            return initial
        key = _key(identity)
        tuned = self._kept.pop(key, None)
        if tuned is None:
            while len(self._kept) >= self._limit:
                self._kept.popitem(last=False)  # before the next is built, so that memory stays bounded
            tuned = tuned_generator(initial, identity)
        self._kept[key] = tuned
        return tuned


def to_bytes(pictures: Tensor, alpha: Tensor) -> NDArray[np.uint8]:
    """(N, 3, H, W) in [-1, 1] and (N, 1, H, W) in [0, 1] to u8 (N, H, W, 4), straight alpha."""
    rgba = torch.cat([pictures.add(1).div(2), alpha], 1).clamp(0, 1).mul(255).round()
    return rgba.to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def render(
    generator: TextureGenerator,
    references: FaceReferences,
    landmarks: NDArray[np.float32],
    progress: Progress = silent,
    *,
    is_cut_out: bool = True,
) -> Iterator[NDArray[np.uint8]]:
    """Pictures of a person with the given landmarks, in chunks as they are made; grey if all references are.

    Args:
        generator: tuned for the person.
        references: their pictures.
        landmarks: l_t, (T, 68, 2) pixels of the crop.
        progress: told after each chunk.
        is_cut_out: whether the background's colours are removed from the person's edge; not for pictures that go back
            into their photo.

    Yields:
        u8 (n, 256, 256, 4), RGB and straight alpha.

    Raises:
        ShapeError: the landmarks are not (T, 68, 2).
    """
    if landmarks.ndim != 3 or landmarks.shape[1:] != (POINT_COUNT, 2):
        raise ShapeError(f"expected landmarks of shape (T, 68, 2), got {landmarks.shape}")
    return _chunks(generator.eval(), references, landmarks, progress, is_cut_out)


def _chunks(
    generator: TextureGenerator,
    faces: FaceReferences,
    landmarks: NDArray[np.float32],
    progress: Progress,
    is_cut_out: bool,
) -> Iterator[NDArray[np.uint8]]:
    device = next(generator.parameters()).device
    references, is_grey = references_of(faces, device, is_cut_out=is_cut_out), are_grey(faces)
    mouths, skin = load_mouth_colours(), skin_colours(references.images[:, 0], references.landmarks[:, 0])[0]
    # Inference mode must not stay on in the caller's code between two chunks.
    with torch.inference_mode():
        code = generator.encode(references)
    progress("texture", 0, len(landmarks))
    start, size = 0, FRAMES_PER_BATCH.get(device.type, 1)
    while start < len(landmarks):
        points = torch.from_numpy(np.ascontiguousarray(landmarks[start : start + size])).to(device).float()
        n = len(points)
        try:
            with torch.inference_mode():
                made = generator(points, references.expand(n), code.expand(n))
                natural = mouths.natural(made.picture, made.mouth, skin)
                pictures = natural if made.edge is None else natural + made.edge
                chunk = to_bytes(to_grey(pictures) if is_grey else pictures, made.alpha)
        except torch.OutOfMemoryError:
            if size == 1:
                raise
            size //= 2
            continue
        yield chunk
        start += n
        progress("texture", start, len(landmarks))


def _key(identity: Identity) -> str:
    whole = hashlib.blake2b(digest_size=16)
    for name, weight in sorted(identity.weights.items()):
        whole.update(f"{name} {weight.shape} ".encode())
        whole.update(weight.tobytes())
    return whole.hexdigest()
