"""Combines the losses of Eq. 8 to 11 for a batch.

Pre-training, meta-learning and fine-tuning minimise the same sum, each for other weights of the network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from backend_server.texture.colours import to_pictures
from backend_server.texture.learning import losses
from backend_server.texture.learning.augmentation import (
    AugmentationStrength,
    move_pictures,
    move_points,
    random_change,
    with_turns,
)
from backend_server.texture.learning.episodes import Pairs
from backend_server.texture.synthesis import References, Synthesis, TextureGenerator

Forward = Callable[[Tensor, References], Synthesis]


@dataclass(frozen=True)
class FeatureNetwork:
    """A network of Eq. 10.

    Attributes:
        name: for logs and messages.
        features: pictures (N, 3, H, W) in [-1, 1] to the activations of a few layers.
        alpha: its weight.
    """

    name: str
    features: Callable[[Tensor], Sequence[Tensor]]
    alpha: float


@dataclass(frozen=True)
class Batch:
    """What one step learns from.

    Attributes:
        references: of N people or expressions.
        landmarks: of the targets, (N, 68, 2) pixels.
        targets: I_t^*, (N, 3, 256, 256) in [-1, 1].
        person: share of each pixel that counts, (N, 1, 256, 256), or None for all alike.
    """

    references: References
    landmarks: Tensor
    targets: Tensor
    person: Tensor | None = None


def make_batch(
    pairs: Pairs,
    strength: AugmentationStrength,
    other_photo_share: float,
    generator: torch.Generator,
    device: str,
    turned_share: float = 0.0,
) -> Batch:
    """Pairs as tensors, each with its references changed alike at random.

    Args:
        pairs: of any people.
        strength: of the change.
        other_photo_share: share of the references after the first that get their own place and colours.
        generator: draws the changes.
        device: of the tensors.
        turned_share: share of the pictures whose head is turned in space, each by its own angles.
    """
    count, each = pairs.references.shape[:2]

    def tensor(array: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(device)

    change = random_change(count, strength, generator)
    of_references = change.repeated(each)
    if each > 1:
        is_other = torch.rand(count * each, generator=generator) < other_photo_share
        is_other[::each] = False
        other = random_change(count * each, strength, generator)
        of_references = of_references.mixed(other, is_other, ("matrix", "offset", "gains", "gammas", "saturation"))
    if turned_share:
        own = torch.from_numpy(pairs.reference_landmarks).flatten(0, 1)
        of_references = with_turns(of_references, own, turned_share, strength, generator)
        change = with_turns(change, torch.from_numpy(pairs.target_landmarks), turned_share, strength, generator)
    change, of_references = change.to(device), of_references.to(device)
    images = move_pictures(to_pictures(tensor(pairs.references).flatten(0, 1)), of_references)
    points = move_points(tensor(pairs.reference_landmarks).float().flatten(0, 1), of_references)
    return Batch(
        References(images.unflatten(0, (count, each)), points.unflatten(0, (count, each))),
        move_points(tensor(pairs.target_landmarks).float(), change),
        move_pictures(to_pictures(tensor(pairs.targets)), change),
    )


@dataclass(frozen=True)
class Objective:
    """The parts of Eq. 11 for one batch, and their sum.

    Attributes:
        total: what is minimised.
        pixel: Eq. 8.
        adversarial: the generator's side of Eq. 9.
        perceptual: Eq. 10.
        sharpness: how much the amount of detail differs from the targets.
        synthesis: what was judged.
    """

    total: Tensor
    pixel: Tensor
    adversarial: Tensor
    perceptual: Tensor
    sharpness: Tensor
    synthesis: Synthesis


def condition(generator: TextureGenerator, synthesis: Synthesis, references: References) -> Tensor:
    """The picture of the person that D_T sees beside the one it judges: the warped reference, or the reference."""
    is_warped = generator.config.preset == "warp"
    return generator.in_window(synthesis.warped.detach() if is_warped else references.images[:, 0])


def region_weights(generator: TextureGenerator, landmarks: Tensor) -> Tensor:
    """How much each pixel of the generator's window counts, (N, 1, size, size) of targets' landmarks (N, 68, 2)."""
    top, left, size = generator.window
    config, in_window = generator.config, landmarks - landmarks.new_tensor([left, top])
    return losses.region_weights(in_window, size, config.mouth_weight, config.eye_weight)


def generator_objective(
    generator: TextureGenerator,
    batch: Batch,
    *,
    discriminator: nn.Module | None = None,
    is_adversarial: bool = True,
    feature_networks: Sequence[FeatureNetwork] = (),
    forward: Forward | None = None,
) -> Objective:
    """Eq. 11 of one batch.

    Args:
        generator: its config weights the losses.
        batch: references, landmarks, targets.
        discriminator: D_T; None leaves Eq. 9 out.
        is_adversarial: whether D_T's score counts; its features do in any case.
        feature_networks: of Eq. 10; the discriminator's features are used when there are none.
        forward: called instead of the generator, for weights other than its own.
    """
    config = generator.config
    synthesis = (forward or generator)(batch.landmarks, batch.references)
    ours, theirs = generator.in_window(synthesis.picture), generator.in_window(batch.targets)
    regions = weights = region_weights(generator, batch.landmarks)
    if batch.person is not None:
        weights = weights * generator.in_window(batch.person)
    pixel = losses.reconstruction_loss(ours, theirs, weights, norm=config.pixel_norm)

    adversarial = perceptual = torch.zeros_like(pixel)
    if feature_networks:
        alphas = [network.alpha for network in feature_networks]
        features = [[network.features(picture) for network in feature_networks] for picture in (ours, theirs)]
        perceptual = losses.perceptual_loss(features[0], features[1], alphas, norm=config.pixel_norm, weights=regions)
    if discriminator is not None:
        reference = condition(generator, synthesis, batch.references)
        verdict = discriminator(ours, reference)
        adversarial = losses.adversarial_loss(verdict.score, regions) if is_adversarial else adversarial
        if not feature_networks:
            real = discriminator(theirs, reference).features
            perceptual = losses.perceptual_loss(
                [verdict.features], [real], [config.alpha_1], norm=config.pixel_norm, weights=regions
            )
    sharpness = losses.sharpness_loss(ours, theirs) if config.lambda_sharp else torch.zeros_like(pixel)
    total = config.lambda_sharp * sharpness + losses.texture_loss(
        pixel, adversarial, perceptual, config.lambda_pix, config.lambda_adv, config.lambda_feat
    )
    return Objective(total, pixel, adversarial, perceptual, sharpness, synthesis)
