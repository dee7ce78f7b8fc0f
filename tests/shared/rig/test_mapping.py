"""Tests what a mapping may be, and its file."""

import json
import os

import msgspec
import pytest

from shared.errors import ValueRangeError
from shared.rig.mapping import BoneTarget, Channel, RigMapping, Source
from shared.rig.mapping_file import MAX_BYTES, format_mapping, load_mapping, parse_mapping, save_mapping

JAW = BoneTarget("jaw", "rotation_x", 20, "degrees", 0, 25)
MAPPING = RigMapping(
    "mine",
    (
        Channel("open", (Source("eyeBlinkLeft"), Source("jawOpen", 0.5)), 0.1, 2.0, -0.5, 1.5),
        Channel("jaw", (Source("jawOpen"),), bone=JAW),
        Channel("あ", (Source("mouthFunnel", 0.25),), method="pose", is_mirrored=True),
        Channel("beard", method="held", is_muted=True),
    ),
    "Ours.",
    gain=0.9,
    is_mirrored=True,
    hold_seconds=0.1,
)


def sentence_of(change):
    """What is said of the file of MAPPING after a change of its document."""
    document = json.loads(format_mapping(MAPPING))
    change(document)
    with pytest.raises(ValueRangeError) as caught:
        parse_mapping(json.dumps(document).encode())
    return caught.value.sentence


def test_a_mapping_survives_its_file_and_the_text_repeats(tmp_path):
    path = tmp_path / "mine.json"
    save_mapping(MAPPING, path)
    assert load_mapping(path) == MAPPING
    text = path.read_text("utf-8")
    assert format_mapping(load_mapping(path)) == text
    assert path.stat().st_mode & 0o777 == 0o644 or os.name == "nt"
    assert [p.name for p in tmp_path.iterdir()] == ["mine.json"]


def test_the_file_is_readable_and_leaves_out_defaults():
    mapping = RigMapping("x", (Channel("b", (Source("mouthClose", float("1")), Source("jawOpen", 0.5))), Channel("a")))
    assert format_mapping(mapping) == (
        "{\n"
        '  "format": "speech_face.rig",\n'
        '  "version": 1,\n'
        '  "name": "x",\n'
        '  "channels": [\n'
        '    {"name": "b", "sources": [\n'
        '      {"shape": "jawOpen", "gain": 0.5},\n'
        '      {"shape": "mouthClose"}\n'
        "    ]},\n"
        '    {"name": "a"}\n'
        "  ]\n"
        "}\n"
    )


def test_a_byte_order_mark_is_read_over():
    assert parse_mapping(b"\xef\xbb\xbf" + format_mapping(MAPPING).encode()) == MAPPING


