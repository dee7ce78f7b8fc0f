import csv
import shutil
import wave
from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from backend_server.checkpoints import WEIGHTS_DIR
from backend_server.config import PAPER_TEXTURE, TextureConfig, TextureTrainingConfig
from backend_server.data.corpus import COLUMNS, Corpus
from backend_server.evaluation.faces.ablation import ABLATIONS, SHIPPED_SETTINGS, Ablation, ablation_section
from backend_server.evaluation.faces.figures import printed_figures
from backend_server.evaluation.faces.initialisation import initialisation_section
from backend_server.evaluation.faces.networks import Networks, TrainedNetwork
from backend_server.evaluation.faces.recipes import Recipe, given_frames
from backend_server.evaluation.run import Budget
from backend_server.motion.generator import load_motion_generator

SMALL = TextureConfig(
    channels=(4, 4, 6, 6, 8), encoder_channels=(4, 4, 6, 6, 8), code_size=6, discriminator_channels=(4, 6, 8)
)
BRIEF = TextureTrainingConfig(
    batch_size=1, every_nth_frame=1, support_images=1, query_images=1, inner_steps=1, following_steps=2
)
FRAMES = 30


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Two people to learn from and one held out, whose mouths open and shut on a smooth picture."""
    root, rows = tmp_path_factory.mktemp("corpus"), []
    neutral = load_motion_generator(WEIGHTS_DIR / "motion.safetensors").neutral_canonical.numpy()
    landmarks = np.repeat(70 * neutral[None] + 128, FRAMES, axis=0).astype(np.float32)
    landmarks[:, 64:68, 1] += 8 * np.sin(np.arange(FRAMES) / 3)[:, None] ** 2
    picture = cv2.resize(np.random.default_rng(0).integers(0, 255, (5, 5, 3)).astype(np.uint8), (256, 256))
    for speaker, split in (("a", "train"), ("b", "train"), ("c", "val")):
        folder = root / speaker / "one"
        (folder / "faces").mkdir(parents=True)
        for t in range(FRAMES):
            cv2.imwrite(str(folder / "faces" / f"{t + 1:04d}.jpg"), picture)
        with wave.open(str(folder / "speech.wav"), "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", ""))
            file.writeframes(bytes(2 * 16_000 * FRAMES // 25))
        times, crop = np.arange(FRAMES) / 25, np.eye(2, 3, dtype=np.float32)
        arrays = {"landmarks": landmarks, "canonical": landmarks, "neutral": landmarks[0], "crop": crop}
        np.savez(folder / "landmarks.npz", frame_times=times, **arrays)
        rows.append((speaker, "one", split, FRAMES / 25, FRAMES, "say"))
    with (root / "index.tsv").open("w", newline="") as file:
        csv.writer(file, delimiter="\t").writerows([COLUMNS, *rows])
    return Corpus(root)


@pytest.fixture
def networks(corpus, context_of):
    def make(updates=2, minutes=60.0, **options):
        context = context_of(corpus.path, texture_budget=Budget(updates, minutes), **options)
        return Networks(context, BRIEF)

    return make


class Judge:
    """Says how many frames could be judged."""

    def read(self, clip):
        return SimpleNamespace(clip=clip)

    def figures(self, clip, faces, identity, driving):
        left = np.setdiff1d(np.arange(len(driving)), given_frames(clip.clip))
        return printed_figures({"psnr": len(faces.render(identity, driving, left)), "ssim": 0.5})


def test_rows_change_what_they_name_and_nothing_else():
    rows = {row.name: row.config for row in ABLATIONS}
    assert len(rows) == len(ABLATIONS)
    assert rows[SHIPPED_SETTINGS] == TextureConfig()
    assert rows["Eq. 8 alone"] == replace(TextureConfig(), lambda_feat=0.0, lambda_adv=0.0)
    assert ABLATIONS[-1].config == PAPER_TEXTURE


def test_a_network_is_trained_once_for_the_same_settings(networks):
    first = networks().from_pairs(SMALL)
    changed = first.file.stat().st_mtime_ns
    again = networks().from_pairs(SMALL)
    assert again.file.stat().st_mtime_ns == changed
    assert again.generator.config == SMALL
    assert again.notes["updates"] == "2"
    files = {first.file, networks(3).from_pairs(SMALL).file, networks().from_pairs(replace(SMALL, lambda_adv=0)).file}
    assert len(files) == 3
    assert len({TrainedNetwork(file, "cpu").weights_version for file in files}) == 3
    assert networks(1000, minutes=1e-6).from_pairs(SMALL).notes["updates"] == "1"  # the minutes end first


def test_rows_are_trained_judged_and_drawn(networks, tmp_path):
    rows = [Ablation("all", base=SMALL, epochs=0), Ablation("Eq. 8", {"lambda_feat": 0.0}, base=SMALL, epochs=0)]
    trained = networks()
    section = ablation_section(trained.context, trained, Judge(), rows)  # pyright: ignore[reportArgumentType]
    table, printed = (table.document() for table in section.tables)
    assert list(table) == ["all", "Eq. 8"]
    assert table["all"]["PSNR, dB"] == FRAMES - 20  # what is given is not judged
    assert table["all"]["updates"] == "2"
    assert printed["AdaIN, Eq. 8, 9 and 10"]["PSNR, dB"] == 30.7
    assert (tmp_path / section.pictures[0].file).stat().st_size > 1000
    assert "2 updates" in section.paragraphs[0]


def test_both_beginnings_are_trained_from_the_same_file(networks, tmp_path):
    weights = tmp_path / "weights"
    weights.mkdir()
    start = shutil.copy(networks().from_pairs(SMALL).file, weights / "texture.safetensors")
    trained, recipes = networks(8, weights=weights), (Recipe(1, 0), Recipe(1, 1))
    section = initialisation_section(trained.context, trained, Judge(), recipes)  # pyright: ignore[reportArgumentType]
    assert list(section.tables[0].document()) == [
        "meta-learned, K = 1, not tuned",
        "meta-learned, K = 1, 1 epoch",
        "plainly pre-trained, K = 1, not tuned",
        "plainly pre-trained, K = 1, 1 epoch",
    ]
    assert "meta-learned: 1, plainly pre-trained: 1" in section.paragraphs[0]
    assert all((tmp_path / picture.file).is_file() for picture in section.pictures)
    both = [trained.further(start, is_meta_learned=is_meta) for is_meta in (True, False)]
    assert both[0].weights_version != both[1].weights_version
