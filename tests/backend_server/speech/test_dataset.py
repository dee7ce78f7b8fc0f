"""Folders of speech: which rows are used, and that waveforms are read once."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from backend_server.articulation.phones import PHONES, TimedPhone
from backend_server.speech import dataset
from backend_server.speech.audio import read_audio, write_wav
from backend_server.speech.dataset import Utterance, load_examples, read_index, training_sentences, write_phones
from shared.errors import CorpusError


def write_index(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.tsv").write_text(text)
    return folder


def test_rows_of_a_folder_of_files(tone_corpus: Path):
    utterances = read_index(tone_corpus)
    assert [u.split for u in utterances] == ["train"] * 8 + ["val"] * 2
    assert utterances[3].text == "a bad cab"
    assert utterances[3].path == tone_corpus / "3.wav"
    assert {u.corpus for u in utterances} == {tone_corpus.name}


def test_quotes_other_languages_and_unsayable_texts(tmp_path: Path):
    folder = write_index(
        tmp_path,
        'file\tlanguage\ttext\nbooks/p1/a.wav\ten\t"Yes, he said\nb.wav\tde\tja\nc.wav\ten\tin 1984\nd.wav\ten\tno\n',
    )
    assert [(u.text, u.split, u.corpus) for u in read_index(folder)] == [
        ("yes he said", "train", "books"),
        ("no", "train", tmp_path.name),
    ]


def test_a_file_may_stand_in_the_folder_of_its_speaker(tmp_path: Path):
    write_wav(tmp_path / "s1" / "a.wav", np.zeros(100))
    folder = write_index(tmp_path, "speaker\tfile\ttext\ns1\ta.wav\tyes\n")
    assert read_index(folder)[0].path == tmp_path / "s1" / "a.wav"


def test_a_prepared_corpus_names_clips(tmp_path: Path):
    folder = write_index(tmp_path, "speaker\tclip\tsplit\tseconds\tframes\ttext\ns1\tc2\tval\t3\t75\tyes\n")
    (utterance,) = read_index(folder)
    assert utterance.path == tmp_path / "s1" / "c2" / "speech.wav"
    assert (utterance.corpus, utterance.split) == (tmp_path.name, "val")


@pytest.mark.parametrize(
    ("text", "reason"),
    [("file\tspeaker\na.wav\ts1\n", "needs the columns"), ("file\ttext\na.wav\t99\n", "no usable"), ("", "needs")],
)
def test_an_unusable_index_is_refused(tmp_path: Path, text: str, reason: str):
    with pytest.raises(CorpusError, match=reason):
        read_index(write_index(tmp_path, text))
    with pytest.raises(CorpusError, match=r"no .*index\.tsv"):
        read_index(tmp_path / "elsewhere")


def test_phones_stand_in_the_index_or_are_transcribed(tmp_path: Path):
    rows = "file\tlanguage\ttext\tphones\na.wav\tde\tja\tSIL:0.000 Y:0.020 AA:0.05\nb.wav\ten\tpa\t\n"
    folder = write_index(tmp_path, rows)
    for name in ("a.wav", "b.wav"):
        write_wav(folder / name, np.full(3200, 0.1))
    foreign, english = load_examples(read_index(folder), transcribe=lambda text: ("P", "AA"))
    assert (foreign.text, foreign.begins.tolist()) == ("", pytest.approx([0.0, 0.02, 0.05]))
    assert [PHONES[index] for index in foreign.phones] == ["SIL", "Y", "AA"]
    assert ([PHONES[index] for index in english.phones], len(english.begins)) == (["P", "AA"], 0)
    assert write_phones([TimedPhone("B", 0.12, 0.2), TimedPhone("SIL", 0.2, 1.0)]) == "B:0.120 SIL:0.200"


@pytest.mark.parametrize(("phones", "reason"), [("B:x", "cannot be read"), ("B", "cannot be read"), ("QQ:0", "QQ")])
def test_phones_that_cannot_be_read_are_refused(tmp_path: Path, phones: str, reason: str):
    with pytest.raises(CorpusError, match=reason):
        read_index(write_index(tmp_path, f"file\ttext\tphones\na.wav\tyes\t{phones}\n"))


def test_waveforms_are_kept_and_read_once(tone_corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    utterances = read_index(tone_corpus)
    first = load_examples(utterances, cache=tmp_path)
    assert [len(item.waveform) for item in first] == [1920 * len(item.text) for item in first]
    assert first[0].waveform.dtype == np.int16
    heard = read_audio(tone_corpus / "5.wav").samples
    np.testing.assert_allclose(first[5].waveform / 32767, heard, atol=1e-4)

    def fail(work: object) -> None:
        raise AssertionError(work)

    monkeypatch.setattr(dataset, "_hear", fail)
    again = load_examples(utterances, cache=tmp_path)
    assert [item.text for item in again] == [item.text for item in first]
    for one, same in zip(again, first, strict=True):
        np.testing.assert_array_equal(one.waveform, same.waveform)
    assert again[5].waveform.dtype == np.int16


def test_a_loud_file_is_clipped_and_not_turned_over(tmp_path: Path):
    folder = write_index(tmp_path, "file\ttext\na.wav\ta\n")
    square = np.sign(np.sin(2 * np.pi * 300 * np.arange(44_100) / 44_100))  # overshoots when it is resampled
    soundfile.write(folder / "a.wav", 0.99 * square, 44_100)
    (item,) = load_examples(read_index(folder))
    assert item.waveform.max() == 32767
    steps = np.abs(np.diff(item.waveform.astype(int)))
    assert (steps > 40_000).sum() < 2 * 300 + 10  # two a period


def test_unreadable_and_impossible_utterances_are_left_out(tmp_path: Path):
    folder = write_index(tmp_path, "file\ttext\nmissing.wav\tyes\nshort.wav\tmuch too much text for this\nok.wav\ta\n")
    write_wav(folder / "short.wav", np.full(1600, 0.1))
    write_wav(folder / "ok.wav", np.full(1600, 0.1))
    for _ in range(2):  # read, and read from the cache
        kept = load_examples(read_index(folder), cache=tmp_path / "cache")
        assert [item.text for item in kept] == ["a"]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ("file\ttext\na.wav\tyes\n/elsewhere/b.wav\tno\n", r"line 3, names /elsewhere/b\.wav, .* relative to"),
        ("clip\ttext\nc1\tyes\n", "line 2, needs both a speaker and a clip"),
        ("speaker\tclip\ttext\ns1\t\tyes\n", "line 2, needs both a speaker and a clip"),
        ("text\tspeaker\tfile\nyes\n", "line 2, names no file"),
        ("file\ttext\tphones\na.wav\tyes\tSIL:0 Y:0.3 EH:0.2\n", r"line 2, has EH begin at 0\.2 s after .* at 0\.3 s"),
        ("file\ttext\tphones\na.wav\tyes\tSIL:0 Y:nan\n", "line 2, has Y begin at nan"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_by_its_line(tmp_path: Path, rows: str, reason: str):
    with pytest.raises(CorpusError, match=reason):
        read_index(write_index(tmp_path, rows))


def test_an_index_that_is_no_text_is_refused(tmp_path: Path):
    (tmp_path / "index.tsv").write_bytes(b"file\ttext\na.wav\t\xff\xfe\n")
    with pytest.raises(CorpusError, match="write it as UTF-8"):
        read_index(tmp_path)


def test_folders_without_a_sentence_to_train_on_are_refused(tmp_path: Path):
    folder = write_index(tmp_path, "file\tsplit\tlanguage\ttext\tphones\na.wav\tval\ten\tyes\t\nb.wav\t\tde\tja\tY:0\n")
    with pytest.raises(CorpusError, match=rf"no English sentence of {folder} has the split 'train'"):
        training_sentences([folder])


def test_a_file_that_was_rewritten_is_read_again(tmp_path: Path):
    folder = write_index(tmp_path / "speech", "file\ttext\na.wav\ta\n")
    lengths = []
    for samples in (1600, 3200):
        write_wav(folder / "a.wav", np.full(samples, 0.1))
        (item,) = load_examples(read_index(folder), cache=tmp_path / "cache")
        lengths.append(len(item.waveform))
    assert lengths == [1600, 3200]


def test_a_mouth_is_asked_for_up_to_the_last_sample_and_what_is_too_long_is_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    folder = write_index(tmp_path, "file\ttext\na.wav\ta\nb.wav\ta\n")
    write_wav(folder / "a.wav", np.full(16000, 0.1))
    write_wav(folder / "b.wav", np.full(21 * 16000, 0.1))
    asked = []

    def mouth_of(utterance: Utterance, seconds: float) -> None:
        asked.append((utterance.path.name, seconds))

    (item,) = load_examples(read_index(folder), mouth_of=mouth_of)
    assert asked == [("a.wav", len(item.waveform) / 16_000)] == [("a.wav", 1.0)]
    assert "left out: 1 of 2 utterances, longer than 20 s" in caplog.text
