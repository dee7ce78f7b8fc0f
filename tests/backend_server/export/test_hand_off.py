"""A list of words becomes the files asked for, and what cannot be written is said."""

import json
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from backend_server.export import hand_off
from backend_server.export.atlas import Grid
from backend_server.export.frames import FrameFormat, FrameSettings
from backend_server.export.gltf import read_gltf
from backend_server.export.hand_off import NOTHING, HandOff, HandOffs, read_hand_offs
from backend_server.export.head_mesh import head_mesh
from backend_server.export.live_link_csv import read_live_link_csv
from backend_server.export.morphs import MorphAnimation
from backend_server.export.rig_files import write_rig_files
from backend_server.export.tags import synthetic_tags
from backend_server.export.timecode import timecodes
from shared.arkit import SHAPES
from shared.errors import ValueRangeError
from shared.rig.head_file import Head
from shared.rig.presets import open_preset
from shared.timing import FrameRate

NTSC = FrameRate(30, 1.001)
PAGE = (Path(__file__).parents[3] / "docs" / "engines.md").read_text("utf-8")
CURVES = (HandOff.LIVE_LINK, HandOff.LIVE_LINK_SMPTE, HandOff.JSON, HandOff.GLTF)


@pytest.fixture
def head(rng):
    """Two quads in Blender's frame: z up, facing -y."""
    vertices = np.array([[0, 0, 0], [1, 0, 0], [1, 0, 2], [0, 0, 2], [0, -1, 2], [1, -1, 2]], np.float32)
    faces, parts = np.array([[0, 1, 2, 3], [3, 2, 5, 4]], np.int32), np.array([0, 1], np.uint8)
    deltas = rng.normal(0, 0.1, (52, 6, 3)).astype(np.float32)
    return Head(vertices, faces, parts, ("skin", "pupil"), np.zeros((2, 4, 2), np.float32), SHAPES, deltas)


@pytest.fixture
def speech(rng):
    weights = rng.uniform(0, 1, (40, 52)).astype(np.float32)
    return MorphAnimation(SHAPES, weights, NTSC.seconds(np.arange(40)), NTSC.exact, synthetic_tags("abc", 3))


def test_words_with_commas_between():
    assert read_hand_offs("") == NOTHING == HandOffs(frozenset(), None)
    assert read_hand_offs("live-link, gltf,") == HandOffs(frozenset({HandOff.LIVE_LINK, HandOff.GLTF}))
    assert read_hand_offs("atlas:8x4,json") == HandOffs(frozenset({HandOff.ATLAS, HandOff.JSON}), Grid(8, 4))
    assert read_hand_offs("atlas:auto") == read_hand_offs("atlas") == HandOffs(frozenset({HandOff.ATLAS}))


@pytest.mark.parametrize("word", ["unity", "gltf:8x4", "GLTF", "live-link gltf"])
def test_other_words_are_refused_with_what_there_is(word):
    with pytest.raises(ValueRangeError) as caught:
        read_hand_offs(f"json,{word}")
    assert caught.value.sentence == (
        f'--write has no "{word}"; write some of live-link, live-link-smpte, json, gltf, usd, atlas, '
        "or atlas:8x4 for 8 columns and 4 rows, with commas between"
    )


def test_fbx_is_shown_its_way():
    with pytest.raises(ValueRangeError, match=r"FBX is written from Blender, python -m blender_addon hand-off$"):
        read_hand_offs("fbx")


def test_usd_without_its_library_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(hand_off.importlib.util, "find_spec", lambda name: None)
    assert read_hand_offs("gltf").kinds == {HandOff.GLTF}
    with pytest.raises(ValueRangeError, match=r"needs usd-core, which is not installed; .* 'speech-face\[usd\]'"):
        read_hand_offs("usd")


def test_what_an_animation_does_not_have_is_refused():
    atlas, smpte = (HandOffs(frozenset({kind})) for kind in (HandOff.ATLAS, HandOff.LIVE_LINK_SMPTE))
    hand_off.check_hand_offs(atlas, NTSC, has_pictures=True)
    hand_off.check_hand_offs(smpte, NTSC, has_pictures=False)
    with pytest.raises(ValueRangeError, match="--write atlas needs pictures and --no-texture makes none"):
        hand_off.check_hand_offs(atlas, NTSC, has_pictures=False)
    with pytest.raises(ValueRangeError, match=r"12\.5 frames per second are none"):
        hand_off.check_hand_offs(smpte, FrameRate.from_decimal(12.5), has_pictures=True)


