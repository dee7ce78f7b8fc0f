import numpy as np
import pytest

from backend_server.data.corpus import Corpus
from backend_server.evaluation.motion import robustness
from backend_server.evaluation.motion.sounds import CLEAN, Sound
from backend_server.progress import silent


@pytest.fixture
def measured(corpus_folder, context_of, shifted):
    voices = [clip.waveform() for clip in Corpus(corpus_folder).clips("train")]
    held_out = context_of(corpus_folder).held_out
    return robustness.measure_sweeps(shifted, held_out, robustness.sweeps(voices), silent)


def test_the_error_of_a_listener_to_loudness_grows_with_the_noise(measured):
    for sweep in (one for one in measured if one.sweep.title in ("White noise (Fig. 6 right)", "Babble", "Music")):
        for group, steps in sweep.steps.items():
            errors = [sweep.clean[group].lips_lmd, *(figures.lips_lmd for figures in steps)]
            assert errors == sorted(errors)
            assert sweep.growth(group, len(steps) - 1) > 20


def test_an_echo_blurs_what_a_listener_to_loudness_hears(measured):
    rooms = next(one for one in measured if one.sweep.title == "Room")
    for group, steps in rooms.steps.items():
        openings = [rooms.clean[group].opening_correlation, *(figures.opening_correlation for figures in steps)]
        assert openings == sorted(openings, reverse=True)
        assert rooms.growth(group, len(steps) - 1) > 20


def test_a_listener_to_loudness_does_not_mind_the_level(measured):
    levels = next(one for one in measured if one.sweep.title == "Level")
    for group, steps in levels.steps.items():
        assert [figures.lips_lmd for figures in steps] == pytest.approx([levels.clean[group].lips_lmd] * 5, rel=0.02)


def test_growth_is_over_the_unchanged_sound(measured):
    white = measured[0]
    group = next(iter(white.steps))
    by_hand = 100 * (white.steps[group][-1].lips_lmd - white.clean[group].lips_lmd) / white.clean[group].lips_lmd
    assert white.growth(group, 4) == pytest.approx(by_hand)
    largest = max(white.growth(name, 4) for name in white.steps)
    assert robustness.growth_at(measured, "white noise, 0 dB") == pytest.approx(largest)


def test_the_section_shows_every_step(corpus_folder, shifted, context_of, tmp_path):
    section = robustness.run(context_of(corpus_folder, shifted))
    babble = next(table for table in section.tables if table.title == "Babble").document()
    growths = [row["growth, per cent"] for name, row in babble.items() if name.endswith("babble, 0 dB SNR")]
    assert section.goals[0].measured == pytest.approx(max(map(float, growths)), abs=0.06)
    assert all((tmp_path / picture.file).stat().st_size > 1000 for picture in section.pictures)
    assert [len(table.rows) for table in section.tables] == [9, 3, 12, 10, 12, 10, 8, 8, 12]
    assert [table.is_detail for table in section.tables] == [False] * 2 + [True] * 7


def test_what_is_kept_of_the_motion_is_compared_with_the_clean_sound(corpus_folder, shifted, context_of):
    held_out = context_of(corpus_folder).held_out
    mute = Sound("half of it mute", lambda waveform: waveform * (np.arange(len(waveform)) % 8000 < 4000))
    kept = robustness.kept_motion(shifted, held_out, (CLEAN, mute))
    assert kept[CLEAN.name] == pytest.approx(dict.fromkeys(held_out, 1.0))
    assert max(kept[mute.name].values()) < 0.9


def test_one_table_has_every_kind_of_sound_beside_the_unchanged(measured):
    glance = robustness.glance(measured).document()
    assert list(glance) == [
        *("clean", "babble, 0 dB SNR", "music, 0 dB SNR", "room, echo of 0.6 s"),
        *("telephone", "MP3 of 32 kbit/s", "noise gate", "whispered", "shouted"),
    ]
    people = "held-out people"
    babble = next(one for one in measured if one.sweep.title == "Babble")
    assert glance["clean"][f"{people}, growth, per cent"] == "+0.0"
    assert float(glance["babble, 0 dB SNR"][f"{people}, growth, per cent"]) == pytest.approx(
        babble.growth(people, 2), abs=0.06
    )
    assert glance["babble, 0 dB SNR"][f"{people}, opening correlation"] == babble.steps[people][2].opening_correlation
    assert glance["telephone"]["held-out sentences, opening correlation"] > 0.9  # its loudness passes
