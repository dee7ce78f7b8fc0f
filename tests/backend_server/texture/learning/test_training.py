import csv
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from backend_server import config
from backend_server.config import TextureTrainingConfig
from backend_server.data.corpus import COLUMNS
from backend_server.texture.learning import training
from backend_server.texture.learning.trainer import TextureTrainer
from backend_server.texture.learning.training import train_texture
from backend_server.texture.networks.presets import load_texture_generator
from shared.errors import Cancelled, CorpusError, ValueRangeError, WeightsError

BRIEF = TextureTrainingConfig(
    batch_size=2,
    warm_up_steps=2,
    every_nth_frame=1,
    episode_share=0.5,
    support_images=1,
    query_images=1,
    inner_steps=1,
    following_steps=2,
)


@pytest.fixture
def corpus(tmp_path, drawn_faces, face_landmarks):
    """Two people to learn from and one held out, six frames each."""
    root = tmp_path / "corpus"
    faces = drawn_faces(6)
    rows = []
    for speaker, split in (("a", "train"), ("b", "train"), ("c", "val")):
        folder = root / speaker / "one"
        (folder / "faces").mkdir(parents=True)
        for t, crop in enumerate(faces.crops):
            cv2.imwrite(str(folder / "faces" / f"{t + 1:04d}.jpg"), crop[..., ::-1])
        np.savez(
            folder / "landmarks.npz",
            frame_times=np.arange(6) / 25,
            landmarks=faces.landmarks,
            canonical=faces.landmarks,
            neutral=faces.landmarks[0],
            crop=faces.crop,
        )
        rows.append((speaker, "one", split, 0.24, 6, "say"))
    with (root / "index.tsv").open("w", newline="") as file:
        writer = csv.writer(file, delimiter="\t")
        writer.writerows([COLUMNS, *rows])
    return root


@pytest.fixture(autouse=True)
def small_networks(monkeypatch, small_configs):
    for preset, small in small_configs.items():
        monkeypatch.setitem(config.TEXTURE_PRESETS, preset, small)


def test_training_starts_from_earlier_weights_and_their_discriminator(corpus, tmp_path):
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    train_texture(corpus=corpus, out=first, steps=4, training=BRIEF, seed=1)
    config.TEXTURE_PRESETS["warp"] = replace(config.TEXTURE_PRESETS["warp"], learning_rate=0, outer_learning_rate=0)
    train_texture(corpus=corpus, out=second, start=first, steps=2, training=BRIEF, seed=2)
    pairs = zip(load_texture_generator(first).parameters(), load_texture_generator(second).parameters(), strict=True)
    for one, other in pairs:
        torch.testing.assert_close(one, other)
    with pytest.raises(WeightsError, match="other sizes"):
        train_texture(corpus=corpus, out=second, preset="paper", start=first, steps=2, training=BRIEF)
    state = torch.load(tmp_path / "second.training", weights_only=True)
    assert state["counters"]["step"] == BRIEF.warm_up_steps + 1  # one step of two updates, the other is an episode


def test_what_goes_on_from_earlier_weights_writes_the_mean_of_both(corpus, tmp_path):
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    train_texture(corpus=corpus, out=first, steps=2, training=BRIEF, seed=1)
    train_texture(corpus=corpus, out=second, start=first, steps=2, training=BRIEF, seed=2)
    train_texture(corpus=corpus, out=second, steps=4, training=BRIEF, seed=2, resume=True)
    began, written = (load_texture_generator(file).state_dict() for file in (first, second))
    ended = torch.load(tmp_path / "second.training", weights_only=True)["parts"]["average"]
    name = "autoencoder.stem.weight"
    assert (ended[f"module.{name}"] - began[name]).abs().max() > 1e-4
    torch.testing.assert_close(written[name], (began[name] + ended[f"module.{name}"]) / 2, atol=5e-4, rtol=0)
    torch.testing.assert_close(written["following.speaking"], began["following.speaking"])


def _train_in_one_of_two(rank, corpus, out, small):
    config.TEXTURE_PRESETS["warp"] = small
    training = replace(BRIEF, checkpoint_seconds=1e9)
    with pytest.MonkeyPatch.context() as patch:
        kept = []
        patch.setattr(TextureTrainer, "agree", lambda trainer: kept.append(trainer) or _agree(trainer))
        train_texture(corpus=corpus, out=out, steps=4, training=training, seed=1)
    torch.save(kept[0].generator.state_dict(), out.with_name(f"rank{rank}.pt"))


_agree = TextureTrainer.agree


def test_two_processes_train_one_network(corpus, tmp_path, small_configs, together):
    out = tmp_path / "texture.safetensors"
    together(_train_in_one_of_two, corpus, out, small_configs["warp"])
    one, other = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1))
    for name, weight in one.items():
        torch.testing.assert_close(weight, other[name])
    assert load_texture_generator(out).config == small_configs["warp"]
    alone = tmp_path / "alone.safetensors"
    train_texture(corpus=corpus, out=alone, steps=4, training=BRIEF, seed=1)
    pairs = zip(load_texture_generator(alone).parameters(), load_texture_generator(out).parameters(), strict=True)
    assert not all(torch.equal(a, b) for a, b in pairs)  # the second process drew samples of its own


