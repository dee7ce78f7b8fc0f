"""A tiny network and a few invented utterances whose letters are tones."""

from pathlib import Path

import numpy as np
import pytest
import torch

from backend_server.config import SpeechConfig
from backend_server.speech.audio import write_wav
from backend_server.speech.encoder import SpeechEncoder

TEXTS = ("bad", "cab", "dab", "a bad cab", "dad", "ad", "add a cab", "ab", "cad", "bad dad")


@pytest.fixture(scope="session")
def tiny_config() -> SpeechConfig:
    return SpeechConfig(
        *(16, 2, 4, 2, 1),  # width, heads, dimensions that turn, layers, the one that is heard
        learning_rate=5e-3,
        head_learning_rate=2e-2,
        batch_seconds=8.0,
        epochs=12,
    )


@pytest.fixture(scope="session")
def tiny_encoder(tiny_config: SpeechConfig) -> dict[str, torch.Tensor]:
    """Weights of an encoder to begin a training with; nobody trained them."""
    torch.manual_seed(5)
    return SpeechEncoder(tiny_config).state_dict()


@pytest.fixture(scope="session")
def tone_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of speech where every letter is 0.12 s of its own tone and a space is silence."""
    folder = tmp_path_factory.mktemp("tones")
    rows = ["file\tspeaker\tlanguage\tsplit\ttext"]
    seconds = np.arange(1920) / 16000
    for index, text in enumerate(TEXTS):
        hertz = [0 if letter == " " else 300 * 1.5 ** (ord(letter) - ord("a")) for letter in text]
        sound = np.concatenate([0.3 * np.sin(2 * np.pi * frequency * seconds) for frequency in hertz])
        write_wav(folder / f"{index}.wav", sound)
        rows.append(f"{index}.wav\ttones\ten\t{'val' if index >= 8 else 'train'}\t{text.upper()}")
    (folder / "index.tsv").write_text("\n".join(rows) + "\n")
    return folder
