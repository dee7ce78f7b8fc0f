"""Tests that manifests of every kind are read, and that all that is wrong with one is said at once."""

import os
import time

import pytest

from backend_server.batch.manifest import ManifestError, Problem, check_lines, read_lines, refuse
from backend_server.batch.order import Character, Output
from backend_server.batch.run import BatchSettings, Order, checked_jobs
from shared.errors import ValueRangeError
from shared.timing import FrameRate

USUAL_RATE = FrameRate(25)


@pytest.fixture
def sounds(tmp_path):
    """A folder with three files that are there and can be read."""
    (tmp_path / "vo" / "act 1").mkdir(parents=True)
    for name in ("vo/a.wav", "vo/act 1/b.wav", "c.wav"):
        (tmp_path / name).write_bytes(b"RIFF")
    return tmp_path


@pytest.fixture
def read(sounds):
    """Reads a manifest with this content: its lines and its problems."""

    def run(content, outputs=("curves",)):
        path = sounds / "lines.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        problems = []
        return read_lines(path, outputs, problems), problems

    return run


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte-order mark"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_tables_as_spreadsheets_save_them(read, sounds, mark, delimiter, end):
    rows = [
        ["Line ID", "Text", "Audio file", "Character", "Language", "Outputs"],
        ["a_01", '"Yes, ""sir""; now"', "vo/a.wav", "hero", "en", "curves rig"],
        ["", "", "", "", "", ""],
        ["ß-日本", '"two\nlines"', "vo\\act 1\\b.wav", "", "pt-BR", ""],
    ]
    lines, problems = read(mark + (end.join(delimiter.join(row) for row in rows) + end).encode())
    assert problems == []
    assert [(line.row, line.id, line.audio, line.character, line.language, line.outputs) for line in lines] == [
        (2, "a_01", str(sounds / "vo/a.wav"), "hero", "en", ("curves", "rig")),
        (4, "ß-日本", str(sounds / "vo/act 1/b.wav"), "", "pt-BR", ("curves",)),
    ]


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        (",vo/a.wav", "it has no ID"),
        ("x,", "it names no sound"),
        ("x,vo/none.wav", "vo/none.wav cannot be read (No such file or directory)"),
        ("x,vo", "vo is no file"),
        ("x,empty.wav", "empty.wav is empty (0 bytes)"),
        (r"x,D:\vo\a.wav", r"D:\vo\a.wav lies on a drive of Windows"),
        ("x,a\0b.wav", "cannot be read"),
        ("a/b,c.wav", 'the ID "a/b" names the folder of the line'),
        ("con,c.wav", "reserved name"),
        ("end.,c.wav", 'the ID "end." names the folder'),
        ("..,c.wav", "is a name that the batch itself needs"),
        (".batch,c.wav", "is a name that the batch itself needs"),
        ("Report.CSV,c.wav", "is a name that the batch itself needs"),
        ("x" * 200 + ",c.wav", "invalid string length"),
        ("x,c.wav,,,en_US", 'the language is "en_US"'),
        ("x,c.wav,,curves+dance", 'there is no output "dance"'),
        ("x,c.wav,,png mov", "png and mov are both pictures"),
        ("x,c.wav,Yes, I do,,en,more", "it has 7 cells and the heading 5"),
    ],
)
def test_each_bad_row_is_told_with_its_number(read, sounds, cells, sentence):
    (sounds / "empty.wav").touch()
    _, problems = read(f"id,audio,text,outputs,language\ngood,c.wav\n{cells}\n")
    assert [problem.row for problem in problems] == [3]
    assert sentence in problems[0].sentence


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="this user may read every file")
def test_a_sound_that_may_not_be_read_is_told(read, sounds):
    (sounds / "c.wav").chmod(0)
    _, problems = read("id,audio\nx,c.wav\n")
    assert "Permission denied" in problems[0].sentence


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "names no column id, only nothing"),
        ("name;text\nx;y\n", "names no column audio"),
        ("x,c.wav\ny,c.wav\n", "names no column id"),
        ("id,audio,Sound\nx,c.wav,c.wav\n", 'the columns "audio" and "Sound", which both mean audio'),
        ("id,audio\n", "holds no lines"),
        ("id,audio\nx,c.wav\nü,c.wav\n".encode("latin-1"), "row 3 of"),
        ('id,audio\nx,"' + "c" * 200_000 + '"\n', "cannot be read beyond row 1"),
    ],
)
def test_what_is_no_table_of_lines_is_refused(read, content, sentence):
    with pytest.raises(ValueRangeError) as caught:
        read(content)
    assert sentence in caught.value.sentence


