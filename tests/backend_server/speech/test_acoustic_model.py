"""The network's time: features speak of their own moment, long sound has no seams, and loudness does not count."""

from pathlib import Path

import numpy as np
import pytest
import torch

from backend_server.articulation.phones import PHONES, SILENCE
from backend_server.checkpoints import in_eight_bits, save_checkpoint
from backend_server.config import SpeechConfig
from backend_server.speech import acoustic_model
from backend_server.speech.acoustic_model import (
    FADED,
    HOP,
    KIND,
    SAID,
    USUAL_LEVEL,
    WINDOW,
    CtcAcousticModel,
    gain_of,
    load_acoustic_model,
    position_count,
)
from backend_server.speech.encoder import LEAD, STEP, TAIL
from backend_server.speech.features import log_mel, speech_level
from shared.errors import WeightsError

FULL = (WINDOW - 1) * STEP + TAIL  # samples that just fill the first window, behind its lead


@pytest.fixture(scope="module")
def model(tiny_config: SpeechConfig) -> CtcAcousticModel:
    torch.manual_seed(0)
    return CtcAcousticModel(tiny_config).eval()


class Sampler(CtcAcousticModel):
    """Says of each position the sample in its middle, and which window it is in; knows how long the windows were."""

    def __init__(self, config: SpeechConfig) -> None:
        super().__init__(config)
        self.lengths = []

    def hidden(self, waveform: torch.Tensor) -> torch.Tensor:
        middle = waveform[:, LEAD : waveform.shape[1] - TAIL + 1 : STEP]
        self.lengths.append(middle.shape[1])
        return torch.stack([middle, torch.full_like(middle, len(self.lengths))], 2)


