import pytest

from backend_server.data.corpus import Corpus
from backend_server.evaluation.held_out import one_of_each, read_groups
from shared.errors import CorpusError


def test_people_never_trained_on_are_judged_apart(corpus_folder, context_of):
    context = context_of(corpus_folder)
    who = {name: {take.clip.speaker for take in members} for name, members in context.groups.items()}
    assert who == {"train": {"a"}, "held-out sentences": {"a"}, "held-out people": {"b"}}
    assert list(context.held_out) == ["held-out sentences", "held-out people"]


def test_the_first_clip_of_each_person_stands_for_them(corpus_folder):
    chosen = one_of_each(Corpus(corpus_folder).clips())
    assert [(clip.speaker, clip.name) for clip in chosen] == [("a", "0"), ("b", "0")]


def test_a_corpus_that_holds_nothing_out_is_refused(corpus_folder):
    index = corpus_folder / "index.tsv"
    index.write_text(index.read_text().replace("\tval\t", "\ttrain\t"))
    with pytest.raises(CorpusError, match="held out"):
        read_groups(Corpus(corpus_folder))
