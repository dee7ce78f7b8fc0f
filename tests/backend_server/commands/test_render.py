"""Tests that curves which were written, and perhaps changed, are drawn again."""

import json

import av
import numpy as np
import pytest
from PIL import Image

from backend_server.commands.edited_curves import read_curves
from backend_server.export.json_curves import write_json_curves
from backend_server.export.landmarks_npz import write_landmarks
from backend_server.identities.pictures import portrait_path
from backend_server.identity import load_identity
from shared.errors import ValueRangeError
from shared.timing import FrameRate

RATE = FrameRate.from_decimal(23.976).exact


@pytest.fixture
def landmarks():
    """Twelve frames of a face that opens its mouth, in pixels of the crop."""
    face = np.random.default_rng(0).uniform(40, 220, (68, 2)).astype(np.float32)
    frames = np.tile(face, (12, 1, 1))
    frames[:, 66, 1] += np.arange(12)
    return frames


@pytest.fixture
def written(landmarks, tmp_path):
    """The same frames as both files hold them, from half a second on."""
    times = 0.5 + np.arange(12) / float(RATE)
    write_json_curves(tmp_path / "curves.json", RATE, times, landmarks, landmarks[0], {})
    crop = np.eye(2, 3, dtype=np.float32)
    write_landmarks(tmp_path / "landmarks.npz", times, landmarks, landmarks, landmarks[0], crop, {})
    return tmp_path / "curves.json", tmp_path / "landmarks.npz"


def test_both_files_give_the_same_frames(written, landmarks):
    for path in written:
        curves = read_curves(path)
        np.testing.assert_allclose(curves.landmarks, landmarks, atol=6e-4)
        assert curves.frame_rate == RATE
        part = curves.part(3, 5)
        np.testing.assert_array_equal(part.landmarks, curves.landmarks[2:5])
        assert part.begin_seconds == pytest.approx(0.5 + 2 / float(RATE))
    with pytest.raises(ValueRangeError, match="frames 5 to 13 are not all there; choose some from 1 to 12"):
        curves.part(5, 13)


def spoilt(path, **changes):
    document = json.loads(path.read_text())
    document["curves"]["jaw_08"] |= changes.pop("jaw", {})
    path.write_text(json.dumps(document | changes))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"format": "speech_face.rig_curves/1"}, "its format is 'speech_face.rig_curves/1'"),
        ({"curves": {}}, "the curve jaw_00 is missing"),
        ({"jaw": {"x": [1.0]}}, "its curves have 1, 12 frames"),
        ({"jaw": {"x": [1e6] * 12}}, r"landmark 8 \(jaw_08\) of frame 0 lies at \(1e\+06"),
    ],
)
def test_other_files_are_refused_with_their_name(written, changes, sentence):
    spoilt(written[0], **changes)
    with pytest.raises(ValueRangeError, match=sentence) as caught:
        read_curves(written[0])
    assert str(written[0]) in caught.value.sentence


def test_arrays_without_landmarks_are_refused(tmp_path):
    path = tmp_path / "landmarks.npz"
    for arrays, sentence in (({"a": np.zeros(3)}, "no array 'landmarks"), ({"landmarks": np.zeros((2, 66, 2))}, "66")):
        np.savez(path, **arrays)
        with pytest.raises(ValueRangeError, match=sentence):
            read_curves(path)
    path.write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(ValueRangeError, match="holds no landmark curves"):
        read_curves(path)


@pytest.mark.slow
def test_a_changed_frame_alone_is_drawn_differently(run_command, sound, sample_samples, tmp_path):
    face, out = tmp_path / "face.safetensors", tmp_path / "out"
    adapted = run_command("adapt", "--images", portrait_path(), "--epochs", "0", "--no-sheet", "--out", face)
    assert adapted.exit_code == 0, adapted.stderr
    frames = np.tile(load_identity(face).references.neutral_landmarks, (4, 1, 1))
    frames[3, 55:60, 1] += 12
    frames[3, 65:68, 1] += 12
    np.savez(tmp_path / "edited.npz", landmarks=frames)
    speech = sound("speech.wav", sample_samples, 16_000)
    options = ("--identity", face, "--first", "2", "--fps", "12", "--speech", speech, "--out", out)
    result = run_command("render", tmp_path / "edited.npz", *options)
    assert result.exit_code == 0, result.stderr
    assert "3 frames written" in result.stdout
    pictures = [np.asarray(Image.open(path)) for path in sorted((out / "frames").iterdir())]
    assert len(pictures) == 3
    np.testing.assert_array_equal(pictures[0], pictures[1])
    assert np.abs(pictures[2].astype(int) - pictures[0]).max() > 20
    with av.open(str(out / "preview.mp4")) as film:
        assert film.streams.video[0].frames == 3
        assert film.streams.video[0].average_rate == 12
        assert film.streams.audio
    report = json.loads((out / "report.json").read_text())
    assert (report["frames"], report["first_frame"], report["curves"]) == (3, 2, "edited.npz")


@pytest.mark.slow
def test_a_learnt_face_is_drawn_larger_with_the_photos_own_pixels(run_command, sound, sample_samples, tmp_path):
    """Both commands make the larger face from the file of the face alone."""
    with Image.open(portrait_path()) as portrait:
        enlarged = np.asarray(portrait.convert("RGB").resize((2048, 2048), Image.Resampling.BICUBIC)).astype(int)
    grain = np.random.default_rng(0).integers(-20, 21, (2048, 2048, 1))
    Image.fromarray((enlarged + grain).clip(0, 255).astype(np.uint8)).save(tmp_path / "me.png")
    face = tmp_path / "face.safetensors"
    adapted = run_command("adapt", "--images", tmp_path / "me.png", "--epochs", "0", "--no-sheet", "--out", face)
    assert adapted.exit_code == 0, adapted.stderr
    frames = np.tile(load_identity(face).references.landmarks[:1], (2, 1, 1))
    np.savez(tmp_path / "edited.npz", landmarks=frames)
    speech = sound("speech.wav", sample_samples[:8000], 16_000)
    made = {}
    for name, command in (
        ("render", ("render", tmp_path / "edited.npz")),
        ("animate", ("animate", speech, "--fps", 4, "--liveliness", 0)),
    ):
        for size in (256, 512):
            out = tmp_path / f"{name} {size}"
            result = run_command(*command, "--identity", face, "--size", size, "--out", out)
            assert result.exit_code == 0, result.stderr
            assert "pixels across" not in result.stderr  # there are enough
            made[name, size] = np.asarray(Image.open(out / "frames" / "frame_0001.png"))
            assert made[name, size].shape == (size, size, 4)
            assert json.loads((out / "report.json").read_text())["size"] == size

    def detail(picture):
        return np.abs(np.diff(picture[150:400, 150:350, :3].astype(float), axis=1)).mean()

    for name in ("render", "animate"):
        blown_up = np.asarray(Image.fromarray(made[name, 256]).resize((512, 512), Image.Resampling.BICUBIC))
        assert detail(made[name, 512]) > 1.5 * detail(blown_up)


@pytest.mark.parametrize("command", ["render", "animate"])
def test_other_sizes_are_refused(run_command, tmp_path, written, sound, sample_samples, command):
    made_from = written[0] if command == "render" else sound("speech.wav", sample_samples, 16_000)
    options = ("--identity", "abcdef", "--size", 300, "--out", tmp_path / "out")
    result = run_command(command, made_from, *options)
    assert result.exit_code == 2
    assert "--size is 300; choose one of 256, 512, 1024" in result.stderr
