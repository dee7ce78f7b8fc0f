from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from backend_server.data.corpus import Clip, ClipLandmarks
from backend_server.evaluation import paper
from backend_server.evaluation.held_out import PEOPLE, SENTENCES
from backend_server.evaluation.sync import experiment
from backend_server.evaluation.sync.experiment import (
    FROM_LANDMARKS,
    FROM_SOUND,
    OTHER_SOUND,
    RECORDED,
    STILL,
    Judged,
    by_person,
    goals,
    judge_recordings,
    over_people,
    shift_name,
)
from backend_server.evaluation.sync.films import Film, sound_windows
from backend_server.evaluation.sync.scores import SyncFigures

LENGTH = 60
NEUTRAL = np.random.default_rng(0).uniform(60, 200, (68, 2)).astype(np.float32)


class Matching:
    """A mouth fits a sound of the same number."""

    def similarities(self, film):
        return (film.mouths[:, :1, 0] == film.sounds[:, 0, :1].T).astype(float)


def film(speaker, first):
    numbers = first + np.arange(LENGTH)
    return Film(speaker, numbers.astype(np.uint8)[:, None, None], numbers.astype(np.float32)[:, None, None])


def judged(speaker, offset, confidence):
    return Judged(speaker, np.full(31, confidence), SyncFigures(offset, float(abs(offset) <= 1), confidence))


@pytest.fixture
def rows():
    groups = {SENTENCES: [film("a", 0), film("a", 1)], PEOPLE: [film("b", 100)]}
    return judge_recordings(Matching(), groups)  # pyright: ignore[reportArgumentType]


def test_recordings_fit_where_they_were_shifted_to_and_strangers_nowhere(rows):
    for group, count in ((SENTENCES, 2), (PEOPLE, 1)):
        assert [one.figures for one in rows[group, RECORDED]] == count * [SyncFigures(0, 1, 1)]
        for shift in (-6, -3, 3, 6):
            assert [one.figures for one in rows[group, shift_name(shift)]] == count * [SyncFigures(shift, 1, 1)]
        assert [one.figures.confidence for one in rows[group, OTHER_SOUND]] == count * [0]
        assert len(rows[group, STILL]) == count
        assert max(one.figures.confidence for one in rows[group, STILL]) < 0.05
    assert [name for group, name in rows if group == PEOPLE] == [
        "as recorded",
        "face 6 frames early",
        "face 3 frames early",
        "face 3 frames late",
        "face 6 frames late",
        "another person's sound",
        "a still face",
    ]


def test_a_single_person_is_judged_without_a_strangers_sound():
    rows = judge_recordings(Matching(), {PEOPLE: [film("b", 0), film("b", 9)]})  # pyright: ignore[reportArgumentType]
    assert (PEOPLE, RECORDED) in rows
    assert (PEOPLE, OTHER_SOUND) not in rows


def test_every_person_counts_the_same():
    films = [judged("a", 0, 0.3), judged("a", 3, 0.5), judged("a", 0, 0.1), judged("b", -1, 0.9)]
    mean = over_people(films)
    assert mean.figures.offset == pytest.approx((1 - 1) / 2)
    assert mean.figures.found == pytest.approx((2 / 3 + 1) / 2)
    assert mean.figures.confidence == pytest.approx((0.3 + 0.9) / 2)
    np.testing.assert_allclose(mean.curve, 0.6)


def test_each_person_is_shown_recorded_and_rendered(rows):
    rows[PEOPLE, FROM_SOUND] = [judged("b", 1, 0.3)]
    people = by_person(rows)
    assert list(people) == [("a", RECORDED), ("a", OTHER_SOUND), ("b", RECORDED), ("b", OTHER_SOUND), ("b", FROM_SOUND)]
    assert len(people["a", RECORDED]) == 2


@pytest.mark.parametrize(("offsets", "outcome"), [((1, 1), "yes"), ((-2, -1), "no"), ((0, 3), "no")])
def test_the_papers_offset_is_a_goal_for_faces_from_the_sound(offsets, outcome):
    films = [judged(person, offset, 0.4) for person, offset in zip("ab", offsets, strict=True)]
    (goal,) = goals({(PEOPLE, FROM_SOUND): films, (PEOPLE, FROM_LANDMARKS): [judged("a", 9, 0)]})
    assert goal.limit == paper.OFFSET_FRAMES
    assert goal.measured == abs(np.mean(offsets))
    assert goal.outcome == outcome
    assert goals({(PEOPLE, RECORDED): films}) == []