def test_a_manifest_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ValueRangeError, match="cannot be read"):
        read_lines(tmp_path / "none.csv", ("curves",), [])


def test_a_folder_stands_for_the_sounds_in_it(sounds):
    (sounds / "notes.txt").write_text("no sound")
    (sounds / ".hidden.wav").write_bytes(b"RIFF")
    problems = []
    lines = read_lines(sounds, ("arkit",), problems)
    assert [(line.id, line.audio) for line in lines] == [
        ("c", str(sounds / "c.wav")),
        ("a", str(sounds / "vo/a.wav")),
        ("b", str(sounds / "vo/act 1/b.wav")),
    ]
    assert problems == []


def checked(read, content, *characters, frame_rate=USUAL_RATE):
    lines, problems = read(content)
    lines = check_lines(lines, {one.name: one for one in characters}, frame_rate, problems)
    return lines, [str(problem) for problem in problems]


def test_ids_that_differ_in_case_or_accents_alone_are_one(read):
    content = "id,audio\nStraße,c.wav\nSTRASSE,c.wav\ncafe\u0301,c.wav\ncaf\u00e9,c.wav\n"
    _, problems = checked(read, content)
    assert problems == [
        'row 3: the ID "STRASSE" is that of row 2 too; give each its own',
        'row 5: the ID "caf\u00e9" is that of row 4 too; give each its own',
    ]


def test_lines_get_their_characters(read):
    hero, crowd = Character("hero", images=("x.png",)), Character("crowd")
    lines, problems = checked(read, "id,audio\nx,c.wav\n", hero)
    assert (lines[0].character, problems) == ("hero", [])  # the only one there is
    _, problems = checked(read, "id,audio,character\nx,c.wav,\ny,c.wav,heor\n", hero, crowd)
    assert problems == [
        "row 2: it names no character; choose one of: crowd, hero",
        'row 3: there is no character "heor"; described are: crowd, hero',
    ]
    _, problems = checked(read, "id,audio,character\nx,c.wav,hero\n")
    assert "--characters was not given" in problems[0]


def test_outputs_must_fit_the_character_and_each_other(read):
    content = (
        "id,audio,character,outputs\na,c.wav,crowd,png\nb,c.wav,crowd,rig\nc,c.wav,hero,atlas\nd,c.wav,hero,atlas:0x2"
    )
    content += "\ne,c.wav,hero,live-link-smpte\n"
    characters = Character("hero", images=("x.png",)), Character("crowd")
    _, problems = checked(read, content, *characters, frame_rate=FrameRate.from_decimal(12.3))
    assert "no face for the output png" in problems[0]
    assert "no rig for the output rig" in problems[1]
    assert "the output atlas is made of pictures" in problems[2]
    assert problems[3].startswith("row 5: ")
    assert problems[4].startswith("row 6: ")
    assert len(problems) == 5


def test_all_problems_are_told_together_in_the_order_of_rows():
    with pytest.raises(ManifestError) as caught:
        refuse([Problem(9, "nine"), Problem(0, "all"), Problem(3, "three")], "lines.csv")
    assert "lines.csv has 3 problems, so nothing was done" in caught.value.sentence
    assert caught.value.detail == "all\nrow 3: three\nrow 9: nine"


def test_ten_thousand_lines_are_checked_in_seconds(sounds, tmp_path):
    rows = [f"line_{number:05d},vo\\act 1\\b.wav,en,arkit live-link" for number in range(10_000)]
    rows[7000] = "line_00001,vo/none.wav,en,"
    path = sounds / "lines.csv"
    path.write_text("id,audio,language,outputs\n" + "\n".join(rows), encoding="utf-8-sig")
    settings = BatchSettings(Order(str(path), outputs=(Output.CURVES,)), tmp_path / "out")
    start = time.process_time()
    with pytest.raises(ManifestError) as caught:
        checked_jobs(settings)
    assert time.process_time() - start < 10
    assert [line.split(":")[0] for line in caught.value.detail.splitlines()] == ["row 7002", "row 7002"]
    rows[7000] = "line_07000,c.wav,en,"
    path.write_text("id,audio,language,outputs\n" + "\n".join(rows))
    assert len(checked_jobs(settings)[1]) == 10_000
