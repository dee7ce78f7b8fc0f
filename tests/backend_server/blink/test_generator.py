import pytest
import torch

from backend_server.blink.generator import KIND, BlinkGenerator, load_blink_generator
from backend_server.checkpoints import save_checkpoint
from backend_server.config import BlinkConfig
from backend_server.pca import fit_pca
from shared.errors import ShapeError, WeightsError


@pytest.fixture
def generator(neutral) -> BlinkGenerator:
    motion = torch.randn(60, 5, generator=torch.Generator().manual_seed(0)) @ torch.randn(5, 44)
    components = fit_pca(motion, variance=0.99)
    generator = BlinkGenerator(BlinkConfig(components=len(components.components)))
    generator.initialise(components, torch.from_numpy(neutral))
    assert torch.equal(generator.decoder.weight, components.components.T)
    assert torch.allclose(
        generator.decoder(components.encode(motion)), components.decode(components.encode(motion)), atol=1e-5
    )
    return generator.eval()


def test_shape_and_weights_survive_the_disk(generator, neutral, tmp_path):
    noise = torch.randn(3, 75, 10)
    save_checkpoint(tmp_path / "blink.safetensors", KIND, generator.config, generator.state_dict())
    loaded = load_blink_generator(tmp_path / "blink.safetensors")
    assert loaded(noise).shape == (3, 75, 22, 2)
    assert torch.equal(loaded(noise), generator(noise))
    assert torch.equal(loaded.neutral_canonical, torch.from_numpy(neutral))


def test_motion_depends_on_the_past_alone(generator):
    noise = torch.randn(1, 75, 10)
    other = noise.clone()
    other[:, 50:] = 0
    assert torch.allclose(generator(noise)[:, :50], generator(other)[:, :50], atol=1e-6)
    assert not torch.allclose(generator(noise)[:, 50:], generator(other)[:, 50:])


def test_wrong_noise_and_wrong_files_are_refused(generator, tmp_path):
    with pytest.raises(ShapeError, match=r"\(1, 75, 9\)"):
        generator(torch.zeros(1, 75, 9))
    with pytest.raises(WeightsError):
        load_blink_generator(tmp_path / "absent.safetensors")
