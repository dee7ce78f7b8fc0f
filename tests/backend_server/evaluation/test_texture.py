from dataclasses import replace

import numpy as np
import pytest

from backend_server.data.corpus import Clip
from backend_server.evaluation.frame_figures import COLUMNS, TextureFigures
from backend_server.evaluation.texture import REAL, RECIPES, ClipTexture, texture_section

MADE = TextureFigures(30, 0.9, 32, 0.2, 0.5, 1, 0.25, 0.5, float("nan"), float("nan"))
NONE = float("nan")


def test_each_recipe_has_its_means_below_those_of_real_frames(tmp_path):
    shown = np.zeros((6, 16, 16, 3), np.uint8)
    results = []
    for speaker, more in (("a", 0.0), ("b", 2.0)):
        clip = Clip(tmp_path, speaker, "0", "val", 1.0, 25, "")
        real = replace(MADE, psnr=NONE, ssim=NONE, mouth_psnr=NONE, cpbd=0.4)
        results += [ClipTexture(clip, REAL, real, shown)]
        results += [ClipTexture(clip, RECIPES[0], replace(MADE, psnr=30 + more, lips_lmd=0.5 + more), shown)]
    section = texture_section(tmp_path, results)
    (table,) = section.tables
    assert table.columns == COLUMNS
    rows = table.document()
    assert list(rows) == ["real frames", RECIPES[0].name]
    assert rows["real frames"]["PSNR, dB"] is None
    assert rows["real frames"]["CPBD"] == pytest.approx(0.4)
    assert rows[RECIPES[0].name]["PSNR, dB"] == pytest.approx(31)
    assert rows[RECIPES[0].name]["lips LMD, px"] == pytest.approx(1.5)
    assert rows[RECIPES[0].name]["ACD"] is None
    assert (tmp_path / section.pictures[0].file).is_file()
