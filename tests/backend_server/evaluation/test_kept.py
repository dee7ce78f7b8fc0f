from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from backend_server.data.corpus import Corpus
from backend_server.evaluation.kept import Kept, digest, training_data


@dataclass(frozen=True)
class Settings:
    rate: float = 0.1


def test_a_file_is_made_once_for_the_same_dependencies(tmp_path):
    made: list[Path] = []

    def make(path):
        made.append(path)
        path.parent.mkdir(exist_ok=True)
        path.write_text("trained")

    kept = Kept(tmp_path / "kept")
    first = kept.file("motion", (Settings(), 0), make)
    assert kept.file("motion", (Settings(), 0), make) == first
    assert first.read_text() == "trained"
    others = [kept.file("motion", (Settings(0.2), 0), make), kept.file("motion", (Settings(), 1), make)]
    assert len({first, *others}) == len(made) == 3
    first.unlink()  # as after an interruption
    assert kept.file("motion", (Settings(), 0), make).exists()


def test_paths_and_arrays_count_by_their_content(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("weights")
    two.write_text("weights")
    assert digest([one]) == digest([two])
    two.write_text("other weights")
    assert digest([one]) != digest([two])
    zeros = np.zeros(6, np.float32)
    assert digest([zeros]) == digest([zeros.copy()])
    assert len({digest([zeros]), digest([zeros.reshape(2, 3)]), digest([zeros + 1])}) == 3
    assert digest(["a", "b"]) != digest(["ab"])


@pytest.mark.parametrize(("clip", "counts"), [("a/0", True), ("b/0", False)])
def test_training_data_changes_with_the_landmarks_of_training_clips_alone(corpus_folder, clip, counts):
    before = training_data(Corpus(corpus_folder))
    path = corpus_folder / clip / "landmarks.npz"
    path.write_bytes(path.read_bytes() + b" ")
    assert (training_data(Corpus(corpus_folder)) != before) == counts
