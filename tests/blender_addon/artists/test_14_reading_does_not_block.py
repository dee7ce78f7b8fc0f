"""Complaint: five photos of twelve megapixels blocked Blender for seconds before any progress was shown."""

import wave
from types import SimpleNamespace

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

TIMER = SimpleNamespace(type="TIMER")


@pytest.fixture
def press(addon):
    """Presses Generate as in a window, and returns what each timer event does; there are none without a window."""
    from blender_addon.operators import SPEECHFACE_OT_generate
    from blender_addon.session import session

    def press():
        methods = {name: value for name, value in vars(SPEECHFACE_OT_generate).items() if callable(value)}
        operator = type("Pressed", (), {**methods, "use_all": False, "_timer": None})()
        operator.said = []
        operator.report = lambda kinds, sentence: operator.said.append(sentence)
        operator._take_orders(bpy.context)
        session.orders += operator._left
        operator.step = lambda: operator.modal(bpy.context, TIMER)
        return operator

    return press


@pytest.fixture
def photos(preferences, fake_backend, add_image, add_strip, speech_file, monkeypatch):
    """Five painted photos of many steps each, and half a second of speech."""
    from blender_addon import operators
    from blender_addon.speakers import reference_images

    monkeypatch.setattr(reference_images, "_STEP_PIXELS", 1 << 12)
    monkeypatch.setattr(operators, "TICK_SECONDS", 1e-5)  # one step for each event
    preferences.connection_file = str(fake_backend.connection_file)
    images = [add_image(256, 128, f"Photo {number}") for number in range(5)]
    return [add_strip(path=speech_file(0.5)), *images]


def test_progress_is_shown_between_small_steps_and_all_arrives(photos, press, until, fake_backend):
    from blender_addon import stages
    from blender_addon.session import session

    operator, shown = press(), []

    def is_over():
        ended = operator.step() != {"PASS_THROUGH"}
        if session.reader is not None:
            shown.append((session.reader.shown.stage, session.reader.shown.step))
            assert session.generation is None
        return ended

    until(is_over)
    assert len(shown) > 5 * 8
    assert [step for stage, step in dict.fromkeys(shown) if stage == stages.READING_PHOTOS] == [0, 1, 2, 3, 4]
    sent = fake_backend.messages("AdaptRequest")[0]
    assert [image.shape for image in sent.images] == [(128, 256, 3)] * 5
    assert operator.said[-1].startswith("Made keys")


def test_cancel_ends_reading_at_the_next_event_and_nothing_is_sent(photos, press, fake_backend, tmp_path, monkeypatch):
    import tempfile

    from blender_addon.session import session

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    photos[0].sound.pack()
    operator = press()
    for _ in range(12):
        assert operator.step() == {"PASS_THROUGH"}
    assert session.reader is not None
    assert bpy.ops.speechface.cancel() == {"FINISHED"}
    assert operator.step() == {"CANCELLED"}
    assert operator.said == ["Cancelled; the scene is unchanged"]
    assert session.generation is None and session.reader is None and not fake_backend.messages("AdaptRequest")
    assert not bpy.ops.speechface.cancel.poll()
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_photo_that_is_removed_while_it_is_read_is_said(photos, press):
    from blender_addon.session import session

    operator = press()
    for _ in range(3):
        operator.step()
    for image in photos[1:]:
        bpy.data.images.remove(image)
    while operator.step() == {"PASS_THROUGH"}:
        pass
    assert operator.said == ["A row of the reference images is empty; choose an image or remove the row"]
    assert session.reader is None


@pytest.mark.parametrize("size", [(256, 128), (300, 201), (131, 257)])
def test_steps_change_no_pixel(addon, add_image, size, monkeypatch):
    from blender_addon import slices
    from blender_addon.speakers import reference_images

    monkeypatch.setattr(reference_images, "MAX_SIDE", 64)
    image = add_image(*size)
    at_once = slices.exhaust(reference_images.pixels_of(image))
    monkeypatch.setattr(reference_images, "_STEP_PIXELS", 1 << 10)
    work = list(reference_images.pixels_of(image))
    assert len(work) > 8
    np.testing.assert_array_equal(slices.exhaust(reference_images.pixels_of(image)), at_once)


@pytest.mark.parametrize("rate", [11_025, 44_100, 48_000])
def test_long_sound_is_heard_in_steps_as_at_once(addon, tmp_path, rate, monkeypatch):
    from blender_addon import slices
    from blender_addon.speakers import sound_file

    path = tmp_path / "speech.wav"
    noise = np.random.default_rng(0).normal(0, 4000, rate * 9)
    smooth = np.convolve(noise, np.ones(8) / 8, "same").astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(smooth.tobytes())
    file = sound_file.SoundFile(path, path.name)
    monkeypatch.setattr(sound_file, "_BLOCK_SECONDS", 10.0)
    at_once = slices.exhaust(file.hear(2.1, 8.9)).samples
    monkeypatch.setattr(sound_file, "_BLOCK_SECONDS", 1.0)
    assert len(list(file.hear(2.1, 8.9))) >= 7
    in_steps = slices.exhaust(file.hear(2.1, 8.9)).samples
    assert len(in_steps) == len(at_once)
    assert np.abs(in_steps - at_once).max() < 1e-4 * np.abs(at_once).max()


def test_a_file_that_cannot_be_entered_exactly_is_heard_all_the_same(addon, speech_file, monkeypatch):
    from blender_addon import slices
    from blender_addon.speakers import sound_file

    file = sound_file.SoundFile(speech_file(6.0), "speech.wav")
    exact = file._sound

    def shifted(track):
        class Shifted:
            """Begins 10 ms late wherever it is entered after its beginning, as a file without an index does."""

            specs = exact(track).specs

            @staticmethod
            def limit(start, end):
                return exact(track).limit(start + (0.01 if start > 1.5 else 0), end)

        return Shifted

    at_once = slices.exhaust(file.hear(1.0, 5.0)).samples
    monkeypatch.setattr(file, "_sound", shifted)
    assert np.abs(slices.exhaust(file.hear(1.0, 5.0)).samples - at_once).max() < 1e-4
