import numpy as np
import pytest
import torch

from backend_server.evaluation.sync.network import (
    MouthStream,
    SoundStream,
    SyncConfig,
    SyncNetwork,
    levelled,
    load_sync_network,
    save_sync_network,
)
from shared.errors import WeightsError


def test_each_direction_sees_five_pictures_and_hears_one_sound():
    config = SyncConfig(mouth_channels=(4, 6, 8), sound_channels=8, hidden_size=12, size=7)
    mouths, sounds = torch.randn(2, 12, 32, 48), torch.randn(2, 8, 20, 64)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        look, hear = MouthStream(config).eval(), SoundStream(config).eval()
    seen, heard = look(mouths), hear(sounds)
    assert seen.shape == heard.shape == (2, 8, 7)
    for directions in (seen, heard):
        torch.testing.assert_close(directions.norm(dim=-1), torch.ones(2, 8))
    mouths[:, 6] += 1
    sounds[:, 6] += 1
    assert [bool(same) for same in torch.isclose(look(mouths), seen).all(-1)[0]] == [True] * 2 + [False] * 5 + [True]
    assert [bool(same) for same in torch.isclose(hear(sounds), heard).all(-1)[0]] == [True] * 6 + [False, True]


def test_a_kept_network_judges_as_before(tmp_path, speaking):
    network = SyncNetwork(SyncConfig(hidden_size=32, size=16)).eval()
    film = speaking("a", np.random.default_rng(0))
    before = network.similarities(film)
    assert before.shape == (71, 71)
    assert np.abs(before).max() <= 1.0001
    save_sync_network(tmp_path / "sync.safetensors", network)
    np.testing.assert_array_equal(load_sync_network(tmp_path / "sync.safetensors").similarities(film), before)
    with pytest.raises(WeightsError, match="cannot read"):
        load_sync_network(tmp_path / "none.safetensors")


def test_the_person_and_the_light_are_taken_out_of_mouths(speaking):
    film = speaking("a", np.random.default_rng(0))
    mouths = np.clip(film.mouths, 60, 150)
    plain = levelled(mouths)
    np.testing.assert_allclose(plain.mean(0), 0, atol=1e-5)
    assert plain.std() == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(levelled(mouths + np.uint8(20)), plain, atol=1e-4)
    still = np.repeat(film.mouths[:1], 10, axis=0)
    assert (levelled(still) == 0).all()
    still[5] += 1  # as little as a camera's noise
    assert np.abs(levelled(still)).max() < 0.5
