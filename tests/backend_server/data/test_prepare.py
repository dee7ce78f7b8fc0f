import errno
import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from backend_server.data.corpus import Corpus
from backend_server.data.prepare import _first_of_each, prepare
from backend_server.data.sources import Source
from backend_server.retarget import retarget, stabilise
from shared import arkit
from shared.errors import Cancelled, CorpusError, NoSpaceError, ValueRangeError

GRID = Path(__file__).resolve().parents[4] / "shared" / "data" / "grid"


@pytest.fixture(scope="session")
def videos(tmp_path_factory, make_video):
    """Two speakers with one good clip each, and one clip for every reason to refuse."""
    folder = tmp_path_factory.mktemp("videos")
    make_video(folder / "ann" / "one.mp4")
    make_video(folder / "bob" / "two.mpg", face_pixels=90)
    make_video(folder / "bad" / "silent.mp4", has_sound=False)
    make_video(folder / "bad" / "short.mp4", seconds=0.6)
    make_video(folder / "bad" / "small.mp4", face_pixels=45)
    make_video(folder / "bad" / "empty_room.mp4", faces=0)
    make_video(folder / "bad" / "two_people.mp4", faces=2, face_pixels=80)
    make_video(folder / "bad" / "slow.mp4", fps=10)
    (folder / "bad" / "nothing.avi").write_bytes(b"")
    (folder / "bad" / "text.mov").write_text("this is no video")
    (folder / "index.tsv").write_text(
        "speaker\tfile\tsplit\ttext\nann\tone.mp4\ttrain\tbin blue  at f\nbob\ttwo.mpg\tval\tset red\n"
    )
    return folder


@pytest.fixture(scope="session")
def prepared(videos, tmp_path_factory):
    out = tmp_path_factory.mktemp("corpus")
    return out, prepare(videos, out, workers=1)


def test_refusals_name_the_clip_and_the_reason(prepared):
    out, report = prepared
    reasons = {Path(r.video).name: r.reason for r in report.refused}
    expected = {
        "silent.mp4": "no sound",
        "short.mp4": "s long",
        "small.mp4": "pixels large",
        "empty_room.mp4": "no face",
        "two_people.mp4": "several faces",
        "slow.mp4": "10.0 frames/s",
        "nothing.avi": "cannot be read",
        "text.mov": "cannot be read",
    }
    assert set(reasons) == set(expected)
    for name, words in expected.items():
        assert words in reasons[name], (name, reasons[name])
    written = json.loads((out / "report.json").read_text())
    assert written["clips"] == 2
    assert len(written["refused"]) == 8
    assert "two_people.mp4" in (out / "report.md").read_text()


def test_nothing_half_written_is_left(prepared):
    out, _ = prepared
    names = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file() and p.suffix != ".jpg"}
    files = ("speech.wav", "landmarks.npz", "arkit.npz")
    clip_files = {f"{clip}/{file}" for clip in ("ann/one", "bob/two") for file in files}
    assert names == clip_files | {"index.tsv", "canonical.npz", "report.json", "report.md"}


def test_a_clip_holds_what_the_video_shows(prepared):
    corpus = Corpus(prepared[0])
    clip = corpus.clips(speaker="ann")[0]
    arrays = clip.landmarks()
    assert (clip.split, clip.text, clip.frame_count) == ("train", "bin blue at f", 35)
    np.testing.assert_allclose(arrays.frame_times, np.arange(35) / 25, atol=1e-6)
    assert clip.faces().shape == (35, 256, 256, 3)
    assert arrays.landmarks.shape == arrays.canonical.shape == (35, 68, 2)
    assert clip.arkit().shape == (35, 52)
    assert np.ptp(clip.arkit()[:, arkit.SHAPES.index("eyeLookInLeft")]) > 0
    assert not clip.arkit()[:, arkit.SHAPES.index("tongueOut")].any()
    assert clip.seconds == pytest.approx(1.4, abs=0.03)
    sound = clip.waveform()
    assert np.argmax(np.abs(sound) > 0.1) / 16000 == pytest.approx(0.8, abs=0.005)


def test_the_crop_stays_while_the_head_sways(prepared):
    """The made face sways by 3 pixels and does not speak: landmarks move with it, canonical ones do not."""
    clip = Corpus(prepared[0]).clips(speaker="ann")[0]
    arrays = clip.landmarks()
    scale = np.sqrt(np.linalg.det(arrays.crop[:, :2]))
    expected = 3 * np.sin(np.arange(35) / 3) / scale
    nose = arrays.landmarks[:, 30, 0]
    np.testing.assert_allclose(nose - nose.mean(), expected - expected.mean(), atol=1.0)
    assert np.ptp(arrays.canonical[:, 30], axis=0).max() < 0.03


def test_canonical_landmarks_lead_back_to_the_clip(prepared):
    corpus = Corpus(prepared[0])
    for clip in corpus.clips():
        arrays = clip.landmarks()
        back = retarget(arrays.canonical, corpus.neutral_canonical, arrays.neutral)
        np.testing.assert_allclose(back, stabilise(arrays.landmarks, arrays.neutral), atol=0.01)


