"""Clips whose sound does not fit their text are left out of what visemes are measured on, and named."""

import numpy as np
import pytest

from backend_server.articulation import training
from backend_server.articulation.training import spoken_motions, train_visemes
from backend_server.data import phone_alignment
from backend_server.data.corpus import Clip
from backend_server.speech.audio import write_wav
from shared.errors import CorpusError

SECONDS = np.arange(16_000) / 16_000
TONES = {"ma": 300.0, "see": 900.0}  # Hz
PHONES = {"ma": ("M", "AA"), "see": ("S", "IY")}
NEUTRAL = np.zeros((68, 2), np.float32)


@pytest.fixture
def make_clip(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "phones_of_word", PHONES.__getitem__)
    monkeypatch.setattr(phone_alignment, "ROUNDS", 2)

    def make(name: str, text: str, *, loudness: float = 0.3) -> Clip:
        folder = tmp_path / "s1" / name
        hertz = TONES[text.split(maxsplit=1)[0]]
        is_said = np.abs(SECONDS - 0.5) < 0.2
        write_wav(folder / "speech.wav", loudness * np.sin(2 * np.pi * hertz * SECONDS) * is_said)
        times, moved = np.arange(25) / 25, np.repeat(NEUTRAL[None], 25, 0)
        pixels = {"landmarks": moved, "canonical": moved, "neutral": NEUTRAL, "crop": np.eye(2, 3)}
        np.savez(folder / "landmarks.npz", frame_times=times, **pixels)
        return Clip(folder, "s1", name, "train", 1.0, 25, text)

    return make


def test_clips_that_cannot_be_aligned_are_left_out_and_named(make_clip, caplog):
    good = [make_clip("one", "ma"), make_clip("two", "ma")]
    silent, hasty = make_clip("silent", "ma", loudness=0.0), make_clip("hasty", " ".join(["ma"] * 40))
    unknown, held_out = make_clip("unknown", "see"), make_clip("three", "ma")
    spoken = spoken_motions([*good, silent, hasty], [unknown, held_out], NEUTRAL)
    assert list(spoken) == [*good, held_out]
    assert [phone.name for phone in spoken[held_out].phones] == ["SIL", "M", "AA", "SIL"]
    assert spoken[held_out].displacements.shape == (25, 68, 2)
    for name, reason in (("silent", "silent"), ("hasty", "(80)"), ("unknown", "trained on has IY, S")):
        assert any(name in line and reason in line for line in caplog.messages)


def test_a_corpus_of_which_nothing_can_be_aligned_is_refused(make_clip, tmp_path):
    make_clip("silent", "ma", loudness=0.0)
    np.savez(tmp_path / "canonical.npz", neutral_canonical=NEUTRAL)
    rows = "speaker\tclip\tsplit\tseconds\tframes\ttext\ns1\tsilent\ttrain\t1.0\t25\tma\n"
    (tmp_path / "index.tsv").write_text(rows)
    with pytest.raises(CorpusError, match="can be aligned with its text"):
        train_visemes(corpus=tmp_path, out=tmp_path / "visemes.safetensors")
