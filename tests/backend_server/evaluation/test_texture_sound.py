from types import SimpleNamespace

import numpy as np

from backend_server.data.corpus import Clip, ClipLandmarks
from backend_server.evaluation.texture import ClipFigures
from backend_server.evaluation.texture_report import first_clips, printed_figures
from backend_server.evaluation.texture_sound import BY_LANDMARKS, BY_SOUND, BY_SOUND_ON_HEAD, drivings, with_head

NEUTRAL = np.random.default_rng(0).uniform(60, 200, (68, 2)).astype(np.float32)
TURN = np.array([[0.96, 0.28], [-0.28, 0.96]])


def test_a_motion_follows_the_head_of_another():
    smile = np.repeat(NEUTRAL[None], 4, axis=0)
    smile[:, 48] -= 5
    real = np.stack([NEUTRAL @ TURN * scale + 3 for scale in (0.9, 1.0, 1.1, 1.2)]).astype(np.float32)
    real[:, 60:68] += 9  # only the points that neither speech nor a blink moves tell where the head is
    moved = with_head(smile, NEUTRAL, real)
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


def test_a_face_is_driven_in_three_ways(tmp_path):
    cascade, clip = Cascade(), HeardClip(tmp_path, "a", "0", "val", 0.2, 5, "")
    person = SimpleNamespace(references=SimpleNamespace(neutral_landmarks=NEUTRAL))
    ways = drivings(cascade, clip, person, seed=4)  # pyright: ignore[reportArgumentType]
    assert cascade.asked == (16_000, 16_000, 5, 4)
    assert list(ways) == [BY_LANDMARKS, BY_SOUND, BY_SOUND_ON_HEAD]
    assert (ways[BY_SOUND] == NEUTRAL).all()
    np.testing.assert_allclose(ways[BY_SOUND_ON_HEAD], ways[BY_LANDMARKS], atol=1e-3)


def test_the_first_clip_of_each_person_is_shown(tmp_path):
    clips = [Clip(tmp_path, speaker, name, "val", 3.0, 75, "") for speaker, name in ("ax", "ay", "bx")]
    results = [ClipFigures(clip, "way", printed_figures({})) for clip in clips]
    assert [clip.speaker + clip.name for clip in first_clips(results)] == ["ax", "bx"]
