"""The network's time: scores speak of their own moment, and long clips have no seams."""

from pathlib import Path

import numpy as np
import pytest
import torch

from backend_server.checkpoints import save_checkpoint
from backend_server.config import SpeechConfig
from backend_server.speech import acoustic_model
from backend_server.speech.acoustic_model import KIND, AcousticModel, CtcAcousticModel, load_acoustic_model
from shared.errors import WeightsError


@pytest.fixture(scope="module")
def model() -> CtcAcousticModel:
    torch.manual_seed(0)
    network = CtcAcousticModel(SpeechConfig(stem_channels=16, channels=24)).train()
    for seed in range(20):  # running averages near those of its input
        network(torch.randn(4, 200, 64, generator=torch.Generator().manual_seed(seed)))
    return network.eval()


def speech(seconds: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (0.1 * rng.standard_normal(int(16000 * seconds))).astype(np.float32)


@pytest.mark.parametrize("samples", [1600, 16000, 16001, 16159, 16320, 48123])
def test_fifty_scores_a_second_of_29_classes(model: AcousticModel, samples: int):
    scores = model.scores(speech(4)[:samples])
    assert (model.channels, model.features_per_second) == (model.config.stem_channels, 50.0)
    assert scores.shape == (1 + samples // 320, 29)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("second", [1.0, 1.5, 2.13])
def test_a_change_of_sound_changes_the_scores_around_its_own_time(model: CtcAcousticModel, second: float):
    frames = torch.randn(1, 400, 64, generator=torch.Generator().manual_seed(1))
    changed = frames.clone()
    changed[0, round(second * 100)] += 3.0
    with torch.inference_mode():
        difference = (model(changed) - model(frames))[0].abs().sum(1).numpy()
    touched = np.flatnonzero(difference > 1e-6) / 50.0
    assert touched.min() < second < touched.max()
    assert touched.min() + touched.max() == pytest.approx(2 * second, abs=0.09)  # as far back as forward
    assert touched.max() - touched.min() <= 2 * model.margin_frames / 100
    centre = float((difference * np.arange(200)).sum() / difference.sum()) / 50.0
    assert centre == pytest.approx(second, abs=0.03)


def test_a_long_clip_is_the_same_whole_and_in_pieces(model: CtcAcousticModel, monkeypatch: pytest.MonkeyPatch):
    waveform = speech(7)
    whole = model.scores(waveform)
    monkeypatch.setattr(acoustic_model, "_PIECE_FRAMES", 200)
    np.testing.assert_allclose(model.scores(waveform), whole, atol=1e-4)


def test_loudness_changes_nothing(model: CtcAcousticModel):
    waveform = speech(1)
    np.testing.assert_allclose(model.scores(0.05 * waveform), model.scores(waveform), atol=0.02)


def test_weights_survive_the_file_in_half_precision(model: CtcAcousticModel, tmp_path: Path):
    tensors = {name: t.half() if t.is_floating_point() else t for name, t in model.state_dict().items()}
    save_checkpoint(tmp_path / "speech.safetensors", KIND, model.config, tensors)
    again = load_acoustic_model(tmp_path / "speech.safetensors")
    assert not again.training
    np.testing.assert_allclose(again.scores(speech(1)), model.scores(speech(1)), atol=0.05)


def test_weights_of_another_network_are_refused(model: CtcAcousticModel, tmp_path: Path):
    with pytest.raises(WeightsError, match="missing"):
        load_acoustic_model(tmp_path / "missing.safetensors")
    save_checkpoint(tmp_path / "part.safetensors", KIND, model.config, {"head.bias": model.head.bias})
    with pytest.raises(WeightsError, match=r"part\.safetensors do not fit"):
        load_acoustic_model(tmp_path / "part.safetensors")
