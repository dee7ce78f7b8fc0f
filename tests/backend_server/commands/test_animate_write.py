"""Tests the files for engines that `animate --write` adds to the others."""

import json

import numpy as np
import pytest
from PIL import Image

from backend_server.export.gltf import read_gltf
from backend_server.export.live_link_csv import read_live_link_csv
from backend_server.identities.pictures import portrait_path
from shared.arkit import SHAPES
from shared.timing import FrameRate


def test_curves_for_engines_hold_the_weights_of_the_table(run_command, sound, sample_samples, tmp_path):
    speech, out = sound("speech.wav", sample_samples, 16_000), tmp_path / "out"
    words = "live-link,live-link-smpte,json,gltf"
    done = run_command("animate", speech, "--no-texture", "--fps", "29.97", "--write", words, "--out", out)
    assert done.exit_code == 0, done.stderr
    table = np.loadtxt(out / "arkit.csv", delimiter=",", skiprows=1)
    times, weights = table[:, 0], table[:, 1:]
    assert weights[:, SHAPES.index("jawOpen")].max() > 0.1
    for name, rate in (("live_link.csv", FrameRate(60)), ("live_link_smpte.csv", FrameRate(30, 1.001))):
        found = read_live_link_csv(out / name, rate)
        np.testing.assert_allclose(found.weights, weights, atol=1e-4)
        np.testing.assert_allclose(found.times, times, atol=1e-4)
    channels = json.loads((out / "arkit.json").read_text())["channels"]
    np.testing.assert_allclose(np.array([channels[name] for name in SHAPES]).T, weights, atol=1e-4)
    found = read_gltf(out / "face.glb")
    assert found.channels == SHAPES
    np.testing.assert_allclose(found.weights, weights, atol=1e-3)
    np.testing.assert_allclose(found.frame_times, times, atol=1e-4)
    report = json.loads((out / "report.json").read_text())
    assert report["also_written"] == ["gltf", "json", "live-link", "live-link-smpte"]


def test_usd_holds_them_too(run_command, sound, sample_samples, tmp_path):
    usd = pytest.importorskip("backend_server.export.usd", reason="usd-core, the extra usd, is not installed")
    speech, out = sound("speech.wav", sample_samples, 16_000), tmp_path / "out"
    done = run_command("animate", speech, "--no-texture", "--write", "usd", "--out", out)
    assert done.exit_code == 0, done.stderr
    table = np.loadtxt(out / "arkit.csv", delimiter=",", skiprows=1)
    np.testing.assert_allclose(usd.read_usd(out / "face.usdc").weights, table[:, 1:], atol=1e-3)


@pytest.mark.slow
def test_the_atlas_holds_the_frames(run_command, sound, sample_samples, tmp_path):
    speech, out = sound("speech.wav", sample_samples, 16_000), tmp_path / "out"
    options = ("--epochs", 0, "--fps", 4, "--write", "atlas:2x2")
    done = run_command("animate", speech, "--images", portrait_path(), *options, "--out", out)
    assert done.exit_code == 0, done.stderr
    textures = json.loads((out / "atlas.json").read_text())["textures"]
    assert [len(texture["frames"]) for texture in textures] == [4, 2]
    entries = [(texture["image"], entry) for texture in textures for entry in texture["frames"]]
    for image, entry in entries:
        box = entry["frame"]
        with Image.open(out / image) as page, Image.open(out / "frames" / f"{entry['filename']}.png") as frame:
            part = page.crop((box["x"], box["y"], box["x"] + box["w"], box["y"] + box["h"]))
            np.testing.assert_array_equal(np.asarray(part), np.asarray(frame))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ("--no-texture", "--write", "maya"),
            'error: --write has no "maya"; write some of live-link, live-link-smpte, ',
        ),
        (("--no-texture", "--write", "atlas"), "error: --write atlas needs pictures and --no-texture makes none; "),
        (("--write", "atlas:8by4"), 'error: an atlas of "8by4" is unknown; write columns and rows as 8x4, or auto'),
        (
            ("--sample-portrait", "--write", "atlas:20x1"),
            "error: an atlas of 20x1 frames of 256 x 256 pixels needs pages",
        ),
        (
            ("--no-texture", "--fps", "12.5", "--write", "live-link-smpte"),
            "error: a timecode counts whole frames, and 12.5",
        ),
    ],
)
def test_what_cannot_be_written_is_said_and_nothing_is(run_command, sound, sample_samples, tmp_path, options, sentence):
    speech, out = sound("speech.wav", sample_samples, 16_000), tmp_path / "out"
    done = run_command("animate", speech, *options, "--out", out)
    assert done.exit_code == 2
    assert done.stderr.strip().splitlines()[-1].startswith(sentence)
    assert not out.exists()
