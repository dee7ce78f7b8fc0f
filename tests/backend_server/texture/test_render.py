import numpy as np
import pytest
import torch

from backend_server.texture import render
from backend_server.texture.render import TunedGenerators
from shared.errors import WeightsError


class Network(torch.nn.Linear):
    pass


@pytest.fixture
def faces(face):
    return [face(weights={"weight": np.full((2, 3), value, np.float16)}) for value in (0.25, 0.5, 0.75)]


@pytest.fixture
def built(monkeypatch):
    """Counts the networks that are built."""
    count = []
    build = render.tuned_generator
    monkeypatch.setattr(render, "tuned_generator", lambda *given: count.append(1) or build(*given))
    return count


def test_going_back_and_forth_builds_each_once(faces, built):
    initial, kept = Network(3, 2), TunedGenerators(2)
    made = [kept.generator_for(initial, faces[i]) for i in (0, 1, 0, 1, 0)]
    assert len(built) == 2 == len(kept)
    assert made[0] is made[2] is made[4] and made[1] is made[3]
    assert made[0].weight[0, 0].item() == 0.25 and made[1].weight[0, 0].item() == 0.5
    assert made[0].weight is not initial.weight


def test_the_one_unused_for_longest_gives_way(faces, built):
    initial, kept = Network(3, 2), TunedGenerators(2)
    for i in (0, 1, 0, 2):  # 1 gives way to 2
        kept.generator_for(initial, faces[i])
    assert len(kept) == 2 and len(built) == 3
    kept.generator_for(initial, faces[0])
    assert len(built) == 3
    kept.generator_for(initial, faces[1])
    assert len(built) == 4


def test_equal_weights_of_another_object_are_the_same_face(face, faces, built):
    initial, kept = Network(3, 2), TunedGenerators(2)
    kept.generator_for(initial, faces[0])
    network = kept.generator_for(initial, face(weights={"weight": np.full((2, 3), 0.25, np.float16)}))
    assert len(built) == 1 and network.weight[1, 2].item() == 0.25


def test_a_face_without_weights_takes_the_initial_network(face):
    initial, kept = Network(3, 2), TunedGenerators(2)
    assert kept.generator_for(initial, face(weights={})) is initial and len(kept) == 0


def test_weights_of_another_network_are_refused_and_not_kept(face):
    kept = TunedGenerators(2)
    with pytest.raises(WeightsError, match="adapt it again"):
        kept.generator_for(Network(3, 2), face(weights={"weight": np.zeros((5, 5), np.float16)}))
    assert len(kept) == 0
