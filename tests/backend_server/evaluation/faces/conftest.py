"""Small corpora with pictures, and small texture networks."""

import csv
import wave

import cv2
import numpy as np
import pytest
import torch

from backend_server.checkpoints import WEIGHTS_DIR
from backend_server.config import TextureConfig
from backend_server.data.corpus import COLUMNS, Corpus
from backend_server.motion.generator import load_motion_generator
from backend_server.texture.networks.presets import build_generator, save_texture_generator

FRAMES = 30


@pytest.fixture(scope="session")
def small():
    """Settings of a texture network of a few thousand weights."""
    return TextureConfig(
        channels=(4, 4, 6, 6, 8), encoder_channels=(4, 4, 6, 6, 8), code_size=6, discriminator_channels=(4, 6, 8)
    )


@pytest.fixture(scope="session")
def write_corpus(tmp_path_factory):
    """Makes a corpus of people with one clip each, by their splits: mouths open and shut on a smooth picture."""

    def write(**splits):
        root, rows = tmp_path_factory.mktemp("corpus"), []
        neutral = load_motion_generator(WEIGHTS_DIR / "motion.safetensors").neutral_canonical.numpy()
        landmarks = np.repeat(70 * neutral[None] + 128, FRAMES, axis=0).astype(np.float32)
        landmarks[:, 64:68, 1] += 8 * np.sin(np.arange(FRAMES) / 3)[:, None] ** 2
        picture = cv2.resize(np.random.default_rng(0).integers(0, 255, (5, 5, 3)).astype(np.uint8), (256, 256))
        for speaker, split in splits.items():
            folder = root / speaker / "one"
            (folder / "faces").mkdir(parents=True)
            for t in range(FRAMES):
                cv2.imwrite(str(folder / "faces" / f"{t + 1:04d}.jpg"), picture)
            with wave.open(str(folder / "speech.wav"), "wb") as file:
                file.setparams((1, 2, 16_000, 0, "NONE", ""))
                file.writeframes(bytes(2 * 16_000 * FRAMES // 25))
            times, crop = np.arange(FRAMES) / 25, np.eye(2, 3, dtype=np.float32)
            arrays = {"landmarks": landmarks, "canonical": landmarks, "neutral": landmarks[0], "crop": crop}
            np.savez(folder / "landmarks.npz", frame_times=times, **arrays)
            rows.append((speaker, "one", split, FRAMES / 25, FRAMES, "say"))
        with (root / "index.tsv").open("w", newline="") as file:
            csv.writer(file, delimiter="\t").writerows([COLUMNS, *rows])
        return Corpus(root)

    return write


@pytest.fixture(scope="session")
def corpus(write_corpus):
    """Two people to learn from and one held out."""
    return write_corpus(a="train", b="train", c="val")


@pytest.fixture(scope="session")
def texture_files(small, tmp_path_factory):
    """Weights files of two texture networks that were never trained, and draw differently."""
    files = []
    for seed in range(2):
        torch.manual_seed(seed)
        network = build_generator(small).requires_grad_(False)
        for weight in network.parameters():
            weight.add_(0.1 * torch.randn_like(weight))  # their last layers begin at zero
        files.append(tmp_path_factory.mktemp("texture") / f"texture_{seed}.safetensors")
        save_texture_generator(files[-1], network)
    return files
