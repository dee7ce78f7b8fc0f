from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from backend_server.data.corpus import Clip
from backend_server.evaluation.faces import beside
from backend_server.evaluation.faces.figures import COLUMNS, REAL, ClipFigures, printed_figures
from backend_server.evaluation.faces.networks import TrainedNetwork
from backend_server.evaluation.faces.recipes import USUAL
from backend_server.progress import silent

ONE, TWENTY = (recipe.name for recipe in beside.RECIPES)
NOTHING = printed_figures({})


class Judge:
    """The PSNR of a face is the mean of its first frame, its SSIM the number of its references."""

    def read(self, clip):
        return clip

    def judge_real(self, clip):
        return replace(NOTHING, cpbd=0.3)

    def figures(self, clip, faces, identity, driving):
        picture = faces.render(identity, driving, [0])[0]
        return replace(NOTHING, psnr=float(picture.mean()), ssim=float(len(identity.references.crops)))


@pytest.fixture
def section_of(corpus, texture_files, context_of):
    """The section of a context with these options; the new network is the second file."""

    def make(**options):
        context = context_of(corpus.path, TrainedNetwork(texture_files[1], "cpu"), **options)
        return beside.side_by_side_section(context, Judge())  # pyright: ignore[reportArgumentType]

    return make


def test_both_networks_are_judged_on_people_who_are_shown_and_on_talkers_who_are_not(
    section_of, write_corpus, texture_files, tmp_path
):
    section = section_of(beside=texture_files[0], talkers=write_corpus(c="train", w1="val").path)
    people, people_by_clip, of_talkers, talkers_by_clip = (table.document() for table in section.tables)
    names = [f"{way}: {network}" for way in (ONE, TWENTY) for network in ("today", "new")]
    for table in (people, of_talkers):
        assert list(table) == list(COLUMNS)
        assert list(table["PSNR, dB"]) == ["better", REAL, *names]
        assert table["CPBD"][REAL] == 0.3
        assert [table["SSIM"][name] for name in names] == [1, 1, 20, 20]
        psnr = table["PSNR, dB"]
        assert psnr[f"{ONE}: today"] != psnr[f"{ONE}: new"]  # of two networks
    assert set(people_by_clip) == {f"c one, {name}" for name in names}
    assert set(talkers_by_clip) == {f"w1 one, {name}" for name in names}
    assert str(texture_files[0]) in section.paragraphs[0]
    assert [picture.file for picture in section.pictures] == ["beside_c_1.jpg", "beside_c_20.jpg"]
    written = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(written) == ["beside_c_1.jpg", "beside_c_20.jpg"]  # nothing of the talkers, and no face is kept
    with Image.open(tmp_path / "beside_c_1.jpg") as sheet:
        assert sheet.width > 5 * 256
        assert 3 * 256 < sheet.height < 4 * 256  # three rows at full size


def test_talkers_alone_need_no_second_network(section_of, write_corpus):
    section = section_of(talkers=write_corpus(w1="val").path)
    means, _ = section.tables
    assert means.columns == ("better", REAL, f"{ONE}: new", f"{TWENTY}: new")
    assert section.pictures == ()


class Learning:
    """Counts, by what it learnt from and how."""

    def learn(self, clip, recipe):
        return clip.name, recipe


class LearningJudge(Judge):
    def figures(self, clip, faces, identity, driving):
        source, recipe = identity
        return replace(NOTHING, psnr=float(source != clip.name), ssim=float(recipe.epochs))


class StillClip(Clip):
    def landmarks(self):
        return type("Landmarks", (), {"landmarks": np.zeros((75, 68, 2), np.float32)})()


def test_people_of_several_clips_are_also_learnt_from_another_without_and_with_tuning(tmp_path):
    clips = [StillClip(tmp_path, "b", name, "val", 3.0, 75, "") for name in ("x", "y")]
    told = []
    results = beside.judge_networks(
        {"today": Learning(), "new": Learning()},  # pyright: ignore[reportArgumentType]
        clips,
        LearningJudge(),  # pyright: ignore[reportArgumentType]
        lambda *step: told.append(step),
        beside.FROM_OTHERS,
    )
    figures = {one.name: (one.figures.psnr, one.figures.ssim) for one in results["new"] if one.clip.name == "y"}
    assert figures.pop(REAL) is not None
    assert figures == {
        ONE: (0, 0),
        TWENTY: (0, 0),
        f"{TWENTY}, from another clip": (1, 0),
        f"{USUAL.name}, from another clip": (1, USUAL.epochs),
    }
    assert {stage for stage, _, _ in told} == {"faces, today", "faces, new"}
    assert told[-1][1] == told[-1][2]
    alone = beside.judge_networks({"new": Learning()}, clips, LearningJudge(), silent)  # pyright: ignore[reportArgumentType]
    assert {one.name for one in alone["new"]} == {REAL, ONE, TWENTY}


def test_a_table_says_which_way_is_better(tmp_path):
    clip = Clip(tmp_path, "a", "0", "val", 3.0, 75, "")

    def of(psnr, gmsd):
        way = ClipFigures(clip, ONE, replace(NOTHING, psnr=psnr, gmsd=gmsd))
        return [ClipFigures(clip, REAL, NOTHING), way]

    table = beside.side_by_side("Both", {"today": of(30.0, 0.2), "new": of(31.0, 0.1)}).document()
    assert table["PSNR, dB"] == {"better": "higher", REAL: None, f"{ONE}: today": 30.0, f"{ONE}: new": 31.0}
    assert table["GMSD"] == {"better": "lower", REAL: None, f"{ONE}: today": 0.2, f"{ONE}: new": 0.1}
