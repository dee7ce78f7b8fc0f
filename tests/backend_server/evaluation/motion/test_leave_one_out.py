import shutil
from dataclasses import replace

import pytest

from backend_server.config import MotionConfig
from backend_server.data.corpus import Corpus
from backend_server.evaluation.motion import leave_one_out
from backend_server.evaluation.motion.leave_one_out import LEFT_OUT, NOBODY, SHORTENED

CONFIG = MotionConfig(run_frames=10)


@pytest.fixture
def crowd(corpus_folder):
    """Beside `a`, of whom a sentence is held out, `c10` with three training clips, `c9` and `d` with two."""
    index = corpus_folder / "index.tsv"
    lines = index.read_text().splitlines()
    for name, count in (("c10", 3), ("d", 2), ("c9", 2)):
        for number in range(count):
            shutil.copytree(corpus_folder / "a" / str(number), corpus_folder / name / str(number))
            lines.append(f"{name}\t{number}\ttrain\t2.0\t50\tbin blue")
    index.write_text("\n".join(lines) + "\n")
    return corpus_folder


def test_those_with_the_most_clips_are_left_out_but_none_who_is_judged_otherwise(crowd):
    corpus = Corpus(crowd)
    assert leave_one_out.left_out_people(corpus) == ["c10", "d", "c9"]
    assert leave_one_out.left_out_people(corpus, 2) == ["c10", "d"]


def test_no_person_outweighs_the_others_and_nothing_held_out_is_trained_on(crowd, monkeypatch):
    monkeypatch.setattr(leave_one_out, "TRAINED_CLIPS", 2)
    clips = leave_one_out.training_clips(Corpus(crowd), CONFIG)
    assert [(clip.speaker, clip.name) for clip in clips] == [
        *(("a", "0"), ("a", "2"), ("c10", "0"), ("c10", "2")),
        *(("d", "0"), ("d", "1"), ("c9", "0"), ("c9", "1")),
    ]
    assert {clip.split for clip in clips} == {"train"}


def test_a_shorter_training_changes_its_length_alone():
    config = leave_one_out.shortened(MotionConfig(), 7)
    assert (config.epochs, config.synthetic_clips) == (7, round(MotionConfig().synthetic_clips / 3))
    usual = MotionConfig()
    kept = {"epochs": usual.epochs, "synthetic_clips": usual.synthetic_clips, "recorded_clips": usual.recorded_clips}
    assert replace(config, **kept) == usual


def test_each_person_is_judged_by_the_network_that_never_saw_them(crowd, context_of, perfect, shifted, monkeypatch):
    asked = []

    def files(self, trainings, stage):
        asked.extend((one.name, one.left_out, one.config.epochs) for one in trainings)
        return {one.name: f"file {one.name}" for one in trainings}

    monkeypatch.setattr(leave_one_out.Networks, "files", files)
    cascades = {"file without c10": shifted, "file nobody": shifted}
    monkeypatch.setattr(leave_one_out, "with_motion", lambda weights, file, device: cascades.get(file, perfect))
    section = leave_one_out.run(context_of(crowd, perfect, epochs=3))
    assert asked == [
        *(("without c10", "c10", 3), ("without d", "d", 3), ("without c9", "c9", 3)),
        (NOBODY, "", 3),
    ]
    tables = {table.title: table.document() for table in section.tables}
    distances = {name: row["lip landmarks LMD, px"] for name, row in tables[LEFT_OUT].items()}
    assert list(distances) == ["c10", "d", "c9", "mean of the people", "lowest", "highest"]
    assert distances["c10"] == pytest.approx(2, abs=1e-2)
    assert distances["d"] == pytest.approx(0, abs=1e-2)
    assert distances["mean of the people"] == pytest.approx(2 / 3, abs=1e-2)
    assert tables[LEFT_OUT]["c10"]["clips"] == "3"
    shortened = {name: row["lip landmarks LMD, px"] for name, row in tables[SHORTENED].items()}
    assert shortened["held-out people, b, shipped"] == pytest.approx(0, abs=1e-2)
    assert shortened["held-out people, b, shorter training"] == pytest.approx(2, abs=1e-2)
    assert [goal.is_reached for goal in section.goals if "mean" in goal.name][:1] == [True]
    assert "3 epochs instead of" in section.paragraphs[1]
    assert "no folder of speech was given" in section.paragraphs[1]
