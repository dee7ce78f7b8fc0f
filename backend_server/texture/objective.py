"""How are the losses of Eq. 8 to 11 put together for a batch?

Pre-training, meta-learning and fine-tuning minimise the same sum; what differs is the weights that it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from backend_server.texture import losses
from backend_server.texture.augmentation import AugmentationStrength, move_pictures, move_points, random_change
from backend_server.texture.synthesis import References, Synthesis, TextureGenerator

# Pictures (N, 3, H, W) in [-1, 1] to the activations of a few layers.
FeatureNetwork = Callable[[Tensor], Sequence[Tensor]]
Forward = Callable[[Tensor, References], Synthesis]


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


def to_pictures(images: Tensor) -> Tensor:
    """u8 (N, 256, 256, 3) to (N, 3, 256, 256) in [-1, 1]."""
    return images.permute(0, 3, 1, 2).float().div(127.5).sub(1).contiguous()


def make_batch(
    references: Tensor,
    reference_landmarks: Tensor,
    targets: Tensor,
    target_landmarks: Tensor,
    strength: AugmentationStrength,
    generator: torch.Generator,
) -> Batch:
    """Pairs of pictures u8 (N, 256, 256, 3) and landmarks (N, 68, 2), each pair changed alike at random."""
    change = random_change(len(references), strength, generator)
    images = move_pictures(to_pictures(references), change)
    return Batch(
        References(images[:, None], move_points(reference_landmarks.float(), change)[:, None]),
        move_points(target_landmarks.float(), change),
        move_pictures(to_pictures(targets), change),
    )


@dataclass(frozen=True)
class Objective:
    """The parts of Eq. 11 for one batch, and their sum.

    Attributes:
        total: what is minimised.
        pixel: Eq. 8.
        adversarial: the generator's side of Eq. 9.
        perceptual: Eq. 10.
        synthesis: what was judged.
    """

    total: Tensor
    pixel: Tensor
    adversarial: Tensor
    perceptual: Tensor
    synthesis: Synthesis


def condition(generator: TextureGenerator, synthesis: Synthesis, references: References) -> Tensor:
    """The picture of the person that D_T sees beside the one it judges: the warped reference, or the reference."""
    is_warped = generator.config.preset == "warp"
    return generator.in_window(synthesis.warped if is_warped else references.images[:, 0])


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
        generator: whose config weighs the losses.
        batch: references, landmarks, targets.
        discriminator: D_T; None leaves Eq. 9 out.
        is_adversarial: whether D_T's score counts; its features do in any case.
        feature_networks: of Eq. 10; the discriminator's features stand in when there are none.
        forward: called in the generator's place, for weights other than its own.
    """
    config = generator.config
    top, left, size = generator.window
    synthesis = (forward or generator)(batch.landmarks, batch.references)
    ours, theirs = generator.in_window(synthesis.picture), generator.in_window(batch.targets)
    in_window = batch.landmarks - batch.landmarks.new_tensor([left, top])
    weights = losses.region_weights(in_window, size, config.mouth_weight, config.eye_weight)
    if batch.person is not None:
        weights = weights * generator.in_window(batch.person)
    pixel = losses.reconstruction_loss(ours, theirs, weights, norm=config.pixel_norm)

    adversarial = perceptual = torch.zeros_like(pixel)
    alphas = (config.alpha_1, config.alpha_2)[: len(feature_networks)]
    if feature_networks:
        features = [[network(picture) for network in feature_networks] for picture in (ours, theirs)]
        perceptual = losses.perceptual_loss(features[0], features[1], alphas, norm=config.pixel_norm)
    if discriminator is not None:
        reference = condition(generator, synthesis, batch.references)
        verdict = discriminator(ours, reference)
        adversarial = losses.adversarial_loss(verdict.score) if is_adversarial else adversarial
        if not feature_networks:
            real = discriminator(theirs, reference).features
            perceptual = losses.perceptual_loss([verdict.features], [real], [config.alpha_1], norm=config.pixel_norm)
    total = losses.texture_loss(
        pixel, adversarial, perceptual, config.lambda_pix, config.lambda_adv, config.lambda_feat
    )
    return Objective(total, pixel, adversarial, perceptual, synthesis)
