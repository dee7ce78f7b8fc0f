from types import SimpleNamespace

import numpy as np

from backend_server.data.corpus import Clip, ClipLandmarks
from backend_server.evaluation import paper
from backend_server.evaluation.faces import sound
from backend_server.evaluation.faces.figures import REAL, printed_figures
from backend_server.evaluation.faces.recipes import ONE_IMAGE, USUAL

NEUTRAL = np.random.default_rng(0).uniform(60, 200, (68, 2)).astype(np.float32)
TURN = np.array([[0.96, 0.28], [-0.28, 0.96]])


def test_a_motion_follows_the_head_of_another():
    smile = np.repeat(NEUTRAL[None], 4, axis=0)
    smile[:, 48] -= 5
    real = np.stack([NEUTRAL @ TURN * scale + 3 for scale in (0.9, 1.0, 1.1, 1.2)]).astype(np.float32)
    real[:, 60:68] += 9  # only the points that neither speech nor a blink moves tell where the head is
    moved = sound.with_head(smile, NEUTRAL, real)
    for frame, scale in enumerate((0.9, 1.0, 1.1, 1.2)):
        np.testing.assert_allclose(moved[frame], smile[frame] @ TURN * scale + 3, atol=1e-3)


class HeardClip(Clip):
    def waveform(self):
        return np.zeros(16_000, np.float32)

    def landmarks(self):
        points = np.repeat(NEUTRAL[None] + 7, 5, axis=0)
        return ClipLandmarks(np.arange(5) / 25, points, points, points[0], np.eye(2, 3, dtype=np.float32))


class Cascade:
    """Rests, and remembers what it was asked for."""

    def animate(self, speech, sample_rate, frame_times, identity, *, seed):
        self.asked = len(speech), sample_rate, len(frame_times), seed
        self.landmarks = np.repeat(identity.references.neutral_landmarks[None], len(frame_times), axis=0)
        return self


def person(**known):
    return SimpleNamespace(references=SimpleNamespace(neutral_landmarks=NEUTRAL), **known)


def test_what_drives_a_face(tmp_path):
    cascade, clip = Cascade(), HeardClip(tmp_path, "a", "0", "val", 0.2, 5, "")
    names = sound.SOUND, sound.LANDMARKS, sound.SOUND_ON_HEAD, sound.NOTHING
    ways = {name: sound.driving(name, cascade, clip, person(), seed=4) for name in names}  # pyright: ignore[reportArgumentType]
    assert cascade.asked == (16_000, 16_000, 5, 4)
    assert (ways[sound.SOUND] == NEUTRAL).all()
    assert (ways[sound.NOTHING] == NEUTRAL).all()
    np.testing.assert_allclose(ways[sound.SOUND_ON_HEAD], ways[sound.LANDMARKS], atol=1e-3)


class Faces:
    seed = 0

    def learn(self, clip, recipe):
        return person(learnt=(clip.name, recipe))


class Judge:
    """The number of images learnt from is the PSNR; remembers the clips that were learnt from."""

    def __init__(self):
        self.seen = []

    def read(self, clip):
        return clip

    def judge_real(self, clip):
        return printed_figures({"cpbd": 0.3})

    def figures(self, clip, faces, identity, driving):
        self.seen.append((clip.name, *identity.learnt))
        return printed_figures({"psnr": float(identity.learnt[1].images)})


def test_every_way_is_judged_and_a_person_of_one_clip_is_not_learnt_from_another(tmp_path):
    clips = [HeardClip(tmp_path, *who, "val", 0.2, 5, "") for who in (("a", "x"), ("b", "y"), ("b", "z"))]
    judge, told = Judge(), []
    results = sound.judge_ways(Cascade(), Faces(), clips, judge, lambda *step: told.append(step))  # pyright: ignore[reportArgumentType]
    names = {clip.name: [one.name for one in results if one.clip is clip] for clip in clips}
    other = sound.Way(USUAL, pictures=sound.OTHER_CLIP)
    assert names["y"] == [REAL, *(way.name for way in sound.WAYS)]
    assert other.name not in names["x"]
    assert ("y", "z", USUAL) in judge.seen
    assert told[-1] == ("faces from sound", 21, 21)


def test_the_first_table_begins_with_what_a_user_gets_and_says_what_drives_each_row():
    means = {way.name: printed_figures({"lips_lmd": 1.7}) for way in sound.WAYS}
    rows = sound.first_table(means | {REAL: printed_figures({"cpbd": 0.3})}).document()
    names = list(rows)
    assert names.index("the paper, GRID") == 3
    assert all(rows[name]["driven by"] == sound.SOUND for name in names[:3])
    assert rows["the paper, GRID"]["lips LMD, px"] == paper.GRID["lips_lmd"]
    assert rows["the paper, GRID"]["driven by"] == "sound"
    assert {row["settings chosen on"] for row in rows.values()} == {sound.JUDGED, "not said", ""}
    assert all(rows[name]["note"].startswith("not what a user gets") for name in names[4:7])
    assert rows[REAL]["CPBD"] == 0.3
    assert len(rows) == len(sound.WAYS) + 2


def test_the_papers_figures_are_goals_for_the_same_figures_of_faces_from_the_sound():
    way = sound.Way(USUAL)
    ours = printed_figures({"lips_lmd": 1.3, "lips_lmd_on_head": 1.0, "psnr": 29.9, "ssim": 0.84, "cpbd": 0.28})
    goals = sound.paper_goals(way, {way.name: ours}, paper.GRID, "the paper")
    assert {goal.name.split(",")[0]: goal.outcome for goal in goals} == {
        "PSNR": "yes",
        "SSIM": "yes",
        "CPBD": "no",
        "lips LMD": "no",
    }
    assert all(sound.SOUND in goal.name and goal.source == "the paper" for goal in goals)
    assert sound.Way(ONE_IMAGE).name != way.name
