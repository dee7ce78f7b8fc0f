import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from backend_server.data.corpus import Corpus
from backend_server.data.prepare import prepare
from backend_server.evaluation.motion.speed import limited_threads
from backend_server.evaluation.sync.films import read_film
from backend_server.evaluation.sync.network import SyncConfig
from backend_server.evaluation.sync.scores import similarity_curve, sync_figures
from backend_server.evaluation.sync.training import (
    contrast,
    train_sync,
    training_films,
    varied_mouths,
    varied_sounds,
)
from backend_server.progress import silent
from shared.errors import CorpusError

DATA = Path(__file__).parents[4].parent / "shared" / "data" / "grid"


def test_the_loss_asks_half_within_the_clip_and_half_in_the_whole_batch():
    directions = torch.eye(2).repeat(2, 1, 1)  # two clips of the same two moments
    loss = contrast(directions, directions, torch.tensor(3.0))
    own = math.log(math.exp(3) + 1) - 3
    whole = math.log(2 * math.exp(3) + 2) - 3  # the other clip's moment is as good an answer
    assert float(loss) == pytest.approx((own + whole) / 2, abs=1e-5)
    swapped = contrast(directions, directions.flip(1), torch.tensor(3.0))
    assert float(swapped) == pytest.approx(float(loss) + 3, abs=1e-5)


def test_the_loss_is_the_same_when_mouths_and_sounds_change_places():
    seen, heard = (F.normalize(torch.randn(3, 5, 8), dim=-1) for _ in range(2))
    sharpness = torch.tensor(10.0)
    torch.testing.assert_close(contrast(seen, heard, sharpness), contrast(heard, seen, sharpness))


def test_mouths_and_sounds_vary_around_what_they_were():
    random = np.random.default_rng(0)
    mouths = np.repeat(random.standard_normal((1, 30, 32, 48), np.float32), 200, axis=0)
    varied = varied_mouths(mouths, random)
    assert varied.dtype == np.float32
    assert varied.std() == pytest.approx(1, abs=0.1)
    sounds = np.repeat(random.standard_normal((1, 30, 20, 64), np.float32) - 1, 200, axis=0)
    heard = varied_sounds(sounds, random)
    assert heard.dtype == np.float32
    kept = [np.corrcoef(one.ravel(), sounds[0].ravel())[0, 1] for one in heard]
    assert np.median(kept) > 0.8
    assert (sounds[0] == sounds[-1]).all()  # what is varied is a copy


@pytest.mark.slow
def test_offsets_of_people_never_seen_are_found_after_a_short_training(speaking):
    random = np.random.default_rng(0)
    people = ["a"] * 12 + ["b"] * 6 + ["c", "d", "e"]
    films = [speaking(person, random) for person in people]
    config = SyncConfig(
        mouth_channels=(8, 12, 16), sound_channels=24, hidden_size=48, size=32, steps=120, batch_clips=6
    )
    told: list[tuple[str, int, int]] = []
    network = train_sync(films, config, 0, "cpu", lambda *step: told.append(step))
    assert told[-1] == ("sync network", 120, 120)
    for stranger in range(3):
        film, other = speaking("x", random), speaking("y", random)
        for shift in (-6, -3, 0, 3, 6):
            curve = similarity_curve(network.similarities(film.late(shift)))
            assert sync_figures(curve, shift).found == 1, (stranger, shift)
        own, foreign, still = (
            sync_figures(similarity_curve(network.similarities(one))).confidence
            for one in (film, film.with_sound(other), film.still())
        )
        assert own > 2 * foreign
        assert own > 4 * still


def test_the_same_seed_gives_the_same_network_and_leaves_the_callers_randomness_alone(speaking):
    random = np.random.default_rng(0)
    films = [speaking(person, random) for person in "ab"]
    config = SyncConfig(mouth_channels=(4, 4), sound_channels=8, hidden_size=8, size=8, steps=2, batch_clips=2)
    before = torch.random.get_rng_state()
    first, second, other = (train_sync(films, config, seed, "cpu", silent) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    np.testing.assert_array_equal(first.similarities(films[0]), second.similarities(films[0]))
    assert not np.array_equal(first.similarities(films[0]), other.similarities(films[0]))


def test_training_takes_some_clips_of_each_person_that_are_long_enough(corpus_folder, monkeypatch):
    read: list[str] = []
    monkeypatch.setattr(
        "backend_server.evaluation.sync.training.read_film", lambda clip: read.append(f"{clip.speaker}{clip.name}")
    )
    index = corpus_folder / "index.tsv"
    index.write_text(index.read_text().replace("b\t0\tval\t2.0\t50", "b\t0\ttrain\t1.0\t30"))
    corpus, told = Corpus(corpus_folder), []
    training_films(corpus, SyncConfig(clips_per_speaker=2), lambda *step: told.append(step))
    assert read == ["a0", "a2"]  # of three; `b` is too short, what is held out is not read
    assert told[-1] == ("films", 2, 2)
    with pytest.raises(CorpusError, match="no training clips of 60 frames"):
        training_films(corpus, SyncConfig(run_frames=60), silent)


@pytest.mark.corpus
@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason=f"the data folder {DATA} is not beside the checkout")
def test_recorded_clips_are_found_in_step_and_shifted_ones_where_they_were_shifted_to(tmp_path):
    chosen = {"s1": 6, "s2": 6, "s4": 6, "s5": 6, "s30": 3}
    for speaker, count in chosen.items():
        (tmp_path / "videos" / speaker).mkdir(parents=True)
        for video in sorted((DATA / speaker).iterdir())[:count]:
            (tmp_path / "videos" / speaker / video.name).symlink_to(video)
    with limited_threads(1):
        prepare(tmp_path / "videos", tmp_path / "corpus", workers=1)
        films = [read_film(clip) for clip in Corpus(tmp_path / "corpus").clips()]
        known = [film for film in films if film.speaker != "s30"]
        network = train_sync(known, SyncConfig(steps=150), 0, "cpu", silent)
    found = Counter[int]()
    for film in films:
        for shift in (-6, 0, 6) if film.speaker == "s30" else ():
            found[shift] += int(sync_figures(similarity_curve(network.similarities(film.late(shift))), shift).found)
    assert found == {-6: 3, 0: 3, 6: 3}
