"""Weights files: what comes back is what was written, and anything else is refused by name."""

from dataclasses import dataclass

import pytest
import torch

from backend_server.checkpoints import load_checkpoint, save_checkpoint, weights_version
from shared.errors import WeightsError


@dataclass(frozen=True)
class Config:
    width: int = 3
    sizes: tuple[int, ...] = (1, 2)
    name: str = "x"


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "folder" / "net.safetensors"
    save_checkpoint(path, "net", Config(width=5), {"w": torch.arange(6.0).reshape(2, 3).T}, {"epoch": "7"})
    return path


def test_config_tensors_and_notes_return(saved):
    config, tensors, notes = load_checkpoint(saved, "net", Config)
    assert config == Config(width=5)
    assert torch.equal(tensors["w"], torch.arange(6.0).reshape(2, 3).T)
    assert notes == {"epoch": "7"}
    assert [p.name for p in saved.parent.iterdir()] == ["net.safetensors"]


def test_another_network_is_refused(saved):
    with pytest.raises(WeightsError, match="other network"):
        load_checkpoint(saved, "other", Config)


@pytest.mark.parametrize(
    "damage", [lambda data: b"", lambda data: data[:20], lambda data: data[:-5], lambda _: b"x" * 99]
)
def test_a_damaged_file_is_refused_by_name(saved, damage):
    saved.write_bytes(damage(saved.read_bytes()))
    with pytest.raises(WeightsError, match=r"net\.safetensors"):
        load_checkpoint(saved, "net", Config)


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(WeightsError, match=r"none\.safetensors"):
        load_checkpoint(tmp_path / "none.safetensors", "net", Config)


def test_the_version_changes_with_any_weight(saved):
    before = weights_version(saved.parent)
    assert before == weights_version(saved.parent)
    save_checkpoint(saved, "net", Config(), {"w": torch.zeros(1)})
    assert weights_version(saved.parent) != before
