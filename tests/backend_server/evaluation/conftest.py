"""A small corpus whose mouths open as loud as the speech is, and a cascade that does the same."""

import shutil
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from backend_server.checkpoints import WEIGHTS_DIR
from backend_server.data.corpus import Corpus
from backend_server.evaluation.held_out import read_groups
from backend_server.evaluation.motion.accuracy import loudness_curve
from backend_server.evaluation.run import Context, Settings
from backend_server.progress import silent

FRAMES, RATE, PIXELS = 50, 16_000, 90.0
OPENING = 0.2  # canonical units at the loudest moment


def listening(neutral: np.ndarray, waveform: np.ndarray, times: np.ndarray) -> np.ndarray:
    """A face whose lower inner lip follows how loud the sound is."""
    canonical = np.repeat(neutral[None], len(times), axis=0)
    canonical[:, 64:68, 1] += OPENING * loudness_curve(waveform, times)[:, None]
    return canonical.astype(np.float32)


@dataclass
class Heard:
    canonical: np.ndarray


class ListeningCascade:
    """Moves the mouth by loudness, and all lips by `shift` canonical units to the side."""

    def __init__(self, neutral: np.ndarray, shift: float = 0.0) -> None:
        self.neutral_canonical, self.shift = neutral, shift

    def animate(self, speech: np.ndarray, sample_rate: int, frame_times: np.ndarray, *, blink: bool) -> Heard:
        assert not blink
        canonical = listening(self.neutral_canonical, speech, frame_times)
        canonical[:, 48:68, 0] += self.shift
        return Heard(canonical)


def sentence(random: np.random.Generator) -> np.ndarray:
    """Two seconds of a tone that swells and fades."""
    seconds = np.arange(FRAMES * RATE // 25) / RATE
    swell = np.clip(np.sin(random.uniform(8, 14) * seconds + random.uniform(0, 6)), 0.02, None)
    return (0.5 * swell * np.sin(1500 * seconds)).astype(np.float32)


@pytest.fixture
def neutral() -> np.ndarray:
    """A face at rest, canonical units, the inner lips together."""
    points = np.random.default_rng(3).uniform(-1, 1, (68, 2)).astype(np.float32)
    points[36:42] = np.array([-0.5, -0.3]) + 0.1 * points[36:42]
    points[42:48] = np.array([0.5, -0.3]) + 0.1 * points[42:48]
    points[48:68, 1] = 0.8
    points[66] = points[62]
    return points


@pytest.fixture
def corpus_folder(tmp_path, neutral) -> Path:
    """Two people: of `a` one sentence of four is held out, `b` was never trained on."""
    random, folder = np.random.default_rng(0), tmp_path / "corpus"
    rows = ["speaker\tclip\tsplit\tseconds\tframes\ttext"]
    folder.mkdir()
    np.savez(folder / "canonical.npz", neutral_canonical=neutral)
    for speaker, count in (("a", 4), ("b", 2)):
        for index in range(count):
            waveform, times = sentence(random), np.arange(FRAMES) / 25
            clip = folder / speaker / f"{index}"
            clip.mkdir(parents=True)
            with wave.open(str(clip / "speech.wav"), "wb") as file:
                file.setparams((1, 2, RATE, 0, "NONE", ""))
                file.writeframes((waveform * 32768).astype("<i2").tobytes())
            canonical = listening(neutral, waveform, times)
            np.savez(
                clip / "landmarks.npz",
                frame_times=times,
                landmarks=PIXELS * canonical + 128,
                canonical=canonical,
                neutral=PIXELS * neutral + 128,
                crop=np.eye(2, 3, dtype=np.float32),
            )
            split = "val" if speaker == "b" or index == 3 else "train"
            rows.append(f"{speaker}\t{index}\t{split}\t{FRAMES / 25}\t{FRAMES}\tbin blue <{index}>")
    (folder / "index.tsv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture
def perfect(neutral) -> ListeningCascade:
    """Makes the very motion of the corpus."""
    return ListeningCascade(neutral)


@pytest.fixture
def shifted(neutral) -> ListeningCascade:
    """Makes the motion of the corpus with the lips two pixels to the side."""
    return ListeningCascade(neutral, 2 / PIXELS)


@pytest.fixture
def context_of(tmp_path):
    """Makes the context of experiments on a corpus; what is kept and drawn goes to `tmp_path`."""

    def make(folder, cascade=None, progress=silent, **options):
        corpus = Corpus(folder)
        settings = Settings(folder, tmp_path / "report", device="cpu", **options)
        return Context(cascade, corpus, read_groups(corpus), tmp_path, settings, progress)

    return make


@pytest.fixture
def own_weights(tmp_path) -> Path:
    """A folder whose motion listens through an ONNX file, as far as names go."""
    folder = tmp_path / "weights"
    folder.mkdir()
    for stage in ("motion", "blink", "arkit"):
        shutil.copy(WEIGHTS_DIR / f"{stage}.safetensors", folder)
    (folder / "speech.onnx").write_bytes(b"a model")
    return folder