def test_the_section_shows_recordings_beside_rendered_faces(corpus_folder, context_of, monkeypatch, tmp_path):
    monkeypatch.setattr(experiment, "sync_network", lambda context: Matching())
    seen = []

    def read(clip):
        seen.append(clip.speaker)
        return film(clip.speaker, 100 * len(seen))

    def rendered(context, faces, clip, way):
        return film(clip.speaker, 0).late(1)

    monkeypatch.setattr(experiment, "read_film", read)
    monkeypatch.setattr(experiment, "rendered_film", rendered)
    told = []
    section = experiment.run(context_of(corpus_folder, progress=lambda *step: told.append(step)))
    assert seen == ["a", "b", "b"]  # what was trained on is not judged
    assert told[-1] == ("sync", 4, 4)
    groups, people = (table.document() for table in section.tables)
    assert groups[f"{PEOPLE}, {FROM_SOUND}"] == {
        "clips": "2",
        "offset, frames": 1,
        "found within a frame": 1,
        "confidence": 1,
    }
    assert groups[f"{SENTENCES}, face 6 frames early"]["offset, frames"] == -6
    assert people[f"b, {FROM_LANDMARKS}"]["clips"] == "2"
    assert [goal.outcome for goal in section.goals] == ["yes"]
    for picture in section.pictures:
        assert (tmp_path / picture.file).stat().st_size > 1000


class SpokenClip(Clip):
    """Half a second of noise."""

    def waveform(self):
        return np.random.default_rng(0).uniform(-0.5, 0.5, 8000).astype(np.float32)

    def landmarks(self):
        return ClipLandmarks(np.arange(12) / 25, *4 * [np.zeros(1, np.float32)])


class BrightFaces:
    """A frame is as bright as its number."""

    def learn(self, clip, recipe):
        assert recipe == experiment.USUAL
        return SimpleNamespace(references=SimpleNamespace(neutral_landmarks=NEUTRAL))

    def render(self, identity, landmarks, numbers):
        assert (landmarks == NEUTRAL + 1).all()
        return np.zeros((len(numbers), 256, 256, 3), np.uint8) + numbers[:, None, None, None].astype(np.uint8)


def test_every_frame_of_a_rendered_face_meets_the_recorded_sound(monkeypatch, tmp_path):
    asked = []

    def driving(way, cascade, clip, identity, seed):
        asked.append((way, seed))
        return np.repeat(NEUTRAL[None] + 1, 12, axis=0)

    monkeypatch.setattr(experiment, "driving", driving)
    clip = SpokenClip(tmp_path, "b", "0", "val", 0.48, 12, "")
    context = SimpleNamespace(cascade=None, seed=4)
    made = experiment.rendered_film(context, BrightFaces(), clip, "sound")  # pyright: ignore[reportArgumentType]
    assert asked == [("sound", 4)]
    assert made.speaker == "b"
    assert [int(mouth.mean()) for mouth in made.mouths] == list(range(12))
    np.testing.assert_array_equal(made.sounds, sound_windows(clip.waveform(), clip.landmarks().frame_times))


def test_short_clips_are_left_out(corpus_folder, context_of, monkeypatch):
    monkeypatch.setattr(experiment, "read_film", lambda clip: clip.name)
    context = context_of(corpus_folder)
    assert experiment.recordings(context) == {SENTENCES: ["3"], PEOPLE: ["0", "1"]}
    (take,) = context.groups[SENTENCES]
    short = replace(
        context, groups={**context.groups, SENTENCES: [replace(take, clip=replace(take.clip, frame_count=49))]}
    )
    assert experiment.recordings(short) == {PEOPLE: ["0", "1"]}


def test_the_network_is_trained_once_for_the_same_clips(corpus_folder, context_of, monkeypatch):
    trained = []

    def train(films, config, seed, device, progress):
        trained.append((films, seed, device))
        return experiment.SyncNetwork(config)

    monkeypatch.setattr(experiment, "training_films", lambda corpus, config, progress: ["films"])
    monkeypatch.setattr(experiment, "train_sync", train)
    context = context_of(corpus_folder)
    first, second = experiment.sync_network(context), experiment.sync_network(context)
    assert trained == [(["films"], 0, "cpu")]
    assert not first.training
    assert first.sharpness.item() == second.sharpness.item()
