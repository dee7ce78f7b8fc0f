"""Tests what the animate command writes."""

import json

import av
import numpy as np
import pytest
from PIL import Image

from backend_server.face.crop import to_source
from backend_server.identities.pictures import portrait_path
from backend_server.metrics.landmarks import correlation, mouth_opening
from shared.arkit import SHAPES
from shared.landmarks import NAMES


def test_curves_alone_have_ceil_duration_times_rate_frames(run_command, sound, sample_samples, tmp_path):
    speech = sound("speech.wav", sample_samples[:20_001], 16_000)  # 1.2500625 s
    out = tmp_path / "out"
    result = run_command("animate", speech, "--no-texture", "--fps", "24", "--out", out)
    assert result.exit_code == 0, result.stderr
    arrays = np.load(out / "landmarks.npz")
    assert arrays["frame_times"].shape == (31,)  # ceil(30.0015)
    assert arrays["canonical"].shape == arrays["landmarks"].shape == (31, 68, 2)
    assert arrays["neutral"].shape == (68, 2)
    assert arrays["crop"].shape == (2, 3)
    assert "Synthetic media" in json.loads(str(arrays["metadata"]))["Description"]
    curves = json.loads((out / "curves.json").read_text())
    assert list(curves["curves"]) == list(NAMES)
    assert curves["curves"]["jaw_08"]["y"] == pytest.approx(arrays["landmarks"][:, 8, 1], abs=1e-3)
    lines = (out / "arkit.csv").read_text().splitlines()
    assert lines[0] == ",".join(("time", *SHAPES))
    table = np.array([line.split(",") for line in lines[1:]], np.float64)
    assert table.shape == (31, 53)
    np.testing.assert_allclose(table[:, 0], arrays["frame_times"], atol=1e-4)
    opening = mouth_opening(arrays["canonical"])
    assert correlation(table[:, 1 + SHAPES.index("jawOpen")], opening) > 0.8
    made = {"landmarks.npz", "curves.json", "arkit.csv", "contact_sheet.png", "report.json"}
    assert {p.name for p in out.iterdir()} == made | {".speech_face.json"}


@pytest.mark.slow
def test_a_textured_animation_is_complete_and_tagged(run_command, sound, sample_samples, tmp_path):
    positions = np.arange(int(1.5 * 44_100)) * 16_000 / 44_100
    left = np.interp(positions, np.arange(len(sample_samples)), sample_samples)
    speech = sound("speech.wav", np.stack([left, 0.5 * left], axis=1), 44_100)
    out = tmp_path / "out"
    result = run_command("animate", speech, "--images", portrait_path(), "--epochs", "1", "--fps", "12", "--out", out)
    assert result.exit_code == 0, result.stderr
    frames = sorted((out / "frames").iterdir())
    assert [f.name for f in frames] == [f"frame_{n:04d}.png" for n in range(1, 19)]
    with Image.open(frames[0]) as picture:
        assert picture.size == (256, 256)
        assert picture.mode == "RGBA"
        assert "Synthetic media" in picture.text["Description"]  # pyright: ignore[reportAttributeAccessIssue]
        alpha = np.asarray(picture)[..., 3]
    assert alpha.max() == 255
    assert alpha.min() == 0
    with av.open(str(out / "preview.mp4")) as film:
        assert film.streams.video[0].frames == 18
        audio = film.streams.audio[0]
        assert (audio.sample_rate, audio.codec_context.layout.nb_channels) == (44_100, 2)  # as it was given
    report = json.loads((out / "report.json").read_text())
    assert report["frames"] == 18
    assert {"load", "speech", "motion", "blink", "texture"} <= set(report["seconds_per_stage"])