def test_files_of_curves_hold_the_same_weights(tmp_path, head, speech):
    hand_off.write_hand_offs(tmp_path, HandOffs(frozenset(CURVES)), speech, NTSC, lambda: head_mesh(head))
    names = {"live_link.csv", "live_link_smpte.csv", "arkit.json", "face.glb"}
    assert {path.name for path in tmp_path.iterdir()} == names
    for name, counted_at in (("live_link.csv", FrameRate(60)), ("live_link_smpte.csv", NTSC)):
        found = read_live_link_csv(tmp_path / name, counted_at)
        np.testing.assert_allclose(found.weights, speech.weights, atol=1e-6)
        np.testing.assert_allclose(found.times, speech.frame_times, atol=2e-5)
    assert (tmp_path / "live_link_smpte.csv").read_text().splitlines()[31].startswith("00:00:01:00.000,61,")
    channels = json.loads((tmp_path / "arkit.json").read_text())["channels"]
    np.testing.assert_allclose(np.array([channels[name] for name in SHAPES]).T, speech.weights, atol=1e-6)
    arkit = [open_preset("arkit")]
    write_rig_files(tmp_path, arkit, speech.weights, speech.frame_times, speech.frame_rate, speech.tags)
    assert (tmp_path / "arkit.json").read_bytes() == (tmp_path / "rig_arkit.json").read_bytes()
    np.testing.assert_allclose(read_gltf(tmp_path / "face.glb").weights, speech.weights, atol=1e-3)


def test_usd_is_written_beside_them(tmp_path, head, speech):
    usd = pytest.importorskip("backend_server.export.usd", reason="usd-core, the extra usd, is not installed")
    hand_off.write_hand_offs(tmp_path, HandOffs(frozenset({HandOff.USD})), speech, NTSC, lambda: head_mesh(head))
    np.testing.assert_allclose(usd.read_usd(tmp_path / "face.usdc").weights, speech.weights, atol=1e-3)


def test_nothing_is_written_and_no_head_read_unless_asked_for(tmp_path, speech):
    def load():
        raise AssertionError

    hand_off.write_hand_offs(tmp_path, NOTHING, speech, NTSC, load)
    assert list(tmp_path.iterdir()) == []
    hand_off.write_hand_offs(tmp_path, HandOffs(frozenset({HandOff.JSON})), speech, NTSC, load)


def test_a_head_stands_upright_and_faces_the_viewer(head):
    mesh = head_mesh(head)
    np.testing.assert_array_equal(mesh.vertices[[2, 4]], [[1, 2, 0], [0, 2, 1]])  # up is y, the face's front +z
    np.testing.assert_allclose(mesh.deltas[..., 1], head.deltas[..., 2])
    np.testing.assert_allclose(mesh.normals(mesh.vertices)[0], [0, 0, 1])
    assert [(paint.name, paint.faces.tolist()) for paint in mesh.paints] == [("skin", [0]), ("pupil", [1])]
    assert mesh.paints[1].colour == pytest.approx([0.02 / 12.92] * 3)  # linear light
    assert mesh.paints[0].colour[0] == pytest.approx(0.6038, abs=1e-4)  # of 0.8


def test_frames_go_to_the_atlas_only_if_there_is_one(tmp_path):
    settings = FrameSettings(FrameFormat.PNG, Fraction(25), (0, 0, 0), synthetic_tags("abc", 3))
    frame = np.zeros((8, 8, 4), np.uint8)
    for wanted, names in (
        (NOTHING, set()),
        (HandOffs(frozenset({HandOff.ATLAS}), Grid(2, 1)), {"atlas_1.png", "atlas_2.png", "atlas.json"}),
    ):
        with hand_off.hand_off_frames(tmp_path, wanted, 3, settings) as take:
            for _ in range(3):
                take(frame)
        assert {path.name for path in tmp_path.iterdir()} == names


def test_the_atlas_is_counted_before_work_begins():
    assert hand_off.hand_off_bytes(NOTHING, 10, 9000, 9000) == 0
    wanted = HandOffs(frozenset({HandOff.ATLAS}))
    assert hand_off.hand_off_bytes(wanted, 10, 256, 256) >= 2 * 256 * 256
    with pytest.raises(ValueRangeError, match="too large for an atlas"):
        hand_off.hand_off_bytes(wanted, 10, 9000, 9000)


def test_the_page_has_every_word_and_the_right_timecodes():
    words = re.findall(r"^\| `([a-z-]+)`", PAGE, re.MULTILINE)
    assert words == list(HandOff)
    rows = re.findall(r"^\| frame (\d+) at ([\d.]+) \| `([\d:.]+)` \| `([\d:.]+)` \|$", PAGE, re.MULTILINE)
    assert len(rows) == 5
    for frame, decimal, sixtieths, smpte in rows:
        rate = FrameRate.from_decimal(float(decimal))
        seconds = rate.seconds(np.array([int(frame)]))
        assert [*timecodes(seconds, FrameRate(60)), *timecodes(seconds, rate)] == [sixtieths, smpte]
