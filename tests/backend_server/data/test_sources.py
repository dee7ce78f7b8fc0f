import pytest

from backend_server.data.sources import find_sources
from shared.errors import CorpusError


def lay(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_speakers_are_the_first_folders(tmp_path):
    lay(tmp_path, "s2/b.MP4", "s1/day/a.webm", "s1/notes.txt")
    assert [(s.name, s.split, s.text) for s in find_sources(tmp_path)] == [
        ("s1/day_a", "train", ""),
        ("s2/b", "train", ""),
    ]


def test_a_flat_folder_is_one_speaker_unless_the_index_says_more(tmp_path):
    folder = tmp_path / "studio"
    lay(folder, "a.mp4", "b.mp4")
    assert [s.name for s in find_sources(folder)] == ["studio/a", "studio/b"]
    (folder / "index.tsv").write_text('speaker\tfile\tsplit\ttext\nann\ta.mp4\tval\tsay "no"\n')
    assert [(s.name, s.split, s.text) for s in find_sources(folder)] == [
        ("ann/a", "val", 'say "no"'),
        ("studio/b", "train", ""),
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("s1\ta.mp4\ttest\t", "train or val"),
        ("\ta.mp4\ttrain\t", "columns"),
        ("..\ta.mp4\ttrain\t", "name of a folder"),
    ],
)
def test_a_broken_index_is_named_with_its_line(tmp_path, row, said):
    lay(tmp_path, "a.mp4")
    (tmp_path / "index.tsv").write_text(f"speaker\tfile\tsplit\ttext\n{row}\n")
    with pytest.raises(CorpusError, match=rf"index\.tsv, line 2: .*{said}"):
        find_sources(tmp_path)


def test_two_videos_of_one_name_are_refused(tmp_path):
    lay(tmp_path, "s1/a.mp4", "s1/a.avi")
    with pytest.raises(CorpusError, match="rename one"):
        find_sources(tmp_path)
