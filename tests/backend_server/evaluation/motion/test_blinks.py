from types import SimpleNamespace

import numpy as np
import pytest

from backend_server.data.corpus import Corpus
from backend_server.evaluation.motion import blinks
from backend_server.progress import silent


@pytest.fixture
def blinker(neutral):
    """Every clip blinks once, eight frames from 1 s on; the odd ones again, cut by the end."""
    face = neutral.copy()
    for eye in (36, 42):
        face[eye : eye + 6] = np.array([(0, 0), (1, -1), (2, -1), (3, 0), (2, 1), (1, 1)]) / 10
        face[eye : eye + 6, 0] += eye / 20

    def blink(times, seed):
        motion = np.repeat(face[None], len(times), axis=0)
        shut = (times >= 1.0) & (times < 1.32) | (times >= 2.84) & (seed % 2 == 1)
        for eye in (36, 42):
            motion[shut, eye : eye + 6, 1] = 0
        return motion

    return blink


def test_known_blinks_are_counted(blinker, corpus_folder):
    generated = blinks.generated_blinks(blinker, 4, silent)
    assert generated.rate == pytest.approx(6 / 12)
    assert generated.duration == pytest.approx(0.32)
    real = blinks.real_blinks(Corpus(corpus_folder).clips("train"))
    assert real.count == 0


def test_generated_and_real_blinks_are_counted_and_drawn(blinker, corpus_folder, context_of, tmp_path, monkeypatch):
    monkeypatch.setattr(blinks, "CLIP_COUNT", 4)
    section = blinks.run(context_of(corpus_folder, SimpleNamespace(blink_landmarks=blinker)))
    assert (tmp_path / "blinks.png").exists()
    row = dict(section.tables[0].rows)[blinks.GENERATED]
    assert row[3:] == ("6", "2")  # found, cut by an end
    assert dict(section.tables[0].rows)["the paper, GRID"][:2] == (0.38, 0.4)
    assert "corpus, held-out people" in dict(section.tables[0].rows)
    assert [goal.is_reached for goal in section.goals] == [False, True]  # 0.5 a second is too often
