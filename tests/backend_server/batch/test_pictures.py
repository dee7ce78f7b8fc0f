"""Tests the pictures of a batch: frames, films and an atlas are those that the cascade renders for each line."""

import json

import av
import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from backend_server.batch.run import BatchSettings, Order, run_batch
from backend_server.cascade import Cascade
from backend_server.face.images import read_image
from backend_server.identities.pictures import portrait_path
from backend_server.speech.recording import FileSound, listen
from shared.timing import FrameRate, frame_times

pytestmark = pytest.mark.slow
SECONDS, FRAMES = 0.36, 9  # at 25 frames a second


@pytest.fixture
def studio(tmp_path, speech):
    """Three lines of one character with a picture: frames with an atlas, a film, and curves alone."""
    (tmp_path / "vo").mkdir()
    rows = ["id,audio,outputs"]
    for number, (name, outputs) in enumerate({"a": "png curves atlas:4x2", "b": "mp4", "c": "curves"}.items()):
        first, length = 16_000 * number, round(16_000 * SECONDS)
        soundfile.write(tmp_path / "vo" / f"{name}.wav", speech[first : first + length], 16_000)
        rows.append(f"{name},vo/{name}.wav,{outputs}")
    (tmp_path / "lines.csv").write_text("\n".join(rows))
    hero = {"images": [str(portrait_path())], "epochs": 0}
    document = {"format": "speech_face.characters", "version": 1, "characters": {"hero": hero}}
    (tmp_path / "characters.json").write_text(json.dumps(document))
    return tmp_path


def run(folder):
    order = Order(str(folder / "lines.csv"), str(folder / "characters.json"))
    settings = BatchSettings(order, folder / "out", jobs=1, device="cpu")
    return str(run_batch(settings, lambda *_: None, lambda _: None, pytest.fail))


def film(path):
    """The pictures (T, H, W, 3) of a film, its frame rate, and the seconds of its sound."""
    with av.open(path) as container:
        pictures = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
        rate = container.streams.video[0].average_rate
    with av.open(path) as container:
        seconds = sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))
    return pictures, rate, seconds


def rendered(studio, name):
    """What the cascade makes of the same sound, with the seed that is told: (T, 256, 256, 4)."""
    torch.set_num_threads(1)  # as in a worker
    cascade = Cascade.load("cpu")
    identity = cascade.adapt([read_image(portrait_path())], epochs=0)
    recording = listen(FileSound(studio / "vo" / f"{name}.wav"))
    seed = json.loads((studio / "out" / name / "line.json").read_text())["seed"]
    motion = cascade.animate_recording(recording, frame_times(recording.seconds, FrameRate(25)), identity, seed=seed)
    return np.concatenate(list(cascade.render(identity, motion.landmarks))).astype(int)


def test_frames_films_and_an_atlas_show_the_lines(studio):
    assert run(studio) == "3 lines done, 0 failed"
    out = studio / "out"
    made = {
        name: {path.relative_to(out / name).as_posix() for path in (out / name).rglob("*.*")} - {"line.json"}
        for name in "abc"
    }
    names = {f"frames/frame_{number:04d}.png" for number in range(1, FRAMES + 1)}
    assert made == {
        "a": {"curves.json", "preview.mp4", "atlas.json", "atlas_1.png", "atlas_2.png", *names},
        "b": {"film.mp4"},
        "c": {"curves.json"},
    }
    for name, files in made.items():
        assert json.loads((out / name / "line.json").read_text())["files"].keys() == files

    frames = np.stack([np.asarray(Image.open(out / "a" / path)) for path in sorted(names)]).astype(int)
    wanted = rendered(studio, "a")
    assert frames.shape == wanted.shape == (FRAMES, 256, 256, 4)
    assert np.abs(frames - wanted).max() <= 1
    assert np.abs(np.diff(frames, axis=0)).max() > 30  # the mouth moves

    pages = [np.asarray(Image.open(out / "a" / f"atlas_{page}.png")) for page in (1, 2)]
    for number, frame in enumerate(frames):
        page, place = divmod(number, 8)
        row, column = divmod(place, 4)
        np.testing.assert_array_equal(pages[page][256 * row :, 256 * column :][:256, :256], frame)

    is_face = np.broadcast_to((frames[..., 3:] == 255).all(axis=0), (FRAMES, 256, 256, 3))
    for path, most in ((out / "a" / "preview.mp4", 4), (out / "b" / "film.mp4", 12)):  # b says something else
        shown, rate, seconds = film(path)
        assert (len(shown), rate) == (FRAMES, 25)
        assert seconds == pytest.approx(SECONDS, abs=0.1)  # whole blocks of AAC
        assert np.abs(shown - frames[..., :3])[is_face].mean() < most

    (out / "a" / "frames" / "frame_0002.png").unlink()
    assert run(studio) == "1 lines done, 2 unchanged since earlier, 0 failed"
    np.testing.assert_array_equal(Image.open(out / "a" / "frames" / "frame_0002.png"), frames[1])
