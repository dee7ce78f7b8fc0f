"""The shipped network is as good on people never trained on as the model card says, and moves as a face should."""

import re
from pathlib import Path

import pytest
import torch

from backend_server.arkit.network import ArkitNetwork, load_arkit_network
from backend_server.blink.generator import load_blink_generator
from backend_server.checkpoints import WEIGHTS_DIR
from backend_server.data.arkit_examples import arkit_examples
from backend_server.data.corpus import Corpus
from backend_server.data.prepare import prepare
from backend_server.evaluation.motion.arkit import COLUMNS
from backend_server.metrics.arkit import ArkitFigures, arkit_figures
from shared.arkit import SHAPES

DATA = Path(__file__).parents[4] / "shared" / "data"
PEOPLE = ("s10", "s30")


@pytest.fixture(scope="module")
def network() -> ArkitNetwork:
    return load_arkit_network(WEIGHTS_DIR / "arkit.safetensors")


def published(person: str) -> dict[str, float]:
    """The row of a person in the model card, by the names of its columns."""
    card = (WEIGHTS_DIR / "MODEL_CARD.md").read_text("utf-8")
    (header,) = re.findall(r"^\| from real landmarks \|(.*)\|$", card, re.M)
    (row,) = re.findall(rf"^\| {person}, .*? \|(.*)\|$", card, re.M)
    names, values = ([cell.strip() for cell in line.split("|")] for line in (header, row))
    return dict(zip(names, map(float, values), strict=True))


@pytest.mark.corpus
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not DATA.is_dir(), reason=f"the data folder {DATA} is not beside the checkout")
def test_people_never_trained_on_reach_the_published_figures(network, tmp_path):
    for person in PEOPLE:
        (tmp_path / "videos" / person).mkdir(parents=True)
        for video in (DATA / "grid" / person).iterdir():
            (tmp_path / "videos" / person / video.name).symlink_to(video)
    prepare(tmp_path / "videos", tmp_path / "corpus", workers=1)
    corpus = Corpus(tmp_path / "corpus")
    for person in PEOPLE:
        figures = ArkitFigures.mean(
            [
                arkit_figures(network.weights(torch.from_numpy(one.displacements)).numpy(), one.weights)
                for one in arkit_examples(corpus.clips(speaker=person), corpus.neutral_canonical)
            ]
        )
        measured: dict[str, float] = dict(zip(COLUMNS, vars(figures).values(), strict=True))
        for name, value in published(person).items():
            assert measured[name] == pytest.approx(value, abs=0.02), f"{name} of {person}"


def moved(**points: tuple[float, float]) -> torch.Tensor:
    """One frame in which landmarks, named "p" and their number, are moved, (1, 68, 2)."""
    motion = torch.zeros(1, 68, 2)
    for name, step in points.items():
        motion[0, int(name[1:])] = torch.tensor(step)
    return motion


def test_what_a_face_does_is_what_the_shapes_say(network):
    neutral = load_blink_generator(WEIGHTS_DIR / "blink.safetensors").neutral_canonical.numpy()
    weights = {}
    lower = {f"p{point}": (0.0, 0.15) for point in (*range(5, 12), *range(55, 60), *range(65, 68))}
    weights["open"] = network.weights(moved(**lower))
    weights["wider"] = network.weights(moved(**dict.fromkeys(lower, (0.0, 0.25))))
    inwards = {f"p{point}": (float(-0.35 * neutral[point, 0]), 0.0) for point in range(48, 68)}
    weights["narrow"] = network.weights(moved(**inwards))
    shut = {f"p{p}": (0.0, float(neutral[q, 1] - neutral[p, 1])) for p, q in ((37, 41), (38, 40))}  # the person's right
    weights["wink"] = network.weights(moved(**shut))
    value = {face: dict(zip(SHAPES, frame[0].tolist(), strict=True)) for face, frame in weights.items()}
    assert 0.1 < value["open"]["jawOpen"] < value["wider"]["jawOpen"]
    assert value["open"]["mouthPucker"] < 0.1 < value["narrow"]["mouthPucker"]
    assert value["narrow"]["jawOpen"] < 0.05
    assert value["wink"]["eyeBlinkRight"] > 2 * value["wink"]["eyeBlinkLeft"]
    assert value["wink"]["eyeBlinkRight"] > 0.5
    for face in ("open", "wider", "narrow"):
        assert value[face]["eyeBlinkLeft"] == value[face]["browInnerUp"] == 0


def test_the_trembling_of_landmarks_moves_little_and_the_file_is_small(network):
    motion = 0.003 * torch.randn(200, 68, 2, generator=torch.Generator().manual_seed(0))
    assert float(network.weights(motion).mean(0).max()) < 0.05
    assert (WEIGHTS_DIR / "arkit.safetensors").stat().st_size < 300_000
