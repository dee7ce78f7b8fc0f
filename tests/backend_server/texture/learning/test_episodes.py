from collections import Counter

import numpy as np
import pytest

from backend_server.texture.learning.episodes import ClipFaces, PairSampler, expressions, kept_frames


def clip_faces(speaker, frames, seed):
    """Pictures that hold their frame's number; the mouth opens frame by frame, the last frame's eyes are shut."""
    rng = np.random.default_rng(seed)
    landmarks = np.tile(rng.random((68, 2), np.float32) * 200, (frames, 1, 1))
    landmarks[:, [36, 45]] = [[60, 100], [180, 100]]
    landmarks[:, [37, 38, 43, 44]] = [[70, 95], [80, 95], [160, 95], [170, 95]]
    landmarks[:, [41, 40, 47, 46]] = [[70, 105], [80, 105], [160, 105], [170, 105]]
    landmarks[:, [62, 66]] = [120, 180]
    landmarks[:, 66, 1] += np.arange(frames)
    landmarks[-1, [41, 40, 47, 46]] = landmarks[-1, [37, 38, 43, 44]]
    faces = np.broadcast_to(np.arange(frames, dtype=np.uint8)[:, None, None, None], (frames, 256, 256, 3))
    return ClipFaces(speaker, faces, landmarks)


@pytest.fixture
def sampler():
    clips = [clip_faces("many", 20, seed) for seed in range(9)] + [clip_faces("one", 20, 9)]
    return PairSampler(clips, 1.0)


def test_expressions_by_hand():
    shape = expressions(clip_faces("x", 13, 0).landmarks)
    assert shape[12, 0] == pytest.approx(12 / 120)
    assert shape[0, 2] == pytest.approx(20 / 120) and shape[12, 2] == 0


def test_every_speaker_is_seen_as_often_as_any_other(sampler):
    rng = np.random.default_rng(0)
    seen = Counter(sampler.episode(1, 1, rng).speaker for _ in range(200))
    assert 70 < seen["one"] < 130


def test_support_and_query_of_an_episode_share_no_target(sampler):
    rng = np.random.default_rng(1)
    for _ in range(20):
        episode = sampler.episode(4, 3, rng)
        support, query = (set(p.targets[:, 0, 0, 0].tolist()) for p in (episode.support, episode.query))
        assert len(episode.support.targets) == 4 and len(episode.query.targets) == 3
        assert not support & query


def test_pairs_are_far_apart_and_some_eyes_are_shut(sampler):
    rng = np.random.default_rng(2)
    pairs = sampler.pairs(200, rng)
    reference, target = pairs.references[:, 0, 0, 0, 0].astype(int), pairs.targets[:, 0, 0, 0].astype(int)
    assert np.abs(reference - target).mean() > 8  # two random frames of twenty lie 6.7 apart
    assert (target == 19).mean() > 0.15


def test_extremes_are_kept_whatever_the_spacing():
    landmarks = clip_faces("x", 40, 0).landmarks
    kept = kept_frames(landmarks, 10)
    assert {0, 10, 20, 30} <= set(kept) and set(range(34, 40)) <= set(kept) and len(kept) < 20


def test_a_target_has_as_many_references_as_asked_and_is_rarely_among_them(sampler):
    pairs = sampler.pairs(100, np.random.default_rng(3), references=5)
    assert pairs.references.shape == (100, 5, 256, 256, 3) and pairs.reference_landmarks.shape == (100, 5, 68, 2)
    others = pairs.references[:, 1:, 0, 0, 0] == pairs.targets[:, None, 0, 0, 0]
    assert others.any(1).mean() < 0.1  # frames of other clips carry the same numbers
