import re
from dataclasses import replace

import pytest
import torch

from backend_server.checkpoints import save_checkpoint
from backend_server.config import PAPER_MOTION
from backend_server.motion.discriminator import MotionDiscriminator
from backend_server.motion.generator import KIND, MotionGenerator, WindowConvolutions, load_motion_generator
from backend_server.pca import PrincipalComponents, fit_pca
from shared.errors import ShapeError, WeightsError


@pytest.fixture
def displacements() -> torch.Tensor:
    draw = torch.Generator().manual_seed(0)
    return 0.1 * torch.randn(80, 40, generator=draw) @ torch.randn(40, 136, generator=draw) + 0.3


@pytest.fixture
def components(displacements) -> PrincipalComponents:
    return fit_pca(displacements, 33)


@pytest.fixture
def features() -> torch.Tensor:
    return 4 * torch.randn(50, 29, generator=torch.Generator().manual_seed(1)) - 3


@pytest.fixture
def neutral() -> torch.Tensor:
    return torch.randn(68, 2, generator=torch.Generator().manual_seed(2))


def test_the_decoder_starts_as_the_principal_components(components, displacements, features, neutral):
    generator = MotionGenerator(PAPER_MOTION)
    generator.initialise(components, neutral, features)
    decoded = generator.decoder(components.encode(displacements))
    assert torch.allclose(decoded, components.decode(components.encode(displacements)), atol=1e-4)
    assert torch.equal(generator.neutral_canonical, neutral)


def test_the_discriminator_starts_by_reencoding_landmarks(components, displacements, neutral):
    config = PAPER_MOTION
    discriminator = MotionDiscriminator(config)
    discriminator.initialise(components, neutral)
    landmarks = neutral + displacements.unflatten(1, (68, 2))
    coefficients = discriminator.encoder(landmarks.flatten(1) / config.judged_unit)
    assert torch.allclose(coefficients * config.judged_unit, components.encode(displacements), atol=1e-3)
    assert discriminator(landmarks.unflatten(0, (8, 10))).shape == (8, 10)


def test_features_are_standardised(components, features, neutral):
    generator = MotionGenerator(PAPER_MOTION)
    generator.initialise(components, neutral, features)
    standard = (features - generator.feature_mean) / generator.feature_scale
    assert torch.allclose(standard.mean(0), torch.zeros(29), atol=1e-4)
    assert torch.allclose(standard.std(0), torch.ones(29), atol=1e-3)
    assert generator(features[None]).shape == (1, 50 - generator.before - generator.after, 68, 2)


def test_too_few_features_and_features_of_another_width_are_refused():
    generator = MotionGenerator(PAPER_MOTION)
    least = generator.before + 1 + generator.after
    assert generator(torch.zeros(2, least, 29)).shape == (2, 1, 68, 2)
    for shape in ((2, least - 1, 29), (2, least, 28), (least, 29)):
        with pytest.raises(ShapeError, match=re.escape(str(shape))):
            generator(torch.zeros(shape))


def test_windows_are_six_samples_33_ms_apart_centred_on_the_feature():
    convolutions = WindowConvolutions(replace(PAPER_MOTION, channels=1, features_per_second=50.0))
    seconds = torch.arange(30.0)[None, :, None] / 50.0
    windows = convolutions.windows(seconds)[0, :, :, 0]
    assert windows.shape == (30 - convolutions.before - convolutions.after, 6)
    middle = seconds[0, convolutions.before : convolutions.before + len(windows)]
    expected = middle + torch.tensor([-0.0825, -0.0495, -0.0165, 0.0165, 0.0495, 0.0825])
    torch.testing.assert_close(windows, expected, atol=1e-6, rtol=1e-5)


def test_a_window_of_an_odd_number_of_samples_has_one_on_the_feature():
    convolutions = WindowConvolutions(replace(PAPER_MOTION, channels=1, context=3, features_per_second=1 / 0.033))
    features = torch.randn(1, 9, 1)
    assert (convolutions.before, convolutions.after) == (1, 2)
    torch.testing.assert_close(convolutions.windows(features)[0, :, 1], features[0, 1:-2])


def test_weights_come_back_from_disk(tmp_path, components, features, neutral):
    config = replace(PAPER_MOTION, encoder_channels=(8, 8, 8), hidden_size=16)
    generator = MotionGenerator(config)
    generator.initialise(components, neutral, features)
    save_checkpoint(tmp_path / "motion.safetensors", KIND, config, generator.state_dict())
    loaded = load_motion_generator(tmp_path / "motion.safetensors")
    assert loaded.config == config
    assert torch.equal(loaded(features[None]), generator.eval()(features[None]))
    with pytest.raises(WeightsError):
        load_motion_generator(tmp_path / "absent.safetensors")
