"""Tests what `animate` makes of folders of files and of pictures cut by an edge."""

import json

import numpy as np
import pytest
from PIL import Image

from backend_server.identities.pictures import portrait_path


@pytest.mark.slow
def test_a_skipped_file_stands_on_the_console_and_in_the_report(run_command, sound, sample_samples, tmp_path):
    inside = tmp_path / "me"
    inside.mkdir()
    with Image.open(portrait_path()) as portrait:
        portrait.convert("RGB").save(inside / "me.heic", "HEIF")
    (inside / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    speech, out = sound("speech.wav", sample_samples[:8_000], 16_000), inside.with_name("out")
    options = ("--epochs", 0, "--fps", 4, "--out", out)
    result = run_command("animate", speech, "--images", inside, *options)
    assert result.exit_code == 0, result.stderr
    assert "note: broken.jpg: it was left out" in result.stderr
    report = json.loads((out / "report.json").read_text())
    assert report["images"] == ["me.heic"]
    assert [(note["code"], note["about"]) for note in report["notes"]] == [("skipped_file", "broken.jpg")]


@pytest.mark.slow
def test_frames_show_neither_beyond_the_picture_nor_under_transparent_pixels(
    run_command, sound, sample_samples, tmp_path
):
    """The head is cut by the picture's left edge; to its right the user has cut it out, over bright green."""
    with Image.open(portrait_path()) as opened:
        pixels = np.asarray(opened.convert("RGBA")).copy()[:, 185:]
    pixels[:, 90:] = (0, 255, 0, 0)
    Image.fromarray(pixels).save(tmp_path / "me.png")
    speech, out = sound("speech.wav", sample_samples[:8_000], 16_000), tmp_path / "out"
    options = ("--epochs", 1, "--fps", 8, "--intensity", 2, "--out", out)
    result = run_command("animate", speech, "--images", tmp_path / "me.png", *options)
    assert result.exit_code == 0, result.stderr
    crop = np.load(out / "landmarks.npz")["crop"]
    x, y = (line.ravel() for line in np.meshgrid(np.arange(256.0), np.arange(256.0)))
    columns = (crop @ [x, y, np.ones(256 * 256)])[0].reshape(256, 256)
    assert (columns < -4).mean() > 0.05  # so much of the crop lies beyond the edge
    frames = [np.asarray(Image.open(path)) for path in sorted((out / "frames").iterdir())]
    assert len(frames) == 4
    for frame in frames:
        alpha, colours = frame[..., 3], frame[..., :3].astype(int)
        assert alpha[columns < -4].max() == 0
        assert alpha[(columns > 30) & (columns < 70)].mean() > 200
        assert (colours[..., 1] - np.maximum(colours[..., 0], colours[..., 2]))[alpha > 0].max() < 40
