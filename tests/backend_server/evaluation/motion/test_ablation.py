from dataclasses import replace

import pytest

from backend_server.config import MotionConfig
from backend_server.evaluation.motion import ablation

SMALL = MotionConfig(
    listens_to="scores", encoder_channels=(4,), hidden_size=4, components=3, variations=1, batch_size=2, context=6
)


def test_each_variant_changes_one_thing():
    wanted = {variant.name: variant.config for variant in ablation.variants(SMALL, preset=SMALL)}
    assert wanted[ablation.FULL] == SMALL
    assert wanted[ablation.REGRESSION] == replace(SMALL, lambda_gan=0)
    contexts = [wanted[name] for name in wanted if name.startswith("context")]
    assert [config.context for config in contexts] == sorted({*ablation.CONTEXTS, SMALL.context})
    assert {replace(config, context=SMALL.context) for config in contexts} == {SMALL}


def test_losses_come_in_one_after_another_and_unused_ones_never():
    base = replace(SMALL, lambda_gan=1.0, lambda_mouth=0.0, lambda_closure=0.0)
    steps = ablation.loss_variants(base)
    assert [step.name for step in steps] == ["Eq. 1", "+ Eq. 2", "+ Eq. 3", "+ Eq. 4"]
    assert [step.config.lambda_dir for step in steps] == [0, 0, base.lambda_dir, base.lambda_dir]
    assert steps[0].config.lambda_dist == base.lambda_dist
    assert steps[-1].config == base
    assert ablation.loss_variants(replace(base, lambda_mouth=0.5))[-1].name == "+ mouth"


def test_the_section_draws_contexts_and_losses(corpus_folder, context_of, perfect, tmp_path, monkeypatch):
    monkeypatch.setattr(ablation.Networks, "files", lambda self, wanted, stage: {one.name: one.name for one in wanted})
    monkeypatch.setattr(ablation, "with_motion", lambda weights, motion, device: perfect)
    section = ablation.run(context_of(corpus_folder, epochs=3))
    (people,) = (table.document() for table in section.tables if table.title == "Variants, held-out people")
    assert {ablation.FULL, ablation.REGRESSION, ablation.PAPER, "context 6", "Eq. 1"} <= set(people)
    assert people["context 6"]["opening correlation"] == pytest.approx(1, abs=1e-3)
    assert "3 epochs" in section.paragraphs[0]
    assert (tmp_path / section.pictures[0].file).stat().st_size > 1000
