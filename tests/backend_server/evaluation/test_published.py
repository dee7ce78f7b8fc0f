"""The shipped weights reach the figures of docs/results/report.json, on the same clips and in the same way."""

import json
from functools import partial
from pathlib import Path

import pytest

from backend_server.cascade import Cascade
from backend_server.checkpoints import WEIGHTS_DIR
from backend_server.data.corpus import Corpus
from backend_server.data.prepare import prepare
from backend_server.evaluation.faces import accuracy as face_accuracy
from backend_server.evaluation.faces import sound
from backend_server.evaluation.faces.figures import face_table
from backend_server.evaluation.faces.judge import judging
from backend_server.evaluation.faces.recipes import ONE_IMAGE, Faces
from backend_server.evaluation.held_out import clip_name, read_take
from backend_server.evaluation.kept import Kept
from backend_server.evaluation.motion import accuracy, hearing
from backend_server.evaluation.motion.sounds import CLEAN
from backend_server.evaluation.motion.speed import limited_threads
from backend_server.evaluation.page.report import Table
from backend_server.evaluation.run import SEED
from backend_server.progress import silent
from backend_server.speech.listener import open_scorer

ROOT = Path(__file__).parents[3]
DATA = ROOT.parent / "shared" / "data"
CLIPS = 3  # of the people held out, spread over those that were published

# How far fine-tuning on another processor may lead, several times over.
PICTURES = {"PSNR, dB": 0.2, "SSIM": 0.005, "CPBD": 0.01, "lips LMD, px": 0.1}
MOTION = {"opening correlation": 0.01, "width correlation": 0.01, "lip landmarks LMD, px": 0.03}

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"the data folder {DATA} is not beside the checkout"),
]


def published(title):
    tables = json.loads((ROOT / "docs" / "results" / "report.json").read_text("utf-8"))["tables"]
    if title not in tables:
        pytest.fail(f"docs/results/report.json has no table {title!r}; make it again with evaluate")
    return tables[title]


def assert_near(measured, wanted, tolerances):
    for row, figures in measured.items():
        for name, tolerance in tolerances.items():
            assert figures[name] == pytest.approx(wanted[row][name], abs=tolerance), f"{name} of {row}"


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Threads beyond the free processors wait for one another, many times as long as they work."""
    with limited_threads(1):
        yield


@pytest.fixture(scope="module")
def cascade():
    return Cascade.load("cpu")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """A few of the published clips, prepared from their videos."""
    folder = tmp_path_factory.mktemp("published")
    rows = list(dict.fromkeys(row.split(",")[0] for row in published(sound.CLIP_BY_CLIP)))  # faces of few are judged
    for row in {rows[round(place * (len(rows) - 1) / (CLIPS - 1))] for place in range(CLIPS)}:
        speaker, name = row.split()
        (video,) = (DATA / "grid" / speaker).glob(f"{name}.*")
        (folder / "videos" / speaker).mkdir(parents=True, exist_ok=True)
        (folder / "videos" / speaker / video.name).symlink_to(video)
    prepare(folder / "videos", folder / "corpus", workers=1)
    return Corpus(folder / "corpus").clips()


def test_motion(cascade, clips):
    measured = accuracy.clip_by_clip(partial(accuracy.animated, cascade), [read_take(clip) for clip in clips])
    table = Table.of_figures("measured", accuracy.COLUMNS, measured).document()
    assert_near(table, published(accuracy.CLIP_BY_CLIP), MOTION)


def test_faces_from_the_sound_and_from_real_landmarks(cascade, clips, tmp_path):
    faces, way, recipe = Faces(cascade, SEED, Kept(tmp_path)), sound.Way(ONE_IMAGE), face_accuracy.UNTUNED
    with judging() as judge:
        heard = sound.judge_ways(cascade, faces, clips, judge, silent, [way])
        seen = face_accuracy.judge_recipes(faces, clips, judge, silent, [recipe], [])
    for results, name, title in (
        (heard, way.name, sound.CLIP_BY_CLIP),
        (seen, recipe.name, face_accuracy.CLIP_BY_CLIP),
    ):
        rows = {f"{clip_name(one.clip)}, {name}": one.figures for one in results if one.name == name}
        assert_near(face_table("measured", rows).document(), published(title), PICTURES)


def test_characters_heard():
    sentences = hearing.transcribed(DATA / "speech")
    rates = hearing.error_rates(open_scorer(WEIGHTS_DIR), sentences, [CLEAN], silent)
    wanted = published(hearing.BY_CORPUS)
    assert len(rates) >= 3
    for corpus, (rate,) in rates.items():
        assert rate == pytest.approx(wanted[corpus][CLEAN.name], abs=0.02), corpus