def test_a_save_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "mine.json"
    path.write_text("old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(OSError, match="No space"):
        save_mapping(MAPPING, path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["mine.json"]


def channel(document, number=0):
    return document["channels"][number]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda d: d.update(version=2), "the version is 2 and this release reads 1; update Speech Face"),
        (lambda d: d.update(version="1"), 'version is "1"; give a whole number'),
        (lambda d: d.update(version=0), 'the mapping "mine" is speech_face.rig of version 0; this release knows'),
        (lambda d: d.pop("version"), 'it has no version; add "version": 1'),
        (lambda d: d.pop("format"), 'the format is null; a mapping has "format": "speech_face.rig"'),
        (lambda d: d.update(gian=2), 'the mapping has a field "gian", which does not exist; there are name, channels'),
        (
            lambda d: channel(d).update(gian=2),
            'channels[0] (channel "open") has a field "gian", which does not exist; there are name, sources, offset',
        ),
        (lambda d: channel(d).update(gain="much"), 'channels[0].gain (channel "open") is "much"; give a number'),
        (lambda d: channel(d).update(gain=True), 'channels[0].gain (channel "open") is true; give a number'),
        (lambda d: channel(d).update(is_muted=1), 'channels[0].is_muted (channel "open") is 1; give true or false'),
        (
            lambda d: channel(d).update(method="mean"),
            'channels[0].method (channel "open") is "mean", which does not exist; there are sum, pose, held',
        ),
        (lambda d: channel(d).update(name="jaw"), 'the mapping "mine" has two channels named "jaw"; rename or join'),
        (lambda d: channel(d).update(name=" "), "a channel has the name ' '; give one of 1 to 255 characters"),
        (lambda d: channel(d).update(name="a\nb"), "a channel has the name 'a\\nb'; give one of 1 to 255 characters"),
        (
            lambda d: channel(d).update(name="x" * 256),
            "give one of 1 to 255 characters, none of them a control character",
        ),
        (lambda d: channel(d).pop("name"), "channels[0] has no name; add it"),
        (
            lambda d: channel(d).update(least=1.5),
            'the channel "open" is limited to 1.5 to 1.5; `least` must be below `most`',
        ),
        (
            lambda d: channel(d)["sources"].append({"shape": "jawOpen"}),
            'the channel "open" has the source "jawOpen" twice; join them into one',
        ),
        (
            lambda d: channel(d)["sources"][0].update(shape="jawopn"),
            "'jawopn' is none of ARKit's 52 shapes; did you mean \"jawOpen\"?",
        ),
        (lambda d: channel(d)["sources"][0].update(shape="?"), "'?' is none of ARKit's 52 shapes"),
        (lambda d: channel(d)["sources"][0].update(gain=float("nan")), "it holds the number NaN; give finite numbers"),
        (lambda d: channel(d)["sources"][0].update(gain=10**400), "number out of range"),
        (lambda d: channel(d, 1)["bone"].update(unit="metres"), 'the bone "jaw" is given in metres; rotation_x is in'),
        (
            lambda d: channel(d, 1)["bone"].update(unit="inches"),
            'channels[1].bone.unit (channel "jaw") is "inches", which does not exist; there are degrees, metres',
        ),
        (lambda d: channel(d, 1)["bone"].update(least=30), 'the bone "jaw" is limited to 30 to 25'),
        (lambda d: channel(d, 1)["bone"].update(bone=""), "a bone has the name ''"),
        (
            lambda d: channel(d).update(bone=channel(d, 1)["bone"]),
            'the channels "open" and "jaw" both move rotation_x of the bone "jaw"; join or mute one',
        ),
        (lambda d: d.update(channels=[]), 'the mapping "mine" has 0 channels; give 1 to 4096'),
        (lambda d: d.update(channels={}), "channels is {}; give a list"),
        (lambda d: d.update(name="../mine"), 'the mapping "../mine" cannot name a file; give a name of up to 64'),
        (lambda d: d.update(name="mine."), 'the mapping "mine." cannot name a file; give a name of up to 64'),
        (lambda d: d.update(name="x" * 65), "cannot name a file; give a name of up to 64 characters"),
        (lambda d: d.update(hold_seconds=2), 'the mapping "mine" holds keys for 2 s; choose 0 to 1'),
    ],
)
def test_what_cannot_be_is_refused_with_the_value(change, sentence):
    assert sentence in sentence_of(change)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"[", "line 1, column 2 is not JSON"),
        (b"\xff\xfe{", "byte 0 is not UTF-8; save the file as UTF-8"),
        (b"[" * 100_000, "too deep"),
        (b"3", "the format is 3; a mapping has"),
        (b'{"a": 1, "a": 2}', 'the field "a" stands twice in one object; keep one'),
        (b'{"version": ' + b"1" * 5000 + b"}", "thousands of digits"),
    ],
)
def test_what_is_no_mapping_is_refused(data, sentence):
    with pytest.raises(ValueRangeError) as caught:
        parse_mapping(data)
    assert sentence in caught.value.sentence


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_not_finite_cannot_be_in_a_struct(number):
    for make in (
        lambda: Source("jawOpen", number),
        lambda: Channel("x", offset=number),
        lambda: Channel("x", most=number),
        lambda: RigMapping("x", MAPPING.channels, gain=number),
        lambda: msgspec.structs.replace(JAW, amount=number),
    ):
        with pytest.raises(ValueRangeError, match="give a finite number"):
            make()


def test_names_of_any_language_and_with_any_space_can_be():
    for name in ("ウィンク\u3000右", "Mund\u00a0öffnen", "口-開け", "😀", "a/b:c"):
        mapping = RigMapping("x", (Channel(name),))
        assert parse_mapping(format_mapping(mapping).encode()) == mapping


def test_a_muted_channel_may_share_its_bone():
    muted = msgspec.structs.replace(MAPPING.channels[1], name="other", is_muted=True)
    assert len(RigMapping("x", (MAPPING.channels[1], muted)).channels) == 2


def test_a_file_is_named_in_its_sentence(tmp_path):
    with pytest.raises(ValueRangeError, match=r"lost\.json is no file"):
        load_mapping(tmp_path / "lost.json")
    path = tmp_path / "mine.json"
    path.write_text("{}")
    with pytest.raises(ValueRangeError, match=r"mine\.json: the format is null"):
        load_mapping(path)
    path.write_bytes(b" " * (MAX_BYTES + 1))
    with pytest.raises(ValueRangeError, match=r"has 8\.0 MiB; a mapping has 8 at most"):
        load_mapping(path)
