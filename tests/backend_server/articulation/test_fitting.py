"""What made a motion is found again from the motion."""

import numpy as np

from backend_server.articulation.dominance import MANNERS
from backend_server.articulation.fitting import SpokenMotion, fit_visemes
from backend_server.articulation.motion import articulate
from backend_server.articulation.phones import PHONES, TimedPhone
from backend_server.articulation.visemes import VISEMES, lip_gap
from backend_server.metrics.landmarks import correlation, mouth_opening

FRAMES = np.arange(0, 2, 0.04) + 0.02


def sentence(random):
    edges = np.concatenate([[0.0], 0.3 + np.cumsum(random.uniform(0.05, 0.15, 15)), [2.0]])
    names = ["SIL", *random.choice([name for name in PHONES if name != "SIL"], 15), "SIL"]
    edges = np.insert(edges, 1, 0.3)
    return tuple(TimedPhone(str(name), *pair) for name, *pair in zip(names, edges, edges[1:], strict=False))


def test_targets_and_motion_are_found_again(table, monkeypatch):
    monkeypatch.setattr("backend_server.articulation.fitting.STEPS", 10)
    random = np.random.default_rng(0)
    said = [sentence(random) for _ in range(60)]
    clips = [SpokenMotion(phones, FRAMES, articulate(phones, FRAMES, table)) for phones in said]
    found = fit_visemes(clips[:50], table.neutral)
    alike = []
    for clip in clips[50:]:
        real, made = (
            mouth_opening(table.neutral + moved)
            for moved in (clip.displacements, articulate(clip.phones, FRAMES, found))
        )
        alike.append(correlation(made, real))
    assert np.mean(alike) > 0.9
    gaps = [lip_gap(table.neutral + found.targets[VISEMES.index(name)]) for name in ("Y", "IY")]
    assert gaps[0] < gaps[1]
    firm = found.dominance.strength[0]
    assert firm[MANNERS.index("bilabial")] > firm[MANNERS.index("consonant")]