def speech(seconds: float, seed: int = 0) -> np.ndarray:
    """Noise that swells and fades twice a second."""
    count = int(16_000 * seconds)
    swelling = 0.6 + 0.4 * np.sin(4 * np.pi * np.arange(count) / 16_000)
    return (0.1 * swelling * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


def middles(waveform: np.ndarray) -> np.ndarray:
    """The sample that each feature describes; where the sound is over, silence."""
    return np.append(waveform, np.float32(0))[::STEP]


@pytest.mark.parametrize(
    ("samples", "positions"),
    [(1, 1), (383, 1), (384, 2), (1600, 5), (48_123, 126), (FULL - 1, 481), (FULL, 481), (FULL + 1, 481)],
)
def test_a_feature_for_384_samples(model: CtcAcousticModel, samples: int, positions: int):
    waveform = speech(12)[:samples]
    features, scores = model.features(waveform), model.scores(waveform)
    assert (model.channels, model.features_per_second) == (16, pytest.approx(16_000 / 384))
    assert (features.shape, scores.shape) == ((positions, 16), (positions, 29))
    assert model.phone_scores(waveform).shape == (positions, 42)
    assert position_count(samples) == positions
    assert {part.dtype for part in (features, scores)} == {np.dtype(np.float32)}
    assert np.isfinite(features).all()
    assert np.isfinite(scores).all()


def test_it_listens_to_a_layer_or_to_the_scores(model: CtcAcousticModel, tiny_config: SpeechConfig):
    scorer = CtcAcousticModel(tiny_config, "scores").eval()
    scorer.load_state_dict(model.state_dict())
    waveform = speech(1)
    assert scorer.channels == 29
    np.testing.assert_array_equal(scorer.features(waveform), model.scores(waveform))
    heard = torch.from_numpy(np.pad(np.float32(gain_of(waveform)) * waveform, (LEAD, TAIL)))[None]
    with torch.inference_mode():
        middle = model.encoder(heard, tiny_config.heard_layer)[-1][0]
    np.testing.assert_allclose(model.features(waveform), middle, atol=1e-5)
    phones = np.exp(model.phone_scores(waveform))
    probabilities = model.phone_probabilities(model.features(waveform))
    np.testing.assert_allclose(probabilities, phones / phones.sum(1, keepdims=True), atol=1e-5)
    assert [PHONES[index] for index in range(42)[SAID]] == [name for name in PHONES if name != SILENCE]


@pytest.mark.parametrize("second", [1.0, 1.5, 2.13])
def test_a_change_of_sound_changes_the_features_around_its_own_time(model: CtcAcousticModel, second: float):
    waveform = speech(4)
    changed = waveform.copy()
    changed[round(16_000 * second)] += 0.5
    plain, other = (np.concatenate(list(model.feature_blocks([one], 3.0))) for one in (waveform, changed))
    difference = np.abs(other - plain).sum(1)
    near = np.abs(np.arange(len(difference)) * STEP / 16_000 - second) < 0.04
    assert difference[near].max() > 5 * difference[~near].max()
    assert int(difference.argmax()) * STEP / 16_000 == pytest.approx(second, abs=0.03)


@pytest.mark.parametrize("seconds", [0.3, 12.0, 36.0])
def test_every_feature_is_of_its_own_sample_in_whatever_window(tiny_config: SpeechConfig, seconds: float):
    waveform = speech(seconds)
    features = Sampler(tiny_config).features(waveform)
    np.testing.assert_allclose(features[:, 0], gain_of(waveform) * middles(waveform), rtol=1e-4, atol=1e-6)


def test_one_window_fades_into_the_next(tiny_config: SpeechConfig):
    said = Sampler(tiny_config).features(speech(36))[:, 1]
    assert (said[0], said[-1]) == (1, 4)  # four windows
    steps = np.diff(said)
    assert steps.min() >= 0
    assert steps.max() == pytest.approx(1 / FADED, abs=1e-4)
    moving = np.flatnonzero(steps)
    begins = moving[np.diff(moving, prepend=-99) > 1]  # the last one of each window that speaks alone
    assert begins.tolist() == [HOP + 9, 2 * HOP + 9, 3 * HOP + 9]
    assert len(moving) == 3 * (FADED + 1)


@pytest.mark.parametrize(
    ("samples", "windows"),
    [
        *((1, 1), (FULL - 1, 1), (FULL, 1), (FULL + 1, 2), (FULL + 3000, 2)),
        *((FULL + HOP * STEP, 2), (FULL + HOP * STEP + 1, 3), (576_000, 4)),
    ],
)
def test_no_position_is_missing_where_windows_meet(tiny_config: SpeechConfig, samples: int, windows: int):
    model, waveform = Sampler(tiny_config), speech(36)[:samples]
    features = model.features(waveform)
    assert len(features) == position_count(samples)
    np.testing.assert_allclose(features[:, 0], gain_of(waveform) * middles(waveform), rtol=1e-4, atol=1e-6)
    assert model.lengths[:-1] == [WINDOW] * (windows - 1)
    assert model.lengths[-1] <= WINDOW + 1


@pytest.mark.parametrize("lengths", [[1, 0, 5, 100_000], [16_000], [333_333]])
def test_a_long_clip_is_the_same_in_blocks_of_any_size(model: CtcAcousticModel, lengths: list[int]):
    waveform = speech(36)
    cuts = np.cumsum(np.resize(lengths, 1 + len(waveform) // max(lengths)))
    blocks = np.split(waveform, cuts[cuts < len(waveform)])
    assert len(blocks) > 1
    parts = list(model.feature_blocks(blocks, gain_of(waveform)))
    assert len(parts) == 4
    np.testing.assert_array_equal(np.concatenate(parts), model.features(waveform))


def test_sound_twenty_seconds_later_does_not_change_the_beginning(model: CtcAcousticModel):
    waveform = speech(30)
    changed = np.concatenate([waveform[: 20 * 16_000], speech(10, seed=1)])
    one, other = (np.concatenate(list(model.feature_blocks([sound], 3.0))) for sound in (waveform, changed))
    first_touched = HOP + (WINDOW - HOP - FADED) // 2  # where the first window that hears the change begins to speak
    np.testing.assert_array_equal(one[:first_touched], other[:first_touched])
    assert np.abs(one - other)[20 * 16_000 // STEP + 2 :].max(1).min() > 1e-3


def test_a_seam_is_no_step(model: CtcAcousticModel, monkeypatch: pytest.MonkeyPatch):
    waveform = speech(30)
    with_seams = model.features(waveform)
    monkeypatch.setattr(acoustic_model, "WINDOW", 2000)
    in_one = model.features(waveform)
    assert np.abs(with_seams - in_one).max() < 0.1 * in_one.std()
    steps = np.abs(np.diff(with_seams - in_one, axis=0)).max(1)
    assert steps.max() < 0.02 * in_one.std()


@pytest.mark.parametrize("gain", [0.003, 0.05, 8.0])
def test_loudness_changes_nothing(model: CtcAcousticModel, gain: float):
    waveform = speech(1)
    assert gain_of(np.float32(gain) * waveform) == pytest.approx(gain_of(waveform) / gain, rel=1e-3)
    np.testing.assert_allclose(model.features(np.float32(gain) * waveform), model.features(waveform), atol=1e-3)
    np.testing.assert_allclose(model.scores(np.float32(gain) * waveform), model.scores(waveform), atol=1e-3)


def test_the_gain_brings_speech_to_the_usual_level():
    waveform = speech(2)
    usual = torch.from_numpy(np.float32(gain_of(waveform)) * waveform)
    assert float(speech_level(log_mel(usual)).logsumexp(0)) == pytest.approx(USUAL_LEVEL, abs=1e-3)
    still = np.concatenate([waveform, np.zeros(80_000, np.float32)])
    assert gain_of(still) == pytest.approx(gain_of(waveform), rel=1e-2)  # pauses do not count


def test_silence_is_heard_without_harm(model: CtcAcousticModel):
    assert np.isfinite(model.features(np.zeros(4000, np.float32))).all()
    assert model.features(np.zeros(0, np.float32)).shape == (1, 16)


def test_weights_survive_the_file_in_eight_bits(tmp_path: Path):
    torch.manual_seed(1)
    wide = CtcAcousticModel(SpeechConfig(width=32, heads=2, rotary_size=8, layers=2, heard_layer=1)).eval()
    path = tmp_path / "speech.safetensors"
    save_checkpoint(path, KIND, wide.config, in_eight_bits(wide.state_dict()))
    again = load_acoustic_model(path)
    assert not again.training
    assert again.config == wide.config
    expected, got = wide.features(speech(1)), again.features(speech(1))
    assert np.abs(got - expected).max() < 0.03 * expected.std()
    assert path.stat().st_size < 0.45 * sum(4 * tensor.numel() for tensor in wide.state_dict().values())


def test_weights_of_another_network_are_refused(model: CtcAcousticModel, tmp_path: Path):
    with pytest.raises(WeightsError, match="missing"):
        load_acoustic_model(tmp_path / "missing.safetensors")
    save_checkpoint(tmp_path / "part.safetensors", KIND, model.config, {"head.bias": model.head.bias})
    with pytest.raises(WeightsError, match=r"part\.safetensors do not fit"):
        load_acoustic_model(tmp_path / "part.safetensors")