@pytest.mark.slow
def test_full_frames_have_the_size_of_their_picture(run_command, sound, sample_samples, tmp_path):
    with Image.open(portrait_path()) as portrait:
        picture = portrait.convert("RGB").crop((0, 0, 511, 401))
    picture.save(tmp_path / "me.png")
    speech = sound("speech.wav", sample_samples, 16_000)
    out = tmp_path / "out"
    options = ("--full-frame", "--epochs", 0, "--fps", 6)
    result = run_command("animate", speech, "--images", tmp_path / "me.png", *options, "--out", out)
    assert result.exit_code == 0, result.stderr
    frames = np.stack([np.asarray(Image.open(path)) for path in sorted((out / "frames").iterdir())])
    assert frames.shape == (9, 401, 511, 3)
    changes = np.abs(frames.astype(int) - np.asarray(picture)).max((0, 3))
    arrays = np.load(out / "landmarks.npz")
    mouth = to_source(arrays["neutral"][48:].mean(0), arrays["crop"]).astype(int)
    assert changes[mouth[1] - 10 : mouth[1] + 10, mouth[0] - 10 : mouth[0] + 10].max() > 30
    assert changes[300:].max() == 0
    assert changes[:, 400:].max() == 0
    with av.open(str(out / "preview.mp4")) as film:
        assert (film.streams.video[0].width, film.streams.video[0].height) == (510, 400)
    assert json.loads((out / "report.json").read_text())["full_frame"] is True


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "is_full"), [("exr", True), ("mp4", False), ("mov", False), ("webm", True)])
def test_frames_in_other_formats(run_command, sound, sample_samples, tmp_path, kind, is_full):
    speech = sound("speech.wav", sample_samples, 16_000)
    out = tmp_path / "out"
    options = ("--epochs", 0, "--fps", 4, "--seed", 7, "--frames-as", kind, *(["--full-frame"] if is_full else []))
    result = run_command("animate", speech, "--images", portrait_path(), *options, "--out", out)
    assert result.exit_code == 0, result.stderr
    common = {"landmarks.npz", "curves.json", "arkit.csv", "contact_sheet.png", "report.json", ".speech_face.json"}
    own = {"film.mp4"} if kind == "mp4" else {"preview.mp4", "frames" if kind == "exr" else f"film.{kind}"}
    assert {p.name for p in out.iterdir()} == common | own
    side = 512 if is_full else 256
    if kind == "exr":
        assert sorted(f.name for f in (out / "frames").iterdir()) == [f"frame_000{n}.exr" for n in range(1, 7)]
    else:
        with av.open(str(out / f"film.{kind}")) as film:
            assert film.streams.video[0].average_rate == 4
            assert {name.lower(): text for name, text in film.metadata.items()}["seed"] == "7"
            assert sum(f.samples / f.sample_rate for f in film.decode(audio=0)) == pytest.approx(1.5, abs=0.13)
        with av.open(str(out / f"film.{kind}")) as film:
            assert [(f.width, f.height) for f in film.decode(video=0)] == [(side, side)] * 6
    with Image.open(out / "contact_sheet.png") as sheet:
        assert sheet.info["Seed"] == "7"
    report = json.loads((out / "report.json").read_text())
    assert report["frames_as"] == kind
    assert report["metadata"]["Seed"] == "7"


def test_the_same_seed_gives_the_same_landmarks(run_command, sound, sample_samples, tmp_path):
    speech = sound("speech.wav", sample_samples, 16_000)
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        done = run_command("animate", speech, "--no-texture", "--seed", seed, "--out", tmp_path / name)
        assert done.exit_code == 0, done.stderr
    a, b, c = (np.load(tmp_path / name / "landmarks.npz")["landmarks"] for name in "abc")
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


def test_controls_shape_the_curves_and_stand_in_the_report(run_command, sound, sample_samples, tmp_path):
    speech = sound("speech.wav", sample_samples, 16_000)
    options = (
        "--intensity",
        0,
        "--liveliness",
        0,
        "--silence",
        1,
        "--smoothing",
        0.04,
        "--lead",
        0.1,
        "--blink-frequency",
        2,
    )
    done = run_command("animate", speech, "--no-texture", "--no-blink", *options, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    arrays = np.load(tmp_path / "out" / "landmarks.npz")
    assert np.ptp(arrays["canonical"], axis=0).max() == 0
    shapes = np.loadtxt(tmp_path / "out" / "arkit.csv", delimiter=",", skiprows=1)[:, 1:]
    assert not shapes.any()
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["controls"] == {
        **{"silence": 1, "intensity": 0, "smoothing": 0.04, "lead": 0.1},
        **{"blink_gain": 1, "blink_frequency": 2, "blink_duration": 1},
        **dict.fromkeys(("jaw", "lips", "brows", "eyes"), 1),
        "liveliness": 0,
    }
