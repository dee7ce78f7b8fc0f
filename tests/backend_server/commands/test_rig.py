"""Tests the commands of rigs, and `animate --rig`."""

import csv
import json

import numpy as np
import pytest

from shared.arkit import SHAPES
from shared.errors import ValueRangeError
from shared.rig.mapping import Channel, RigMapping, Source
from shared.rig.mapping_file import load_mapping, save_mapping
from shared.rig.presets import open_preset, preset_names

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def own_mapping(tmp_path):
    """A mapping file whose channels have names that a table must quote."""
    path = tmp_path / "own.json"
    save_mapping(RigMapping("Bob's face", (Channel('mouth, "open"', (Source("jawOpen", 2.0),)), Channel("あ"))), path)
    return path


def test_presets_are_listed(run_command):
    result = run_command("rig", "presets")
    assert result.exit_code == 0, result.stderr
    assert all(name in result.stdout for name in preset_names())
    entries = json.loads(run_command("rig", "presets", "--json").stdout)
    assert [entry["name"] for entry in entries] == list(preset_names())
    assert next(entry["channels"] for entry in entries if entry["name"] == "oculus") == 15


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_is_shown_with_all_its_channels(run_command, name):
    result = run_command("rig", "show", name)
    assert result.exit_code == 0, result.stderr
    assert open_preset(name).channels[0].name.split()[0] in result.stdout