def test_the_canonical_shape_comes_from_training_speakers_only(prepared):
    corpus = Corpus(prepared[0])
    assert corpus.speakers("train") == ["ann"]
    assert corpus.speakers("val") == ["bob"]
    at_rest = corpus.neutral_canonical
    np.testing.assert_allclose(at_rest.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(at_rest[42:48].mean(0) - at_rest[36:42].mean(0), (1, 0), atol=1e-6)


def test_a_second_run_keeps_the_clips(videos, prepared):
    out, _ = prepared
    before = (out / "ann" / "one" / "faces" / "0001.jpg").stat().st_mtime_ns
    report = prepare(videos, out, workers=1)
    assert (report.clips, report.reused) == (2, 2)
    assert (out / "ann" / "one" / "faces" / "0001.jpg").stat().st_mtime_ns == before


def test_clips_of_an_earlier_version_are_made_anew(videos, prepared, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(prepared[0], out)
    (out / "ann" / "one" / "arkit.npz").unlink()
    report = prepare(videos, out, workers=1)
    assert (report.clips, report.reused) == (2, 1)
    assert Corpus(out).clips(speaker="ann")[0].arkit().shape == (35, 52)


def test_cancelling_leaves_whole_clips_and_a_later_run_ends_the_work(tmp_path, make_video):
    for name in ("a", "b"):
        make_video(tmp_path / "eve" / f"{name}.mp4", seconds=1.1)

    def stop_after_one(stage: str, step: int, steps: int) -> None:
        if step == 1:
            raise Cancelled

    with pytest.raises(Cancelled):
        prepare(tmp_path / "eve", tmp_path / "out", workers=1, progress=stop_after_one)
    assert [p.name for p in (tmp_path / "out" / "eve").iterdir()] == ["a"]
    with pytest.raises(CorpusError, match="holds no corpus"):
        Corpus(tmp_path / "out")
    report = prepare(tmp_path / "eve", tmp_path / "out", workers=1)
    assert (report.clips, report.reused) == (2, 1)


@pytest.mark.slow
def test_several_processes_give_the_same_corpus(videos, prepared, tmp_path):
    steps: list[tuple[str, int, int]] = []
    report = prepare(videos, tmp_path, workers=2, progress=lambda *step: steps.append(step))
    assert report.clips == 2
    assert [s[1] for s in steps if s[0] == "prepare"] == list(range(11))
    assert threading.active_count() < 50
    for clip, same in zip(Corpus(tmp_path).clips(), Corpus(prepared[0]).clips(), strict=True):
        np.testing.assert_allclose(clip.landmarks().canonical, same.landmarks().canonical, atol=1e-3)


def test_folders_that_give_no_corpus_are_named(tmp_path, make_video):
    with pytest.raises(CorpusError, match="no folder"):
        prepare(tmp_path / "absent", tmp_path / "out")
    with pytest.raises(CorpusError, match="No video"):
        prepare(tmp_path, tmp_path / "out")
    (tmp_path / "a.mp4").write_bytes(b"")
    with pytest.raises(CorpusError, match=r"None of the 1 videos can be used.*a\.mp4"):
        prepare(tmp_path, tmp_path / "out", workers=1)
    with pytest.raises(ValueRangeError, match="-1"):
        prepare(tmp_path, tmp_path / "out", workers=-1)


def test_a_full_disk_is_named(tmp_path, make_video, monkeypatch):
    def fill(self, video, folder, partial):
        raise OSError(errno.ENOSPC, "No space left on device")

    make_video(tmp_path / "a.mp4", seconds=0.1)
    monkeypatch.setattr("backend_server.data.clip.ClipMaker.make", fill)
    with pytest.raises(NoSpaceError, match="is full"):
        prepare(tmp_path, tmp_path / "out", workers=1)


@pytest.mark.corpus
@pytest.mark.skipif(not GRID.is_dir(), reason="the GRID clips are not beside the checkout")
def test_two_grid_clips_open_their_mouths_and_close_them(tmp_path):
    for name in ("bbas2p.mkv", "bbaszn.mkv"):
        (tmp_path / "grid" / "s1").mkdir(parents=True, exist_ok=True)
        (tmp_path / "grid" / "s1" / name).symlink_to(GRID / "s1" / name)
    report = prepare(tmp_path / "grid", tmp_path / "out", workers=1)
    assert (report.clips, report.frames, report.refused) == (2, 150, ())
    for clip in Corpus(tmp_path / "out").clips():
        canonical = clip.landmarks().canonical
        opening = np.linalg.norm(canonical[:, 62] - canonical[:, 66], axis=-1)
        assert opening.min() < 0.03
        assert 0.08 < opening.max() < 0.5
        jaw = clip.arkit()[:, arkit.SHAPES.index("jawOpen")]
        assert np.corrcoef(jaw, opening)[0, 1] > 0.8


def test_a_small_corpus_has_the_first_clips_of_each_speaker_and_split():
    people = (("ann", "train"), ("ann", "train"), ("ann", "train"), ("ann", "val"), ("bob", "train"))
    sources = [Source(Path(f"{n}.mp4"), who, str(n), split, "") for n, (who, split) in enumerate(people)]
    assert [s.clip for s in _first_of_each(sources, 2)] == ["0", "1", "3", "4"]
    assert _first_of_each(sources, 0) == sources
