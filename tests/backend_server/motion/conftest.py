import wave
from pathlib import Path

import numpy as np
import pytest

from backend_server.checkpoints import save_checkpoint
from backend_server.config import SpeechConfig
from backend_server.speech.acoustic_model import KIND, CtcAcousticModel

FRAMES, RATE = 30, 16_000


class LevelModel:
    """Hears one thing only: channel 0 is the level of the sound; the other two channels are constant."""

    channels = 3
    features_per_second = 50.0

    def features(self, waveform: np.ndarray) -> np.ndarray:
        steps = 1 + len(waveform) // 320
        padded = np.pad(waveform, (160, 480))
        level = [np.abs(padded[320 * u : 320 * u + 320]).mean() for u in range(steps)]
        return np.stack([level, np.ones(steps), np.zeros(steps)], 1).astype(np.float32)


@pytest.fixture
def level_model() -> LevelModel:
    return LevelModel()


def speak(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A sound that swells and fades, frame times, and a mouth that opens with it."""
    times = np.arange(FRAMES) / 25
    phase, pace = random.uniform(0, 6), random.uniform(8, 16)
    seconds = np.arange(int(FRAMES / 25 * RATE)) / RATE
    sound = np.sin(1500 * seconds) * (0.3 + 0.3 * np.sin(pace * seconds + phase))
    return sound.astype(np.float32), times, 0.15 * (1 + np.sin(pace * times + phase))


@pytest.fixture
def corpus(tmp_path) -> Path:
    """A prepared corpus of two people, nine sentences each: one held out, and one person held out."""
    random = np.random.default_rng(0)
    folder, rows = tmp_path / "corpus", ["speaker\tclip\tsplit\tseconds\tframes\ttext"]
    neutral = random.uniform(-1, 1, (68, 2)).astype(np.float32)
    neutral[48:68, 1] = 0.8
    folder.mkdir()
    np.savez(folder / "canonical.npz", neutral_canonical=neutral)
    for speaker, count in (("a", 9), ("b", 2)):
        for index in range(count):
            sound, times, opening = speak(random)
            canonical = np.repeat(neutral[None], FRAMES, axis=0)
            canonical[:, 64:68, 1] += opening[:, None]
            canonical += 0.002 * random.standard_normal(canonical.shape).astype(np.float32)
            clip = folder / speaker / f"{index}"
            clip.mkdir(parents=True)
            with wave.open(str(clip / "speech.wav"), "wb") as file:
                file.setparams((1, 2, RATE, 0, "NONE", ""))
                file.writeframes((sound * 32767).astype("<i2").tobytes())
            pixels = (90 * canonical + 128).astype(np.float32)
            np.savez(
                clip / "landmarks.npz",
                frame_times=times,
                landmarks=pixels,
                canonical=canonical.astype(np.float32),
                neutral=pixels[0],
                crop=np.eye(2, 3, dtype=np.float32),
            )
            split = "val" if speaker == "b" or index == 8 else "train"
            rows.append(f"{speaker}\t{index}\t{split}\t{FRAMES / 25}\t{FRAMES}\tbin blue")
    (folder / "index.tsv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture
def speech_weights(tmp_path) -> Path:
    """An untrained acoustic model."""
    config = SpeechConfig(width=16, heads=2, rotary_size=4, layers=2, heard_layer=1)
    path = tmp_path / "speech.safetensors"
    save_checkpoint(path, KIND, config, CtcAcousticModel(config).state_dict())
    return path
