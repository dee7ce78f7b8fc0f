import json

import numpy as np
import pytest

from backend_server.cascade import Cascade
from backend_server.commands.animate import SAMPLE_SPEECH
from backend_server.liveliness.lively import lively
from backend_server.liveliness.movement import CHANNELS, SHIPPED, load_movement
from backend_server.speech.audio import read_audio
from shared.arkit import SHAPES
from shared.errors import WeightsError
from shared.landmarks import EYE_REGION
from shared.motion_controls import MotionControls

BROWS = slice(17, 27)


@pytest.fixture(scope="module")
def melody():
    """Eight seconds of speech and two of silence."""
    random = np.random.default_rng(0)
    spoken = np.stack([random.uniform(-1, 0, 200), random.normal(0, 0.5, 200), random.random(200) < 0.7], 1)
    return np.concatenate([spoken, np.tile((-3.0, 0.0, 0.0), (50, 1))])


def test_heads_wander_as_far_as_in_talk_and_less_where_nobody_speaks(melody):
    movement = load_movement()
    drawn = np.concatenate([movement.draw(melody, seed) for seed in range(60)])
    assert drawn.std(0) == pytest.approx(np.ones(len(CHANNELS)), abs=0.4)
    silent = np.concatenate([movement.draw(np.tile((-3.0, 0.0, 0.0), (250, 1)), seed) for seed in range(60)])
    answer = silent.mean(0)
    assert ((silent - answer).std(0) < 0.7).all()


def test_readers_and_lively_talk_lie_on_the_way_from_stillness():
    movement = load_movement()
    assert not movement.deviations(0).any()
    np.testing.assert_allclose(movement.deviations(0.1), movement.reading / 2)
    np.testing.assert_allclose(movement.deviations(0.2), movement.reading)
    np.testing.assert_allclose(movement.deviations(1.0), movement.talk)
    steps = np.diff([movement.deviations(amount) for amount in np.linspace(0, 1.5, 31)], axis=0)
    assert (steps > 0).all()


def test_a_seed_moves_alike_at_every_length_and_another_one_otherwise(melody):
    movement = load_movement()
    whole, part = movement.draw(melody, 5), movement.draw(melody[:100], 5)
    np.testing.assert_allclose(part[:60], whole[:60], atol=1e-9)
    assert np.abs(movement.draw(melody, 6) - whole).max() > 0.05


def test_heads_move_smoothly(melody):
    drawn = load_movement().draw(melody, 1)
    steps = np.diff(drawn, axis=0)
    assert (np.abs(np.diff(steps, axis=0)).mean(0) < np.abs(steps).mean(0)).all()


@pytest.mark.parametrize("content", [None, "{", '{"kind": "how heads and brows move"}', '{"kind": "other"}'])
def test_a_file_that_is_no_movement_is_named(tmp_path, content):
    path = tmp_path / "movement.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(WeightsError, match=r"movement\.json"):
        load_movement(path)


def test_what_ships_says_where_it_comes_from(tmp_path):
    assert "people" in json.loads(SHIPPED.read_text("utf-8"))["source"]
    load_movement().save(tmp_path / "again.json", "a test")
    np.testing.assert_array_equal(load_movement(tmp_path / "again.json").noise, load_movement().noise)


def test_nothing_is_heard_where_nothing_moves():
    def refuses():
        raise AssertionError("the sound was heard")
        yield

    assert lively(refuses(), np.arange(5) / 25, 0, 0.0) is None


@pytest.fixture(scope="module")
def animated():
    sound = read_audio(SAMPLE_SPEECH)
    speech, rate = sound.samples, sound.sample_rate
    cascade = Cascade.load("cpu")

    def animate(frame_rate=25, **controls):
        times = np.arange(int(2 * frame_rate)) / frame_rate
        return cascade.animate(speech, rate, times, controls=MotionControls(**controls))

    return animate


def test_without_liveliness_the_head_is_still(animated):
    still = animated()
    assert not still.head.any()
    np.testing.assert_array_equal(still.head.shape, (50, 6))


def test_the_head_turns_the_landmarks_and_brows_move_the_face(animated):
    still, alive = animated(), animated(liveliness=0.5)
    assert np.abs(alive.head[:, :3]).max() > 0.01
    assert np.abs(alive.landmarks - still.landmarks).max() > 2
    others = [point for point in range(68) if not BROWS.start <= point < BROWS.stop]
    np.testing.assert_array_equal(alive.canonical[:, others], still.canonical[:, others])
    assert np.abs(alive.canonical[:, BROWS, 1] - still.canonical[:, BROWS, 1]).max() > 0.003
    brows = [place for place, name in enumerate(SHAPES) if name.startswith("brow")]
    assert np.abs(alive.arkit[:, brows] - still.arkit[:, brows]).max() > 0.01
    assert np.abs(animated(liveliness=0.5, brows=0).canonical - animated(brows=0).canonical).max() == 0
    assert set(range(17, 27)) < set(EYE_REGION)


def test_the_same_moments_move_alike_at_other_frame_rates(animated):
    slow, fast = animated(25, liveliness=0.5), animated(50, liveliness=0.5)
    np.testing.assert_allclose(fast.head[::2], slow.head, atol=1e-5)