def test_what_show_prints_as_json_is_a_mapping_again(run_command, tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(run_command("rig", "show", "rigify", "--json").stdout, "utf-8")
    assert load_mapping(path) == open_preset("rigify")
    assert "jaw_master" in run_command("rig", "show", path).stdout


def test_a_preset_that_does_not_exist_gets_the_list(run_command):
    result = run_command("rig", "show", "arkti")
    assert result.exit_code == 2
    assert "there is no rig 'arkti'; did you mean \"arkit\"? There are aiueo, arkit, basic" in result.stderr


def test_names_are_detected_and_the_mapping_is_saved(run_command, tmp_path):
    names, saved = tmp_path / "head.txt", tmp_path / "mine.json"
    names.write_text("\ufeffBasis\n\n" + "\n".join(f"Mesh_0_{shape}" for shape in SHAPES) + "\n", "utf-8")
    result = run_command("rig", "detect", "--names", names, "--save", saved)
    assert result.exit_code == 0, result.stderr
    assert "arkit, 100% sure" in result.stdout
    assert [channel.name for channel in load_mapping(saved).channels] == [f"Mesh_0_{shape}" for shape in SHAPES]
    assert run_command("rig", "detect", "--names", names, "--save", saved).exit_code == 0
    names.write_text("Bouche_ouverte\n")
    document = json.loads(run_command("rig", "detect", "--names", names, "--json").stdout)
    assert (document["kind"], document["matches"][0]) == (
        "basic",
        {"name": "Bouche_ouverte", "channel": "mouth open", "score": 0.95},
    )
    assert document["mapping"]["channels"][0]["sources"] == [{"shape": "jawOpen"}]


def test_several_meshes_and_bones(run_command, tmp_path):
    for name, names in (("head", SHAPES), ("teeth", ["jawOpen"]), ("bones", ["root", "Jaw"])):
        (tmp_path / f"{name}.txt").write_text("\n".join(names))
    files = [tmp_path / "head.txt", tmp_path / "teeth.txt"]
    document = json.loads(run_command("rig", "detect", "--names", *files, "--json").stdout)
    assert document["meshes"][str(files[1])] == ["jawOpen"]
    result = run_command("rig", "detect", "--names", tmp_path / "bones.txt")
    assert result.exit_code == 0
    assert "jaw_bone, 40% sure" in result.stdout
    (tmp_path / "none.txt").write_text("Muscular\n")
    result = run_command("rig", "detect", "--names", tmp_path / "none.txt", "--bones", tmp_path / "bones.txt")
    assert "jaw_bone" in result.stdout


def test_names_that_mean_nothing_end_with_1(run_command, tmp_path):
    (tmp_path / "names.txt").write_text("Muscular\nFat\n")
    result = run_command("rig", "detect", "--names", tmp_path / "names.txt", "--save", tmp_path / "mine.json")
    assert result.exit_code == 1
    assert "unknown, 0% sure" in result.stdout
    assert not (tmp_path / "mine.json").exists()


def test_lists_that_cannot_be_read_and_files_that_must_not_be_replaced(run_command, tmp_path):
    result = run_command("rig", "detect", "--names", tmp_path / "lost.txt")
    assert result.exit_code == 2
    assert "lost.txt is no file; give a text with one name a line" in result.stderr
    (tmp_path / "utf16.txt").write_text("jawOpen", "utf-16")
    assert "byte 0 is not UTF-8" in run_command("rig", "detect", "--names", tmp_path / "utf16.txt").stderr
    (tmp_path / "names.txt").write_text("\n".join(SHAPES))
    (tmp_path / "notes.txt").write_text("mine")
    result = run_command("rig", "detect", "--names", tmp_path / "names.txt", "--save", tmp_path / "notes.txt")
    assert result.exit_code == 2
    assert "notes.txt exists and is no mapping; give another file with --save" in result.stderr
    assert (tmp_path / "notes.txt").read_text() == "mine"
    result = run_command("rig", "detect", "--names", tmp_path / "names.txt", "--save", tmp_path / "no" / "mine.json")
    assert result.exit_code == 2
    assert "cannot be written: No such file or directory" in result.stderr


def test_animate_writes_each_rig_beside_the_curves(run_command, sound, sample_samples, tmp_path, own_mapping):
    speech, out = sound("speech.wav", sample_samples, 16_000), tmp_path / "out"
    options = ("--rig", "oculus,rigify", "--rig", "rhubarb", "--mapping", own_mapping, "--fps", 24)
    result = run_command("animate", speech, "--no-texture", *options, "--out", out)
    assert result.exit_code == 0, result.stderr
    arkit = np.loadtxt(out / "arkit.csv", delimiter=",", skiprows=1)[:, 1:]
    for name in ("oculus", "rigify", "rhubarb", "Bob's face"):
        mapping = open_preset(name) if name != "Bob's face" else load_mapping(own_mapping)
        names = [channel.name for channel in mapping.channels]
        with (out / f"rig_{name}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        assert rows[0] == ["time", *names]
        table = np.array(rows[1:], np.float64)
        document = json.loads((out / f"rig_{name}.json").read_text("utf-8"))
        assert document["format"] == "speech_face.rig_curves/1"
        assert (document["rig"], document["frame_rate"]) == (name, [24, 1])
        assert "Synthetic media" in document["metadata"]["Description"]
        assert list(document["channels"]) == names
        np.testing.assert_allclose(np.transpose(list(document["channels"].values())), table[:, 1:], atol=1e-4)
        np.testing.assert_allclose(table[:, 0], document["frame_times"], atol=1e-4)
    own = json.loads((out / "rig_Bob's face.json").read_text("utf-8"))["channels"]['mouth, "open"']
    np.testing.assert_allclose(own, np.minimum(2 * arkit[:, SHAPES.index("jawOpen")], 1), atol=1e-3)
    assert max(own) > 0.1
    assert json.loads((out / "report.json").read_text())["rigs"] == ["oculus", "rigify", "rhubarb", "Bob's face"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--rig", "arkit,oculos"), "there is no rig 'oculos'; did you mean \"oculus\"? There are aiueo, arkit"),
        (("--mapping", "lost.json"), "lost.json is no file; give a mapping in JSON"),
    ],
)
def test_a_rig_that_does_not_exist_ends_before_work_begins(run_command, tmp_path, options, sentence):
    result = run_command("animate", "--no-texture", *options, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert not (tmp_path / "out").exists()


def test_two_mappings_of_one_name_are_refused(tmp_path):
    from backend_server.commands.rig import open_rigs

    save_mapping(RigMapping("Oculus", (Channel("x"),)), tmp_path / "a.json")
    assert [mapping.name for mapping in open_rigs(["oculus, arkit", "oculus"], [])] == ["oculus", "arkit"]
    with pytest.raises(ValueRangeError, match='two mappings have the name "Oculus", and both would be written to'):
        open_rigs(["oculus"], [tmp_path / "a.json"])
