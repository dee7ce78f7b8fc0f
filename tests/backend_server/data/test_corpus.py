import dataclasses
import wave

import cv2
import numpy as np
import pytest

from backend_server.data.corpus import Corpus, long_enough
from shared import arkit
from shared.errors import CorpusError


@pytest.fixture
def corpus(tmp_path):
    """One clip of two frames, written by hand."""
    folder = tmp_path / "ann" / "one"
    (folder / "faces").mkdir(parents=True)
    for number, shade in ((1, 40), (2, 200)):
        cv2.imwrite(str(folder / "faces" / f"{number:04d}.jpg"), np.full((256, 256, 3), (0, 0, shade), np.uint8))
    with wave.open(str(folder / "speech.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(np.array([0, 16384, -32768], "<i2").tobytes())
    points = np.zeros((2, 68, 2), np.float32)
    np.savez(
        folder / "landmarks.npz",
        frame_times=np.array([0.0, 0.04]),
        landmarks=points,
        canonical=points + 1,
        neutral=points[0],
        crop=np.eye(2, 3, dtype=np.float32),
    )
    np.savez(folder / "arkit.npz", names=arkit.SHAPES, weights=np.full((2, 52), 0.5, np.float32))
    np.savez(tmp_path / "canonical.npz", neutral_canonical=points[0] + 2)
    (tmp_path / "index.tsv").write_text(
        'speaker\tclip\tsplit\tseconds\tframes\ttext\nann\tone\ttrain\t0.080\t2\tsay "no" now\n'
    )
    return tmp_path


def test_a_corpus_is_read_as_it_was_written(corpus):
    [clip] = Corpus(corpus).clips()
    assert (clip.speaker, clip.name, clip.split, clip.seconds, clip.frame_count) == ("ann", "one", "train", 0.08, 2)
    assert clip.text == 'say "no" now'
    np.testing.assert_array_equal(clip.waveform(), [0, 0.5, -1])
    assert clip.landmarks().canonical[0, 0, 0] == 1
    assert clip.arkit().shape == (2, len(arkit.SHAPES))
    assert Corpus(corpus).neutral_canonical[0, 0] == 2
    faces = clip.faces([1])
    assert faces.shape == (1, 256, 256, 3)
    np.testing.assert_allclose(faces[0, 9, 9], (200, 0, 0), atol=3)  # red comes first


def test_clips_are_chosen_by_split_and_speaker(corpus):
    read = Corpus(corpus)
    assert len(read.clips("train", "ann")) == 1
    assert read.clips("val") == read.clips(speaker="bob") == []
    assert read.speakers() == ["ann"]


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 torn"], ids=["empty", "torn"])
@pytest.mark.parametrize("file", ["landmarks.npz", "arkit.npz", "speech.wav", "faces/0001.jpg"])
def test_a_damaged_file_is_named(corpus, file, damage):
    path = corpus / "ann" / "one" / file
    path.write_bytes(damage)
    [clip] = Corpus(corpus).clips()
    with pytest.raises(CorpusError, match="damaged") as error:
        readers = {"landmarks.npz": clip.landmarks, "arkit.npz": clip.arkit, "speech.wav": clip.waveform}
        readers.get(file, clip.faces)()
    assert str(path) in error.value.sentence


def test_a_damaged_canonical_shape_is_named(corpus):
    (corpus / "canonical.npz").write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(CorpusError, match=r"canonical\.npz"):
        _ = Corpus(corpus).neutral_canonical


def test_a_folder_without_a_corpus_says_how_to_make_one(tmp_path):
    with pytest.raises(CorpusError, match="backend_server prepare"):
        Corpus(tmp_path)
    (tmp_path / "index.tsv").write_text("speaker\tfile\n")
    with pytest.raises(CorpusError, match="columns"):
        Corpus(tmp_path)


def test_clips_much_shorter_than_the_others_are_left_out(corpus, caplog):
    [clip] = Corpus(corpus).clips()
    clips = [dataclasses.replace(clip, frame_count=frames) for frames in (100, 10, 75, 90, 79, 80)]
    assert [one.frame_count for one in long_enough(clips)] == [100, 75, 90, 79, 80]
    assert "left out: 1 of 6 clips, shorter than 64 frames" in caplog.text
    assert [one.frame_count for one in long_enough(clips, 10)] == [100, 10, 75, 90, 79, 80]
    assert long_enough([]) == []