@pytest.mark.slow
def test_training_writes_weights_and_goes_on_where_it_stopped(corpus, tmp_path):
    out = tmp_path / "texture.safetensors"
    train_texture(corpus=corpus, out=out, steps=8, training=BRIEF, seed=1)
    first = load_texture_generator(out)
    state = torch.load(tmp_path / "texture.training", weights_only=True)["counters"]
    assert state["step"] == 4 and state["episodes"] == 8  # half of the updates, two episodes each
    assert state["seconds"] > 0 and len(first.judges) == 1

    train_texture(corpus=corpus, out=out, steps=10, training=BRIEF, seed=1, resume=True)
    state = torch.load(tmp_path / "texture.training", weights_only=True)["counters"]
    assert state["step"] + state["episodes"] // 2 == 10


def test_the_paper_preset_trains_too(corpus, tmp_path):
    out = tmp_path / "paper.safetensors"
    training = replace(BRIEF, warm_up_steps=0)
    result = train_texture(corpus=corpus, out=out, preset="paper", steps=2, training=training)
    assert result.sentence().startswith("2 updates in ")
    assert load_texture_generator(out).config.preset == "paper"


@pytest.mark.slow
def test_the_second_order_moves_the_weights_elsewhere(corpus, tmp_path):
    weights = []
    for name, is_second_order in (("first", False), ("second", True)):
        out = tmp_path / f"{name}.safetensors"
        training = replace(BRIEF, episode_share=0.9, is_second_order=is_second_order)
        train_texture(corpus=corpus, out=out, steps=2, training=training, seed=1)
        weights.append(torch.load(out.with_suffix(".training"), weights_only=True)["parts"]["generator"])
    changes = [(weight - weights[1][name]).abs().max() for name, weight in weights[0].items()]
    assert 0 < max(changes) < 1e-2


@pytest.mark.slow
def test_feature_networks_from_files_judge_with_their_own_weights(corpus, tmp_path, monkeypatch):
    """Networks whose features are a constant times the picture: their shares of the loss can be told apart."""
    monkeypatch.setattr(training, "load_features", lambda path, layout, device: lambda x: [float(path.name) * x])
    given = {"vgg19": tmp_path / "2", "vggface": tmp_path / "300"}
    perceptual = {}
    for names in ((), ("vgg19",), ("vggface",), ("vgg19", "vggface")):
        noted = []
        monkeypatch.setattr(training, "_note", lambda _, parts, noted=noted: noted.append(parts))
        out = tmp_path / "t.safetensors"
        train_texture(corpus=corpus, out=out, steps=1, training=BRIEF, seed=1, **{name: given[name] for name in names})
        perceptual[names] = noted[0]["perceptual"]
        if names == ("vgg19",):
            with pytest.raises(WeightsError, match=r"\(feature networks: VGG19, now none\)"):
                train_texture(corpus=corpus, out=out, steps=4, training=BRIEF, resume=True)
    assert perceptual[()] == 0  # the discriminator does not take part yet
    one, other = config.TEXTURE_PRESETS["warp"].alpha_1 * 2, config.TEXTURE_PRESETS["warp"].alpha_2 * 300
    assert perceptual["vggface",] / perceptual["vgg19",] == pytest.approx(other / one, rel=1e-4)
    assert perceptual["vgg19", "vggface"] == pytest.approx(perceptual["vgg19",] + perceptual["vggface",], rel=1e-4)


def test_a_cancelled_training_keeps_what_it_learnt(corpus, tmp_path):
    def stop(stage, step, _steps):
        if stage == "texture" and step > 100:
            raise Cancelled

    out = tmp_path / "t.safetensors"
    with pytest.raises(Cancelled, match=r"t\.safetensors has what was learnt, and --resume goes on"):
        train_texture(corpus=corpus, out=out, steps=10, training=BRIEF, progress=stop)
    load_texture_generator(out)
    assert torch.load(tmp_path / "t.training", weights_only=True)["counters"]["step"] == 3
    assert train_texture(corpus=corpus, out=out, steps=4, training=BRIEF, resume=True).updates == 4


def test_bad_settings_are_named(corpus, tmp_path):
    out = tmp_path / "t.safetensors"
    with pytest.raises(ValueRangeError, match="'oil'"):
        train_texture(corpus=corpus, out=out, preset="oil", steps=1)
    with pytest.raises(ValueRangeError, match="minutes"):
        train_texture(corpus=corpus, out=out)
    with pytest.raises(CorpusError):
        train_texture(corpus=tmp_path / "nowhere", out=out, steps=1)
    with pytest.raises(WeightsError, match=r"t\.training is missing"):
        train_texture(corpus=corpus, out=out, steps=1, resume=True)
