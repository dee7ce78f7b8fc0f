import numpy as np

from shared.channels import heard_channels

TONE = np.sin(np.arange(1000) / 5)


def heard(*channels):
    samples = np.stack(channels, axis=1)
    return heard_channels(samples.T @ samples)


def test_silent_channels_are_left_out():
    assert heard(TONE, 0 * TONE, 0.5 * TONE).channels == (0, 2)
    assert heard(TONE, 0.009 * TONE).channels == (0,)  # 41 dB below
    assert heard(TONE, 0.011 * TONE).channels == (0, 1)


def test_of_channels_that_cancel_each_other_the_loudest_is_heard():
    both = heard(TONE, -1.1 * TONE)
    assert both.channels == (1,)
    assert [note.sentence[:35] for note in both.notes("a.wav")] == ["channel 2 of 2 alone is heard, becau"[:35]]
    assert heard(TONE, TONE).notes() == ()


def test_silence_and_nothing_have_one_channel():
    assert heard(0 * TONE, 0 * TONE).channels == (0,)
    assert heard_channels(np.zeros((0, 0))).channels == (0,)
