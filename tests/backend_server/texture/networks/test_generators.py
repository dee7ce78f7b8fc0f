from dataclasses import replace

import pytest
import torch
from torch import nn

from backend_server.config import PAPER_TEXTURE, TextureConfig
from backend_server.layers import AdaptiveInstanceNorm, SelfAttention
from backend_server.texture.learning.objective import Batch, condition, generator_objective
from backend_server.texture.networks.discriminator import build_discriminator
from backend_server.texture.networks.presets import build_generator, load_texture_generator, save_texture_generator
from backend_server.texture.synthesis import References
from shared.errors import ShapeError, ValueRangeError, WeightsError


@pytest.fixture
def batch(face_landmarks):
    def make(references=1):
        random = torch.Generator().manual_seed(0)
        images = torch.rand(2, references, 3, 256, 256, generator=random) * 2 - 1
        rest = torch.from_numpy(face_landmarks(mouth=1)).expand(2, references, -1, -1)
        wide = torch.from_numpy(face_landmarks(mouth=14)).expand(2, -1, -1)
        targets = torch.rand(2, 3, 256, 256, generator=random) * 2 - 1
        return Batch(References(images, rest), wide, targets)

    return make


@pytest.mark.parametrize("preset", ["warp", "paper"])
def test_a_generator_takes_any_count_of_references_and_trains(preset, small_configs, batch):
    torch.manual_seed(0)
    config = small_configs[preset]
    generator, discriminator = build_generator(config), build_discriminator(config)
    data = batch(references=2)
    assert generator.encode(data.references).identity.shape == (2, config.code_size)
    objective = generator_objective(generator, data, discriminator=discriminator)
    made = objective.synthesis
    assert made.picture.shape == made.painted.shape == made.warped.shape == (2, 3, 256, 256)
    assert made.mask.shape == (2, 1, 256, 256) and made.alpha.shape == (2, 1, 256, 256)
    assert made.mask.min() >= 0 and made.mask.max() <= 1

    objective.total.backward()
    without = [name for name, p in generator.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    assert not without
    torch.optim.SGD(generator.parameters(), 1e-3).step()
    reference = condition(generator, made, data.references)
    assert discriminator(generator.in_window(data.targets), reference).score.shape[:2] == (2, 1)


def test_more_steps_on_one_batch_lower_its_loss(small_configs, batch):
    torch.manual_seed(0)
    generator, data = build_generator(small_configs["warp"]), batch()
    optimiser = torch.optim.Adam(generator.parameters(), 5e-3)
    losses = []
    for _ in range(4):
        loss = generator_objective(generator, data).total
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]


def test_warp_leaves_the_picture_outside_its_window_to_the_warp(small_configs, batch):
    torch.manual_seed(0)
    generator, data = build_generator(small_configs["warp"]), batch()
    made = generator(data.landmarks, data.references)
    top, left, size = generator.window
    inside = torch.zeros(256, 256, dtype=torch.bool)
    inside[top : top + size, left : left + size] = True
    assert torch.equal(made.picture[..., ~inside], made.warped[..., ~inside])
    assert not torch.equal(made.picture[..., inside], made.warped[..., inside])


@pytest.mark.parametrize("has_mask_prior", [True, False])
@pytest.mark.parametrize("place", [(186, 128), (96, 89)])  # between the lips, in an eye
def test_the_mask_begins_where_a_mouth_opens_and_lids_shut(has_mask_prior, place, small_configs, batch, face_landmarks):
    torch.manual_seed(0)
    data, generator = batch(), build_generator(replace(small_configs["warp"], has_mask_prior=has_mask_prior))
    changed = torch.from_numpy(face_landmarks(mouth=14, lids=1)).expand(2, -1, -1)
    mask = generator(changed, data.references).mask[0, 0]
    assert (mask[place] > mask[120, 60] + 0.15) == has_mask_prior  # more than on a cheek
    kept = generator(data.references.landmarks[:, 0], data.references).mask[0, 0]
    assert abs(kept[place] - kept[120, 60]) < 0.1


def test_paper_has_the_layers_of_section_4_3(small_configs):
    assert len(PAPER_TEXTURE.channels) == len(PAPER_TEXTURE.encoder_channels) == 6
    assert len(PAPER_TEXTURE.discriminator_channels) == 6
    generator = build_generator(small_configs["paper"])
    sizes = []
    for module in generator.modules():
        if isinstance(module, SelfAttention):
            module.register_forward_hook(lambda _m, _i, out: sizes.append(out.shape[-1]))
    generator.autoencoder(torch.zeros(1, 3, 256, 256), torch.zeros(1, 6))
    assert sizes == [32, 32]  # once on the way down, once on the way up
    bare = [m for m in generator.modules() if isinstance(m, nn.Conv2d) and not hasattr(m, "parametrizations")]
    assert not bare  # spectral normalisation everywhere


def test_adaptive_norm_sets_mean_and_deviation_by_the_code():
    norm = AdaptiveInstanceNorm(1, 1)
    with torch.no_grad():
        norm.affine.weight.copy_(torch.tensor([[2.0], [5.0]]))
    out = norm(torch.tensor([1.0, 3.0]).view(1, 1, 1, 2), torch.tensor([[1.0]]))
    # normalised to -1 and 1, times 1 + 2, plus 5
    assert out.flatten().tolist() == pytest.approx([2.0, 8.0], abs=1e-3)


def test_self_attention_is_an_identity_at_the_start():
    x = torch.rand(1, 8, 4, 4)
    assert torch.equal(SelfAttention(8)(x), x)


def test_weights_survive_the_disk_with_their_discriminator(tmp_path, small_configs, batch):
    torch.manual_seed(0)
    generator = build_generator(small_configs["warp"]).eval()
    generator.judges = (build_discriminator(small_configs["warp"]),)
    save_texture_generator(tmp_path / "texture.safetensors", generator)
    loaded = load_texture_generator(tmp_path / "texture.safetensors")
    data = batch()
    with torch.no_grad():
        ours, theirs = (g(data.landmarks, data.references).picture for g in (generator, loaded))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0.01)  # half floats
    assert len(loaded.judges) == 1 and not any(name.startswith("judge") for name in loaded.state_dict())


def test_bad_weights_presets_and_references_are_named(tmp_path):
    with pytest.raises(WeightsError, match=r"nothing\.safetensors"):
        load_texture_generator(tmp_path / "nothing.safetensors")
    with pytest.raises(ValueRangeError, match="'oil'"):
        build_generator(TextureConfig(preset="oil"))
    with pytest.raises(ShapeError, match="128"):
        References(torch.zeros(1, 1, 3, 128, 128), torch.zeros(1, 1, 68, 2))
