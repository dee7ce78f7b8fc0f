from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from backend_server.identities.sheet import LearntSheet, kept_epoch, preview_epochs, write_learnt_sheet


def test_the_epochs_shown_are_spread_evenly():
    assert preview_epochs(0).tolist() == []
    assert preview_epochs(1).tolist() == [0]
    assert preview_epochs(4).tolist() == [0, 1, 2, 3]
    assert preview_epochs(11, most=3).tolist() == [0, 5, 10]
    assert len(preview_epochs(200)) == 8


@pytest.mark.parametrize(
    ("psnrs", "best", "epoch"),
    [
        ((26.0, 27.5, 27.0), 27.5, 2),
        ((26.0, 25.5), 26.5, None),  # better before anything was learnt
        ((), None, None),
    ],
)
def test_the_kept_epoch_is_the_one_with_the_kept_psnr(face, psnrs, best, epoch):
    assert kept_epoch(face(held_out_psnr=best, held_out_psnrs=psnrs).record) == epoch


@pytest.mark.parametrize(("count", "psnrs"), [(1, ()), (12, (25.0, 26.0, 25.5))])
def test_a_page_is_drawn_for_few_and_many_pictures(face, tmp_path, count, psnrs):
    made = face(
        image_count=count,
        losses=tuple(0.5 for _ in psnrs),
        held_out_psnr=max(psnrs, default=None),
        held_out_psnrs=psnrs,
    )
    faces = replace(
        made.references,
        crops=np.full((count, 256, 256, 3), 90, np.uint8),
        landmarks=np.random.default_rng(0).uniform(40, 200, (count, 68, 2)).astype(np.float32),
    )
    picture = np.full((64, 64, 3), 120, np.uint8)
    expressions = {"at rest": picture, "mouth open": picture}
    sheet = LearntSheet("a page", replace(made, references=faces), expressions, [picture] * len(psnrs))
    write_learnt_sheet(tmp_path / "page.png", sheet, {"Software": "Speech Face"})
    with Image.open(tmp_path / "page.png") as page:
        assert page.width == 1400
        assert page.text["Software"] == "Speech Face"
        assert np.asarray(page.convert("L")).std() > 10
