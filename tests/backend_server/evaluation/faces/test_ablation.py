import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from backend_server.config import PAPER_TEXTURE, TextureConfig, TextureTrainingConfig
from backend_server.evaluation.faces.ablation import ABLATIONS, SHIPPED_SETTINGS, Ablation, ablation_section
from backend_server.evaluation.faces.figures import printed_figures
from backend_server.evaluation.faces.initialisation import initialisation_section
from backend_server.evaluation.faces.networks import Networks, TrainedNetwork
from backend_server.evaluation.faces.recipes import Recipe, given_frames
from backend_server.evaluation.run import Budget

BRIEF = TextureTrainingConfig(
    batch_size=1, every_nth_frame=1, support_images=1, query_images=1, inner_steps=1, following_steps=2
)
FRAMES = 30


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


def test_a_network_is_trained_once_for_the_same_settings(networks, small):
    first = networks().from_pairs(small)
    changed = first.file.stat().st_mtime_ns
    again = networks().from_pairs(small)
    assert again.file.stat().st_mtime_ns == changed
    assert again.generator.config == small
    assert again.notes["updates"] == "2"
    files = {first.file, networks(3).from_pairs(small).file, networks().from_pairs(replace(small, lambda_adv=0)).file}
    assert len(files) == 3
    assert len({TrainedNetwork(file, "cpu").weights_version for file in files}) == 3
    assert networks(1000, minutes=1e-6).from_pairs(small).notes["updates"] == "1"  # the minutes end first


def test_rows_are_trained_judged_and_drawn(networks, small, tmp_path):
    rows = [Ablation("all", base=small, epochs=0), Ablation("Eq. 8", {"lambda_feat": 0.0}, base=small, epochs=0)]
    trained = networks()
    section = ablation_section(trained.context, trained, Judge(), rows)  # pyright: ignore[reportArgumentType]
    table, printed = (table.document() for table in section.tables)
    assert list(table) == ["all", "Eq. 8"]
    assert table["all"]["PSNR, dB"] == FRAMES - 20  # what is given is not judged
    assert table["all"]["updates"] == "2"
    assert printed["AdaIN, Eq. 8, 9 and 10"]["PSNR, dB"] == 30.7
    assert (tmp_path / section.pictures[0].file).stat().st_size > 1000
    assert "2 updates" in section.paragraphs[0]


def test_both_beginnings_are_trained_from_the_same_file(networks, small, tmp_path):
    weights = tmp_path / "weights"
    weights.mkdir()
    start = shutil.copy(networks().from_pairs(small).file, weights / "texture.safetensors")
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
