"""People whose mouths open and whose eyes shut, and a tracker that scores both."""

import wave
from pathlib import Path

import numpy as np
import pytest

from shared.arkit import SHAPES

FRAMES, RATE = 60, 16_000
JAW, BLINKS = SHAPES.index("jawOpen"), (SHAPES.index("eyeBlinkLeft"), SHAPES.index("eyeBlinkRight"))


def sigmoid(value):
    return 1 / (1 + np.exp(-value))


@pytest.fixture
def corpus(tmp_path) -> Path:
    """Three people, each silent in the first half of a clip: of `a` one clip is held out, `c` was never trained on.

    The tracker's logits rise with the opening, from another score at rest for each person.
    """
    random = np.random.default_rng(0)
    folder, rows = tmp_path / "corpus", ["speaker\tclip\tsplit\tseconds\tframes\ttext"]
    neutral = random.uniform(-1, 1, (68, 2)).astype(np.float32)
    folder.mkdir()
    np.savez(folder / "canonical.npz", neutral_canonical=neutral)
    for speaker, clips, rest in (("a", 5, -2.0), ("b", 2, 0.0), ("c", 1, -1.0)):
        for index in range(clips):
            times = np.arange(FRAMES) / 25
            talks = times >= FRAMES / 50
            opening = 0.15 * talks * (1 - np.cos(2 * np.pi * random.uniform(2, 4) * times))
            shut = 0.1 * (np.abs(np.arange(FRAMES) - random.integers(5, 55)) < 3)
            canonical = np.repeat(neutral[None], FRAMES, axis=0)
            canonical[:, [*range(5, 12), *range(55, 60), *range(65, 68)], 1] += opening[:, None]
            canonical[:, [37, 38, 43, 44], 1] += shut[:, None]
            scores = np.full((FRAMES, 52), 0.02, np.float32)
            scores[:, JAW] = sigmoid(rest + 10 * opening)
            scores[:, BLINKS] = sigmoid(-2 + 40 * shut)[:, None]
            seconds = np.arange(FRAMES * RATE // 25) / RATE
            sound = 0.4 * (seconds >= FRAMES / 50) * np.sin(1500 * seconds) * (1.2 + np.sin(20 * seconds)) / 2
            clip = folder / speaker / f"{index}"
            clip.mkdir(parents=True)
            with wave.open(str(clip / "speech.wav"), "wb") as file:
                file.setparams((1, 2, RATE, 0, "NONE", ""))
                file.writeframes((sound * 32767).astype("<i2").tobytes())
            arrays = {"landmarks": canonical, "canonical": canonical, "neutral": neutral, "crop": np.eye(2, 3)}
            np.savez(clip / "landmarks.npz", frame_times=times, **arrays)
            np.savez(clip / "arkit.npz", names=SHAPES, weights=scores)
            split = "val" if speaker == "c" or (speaker == "a" and index == 4) else "train"
            rows.append(f"{speaker}\t{index}\t{split}\t{FRAMES / 25}\t{FRAMES}\tbin blue")
    (folder / "index.tsv").write_text("\n".join(rows) + "\n")
    return folder
