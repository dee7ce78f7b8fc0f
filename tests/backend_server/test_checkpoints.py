"""Tests that weights files give back what was written, and that any other file is refused by name."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from backend_server.blink.generator import load_blink_generator
from backend_server.checkpoints import WEIGHTS_DIR, fill, load_checkpoint, save_checkpoint, weights_version
from backend_server.motion.generator import load_motion_generator
from backend_server.speech.acoustic_model import load_acoustic_model
from backend_server.texture.networks.presets import load_texture_generator
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


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_a_network_is_filled_with_full_floats(dtype):
    network = nn.Linear(2, 1)
    fill(network, {"weight": torch.tensor([[1.0, 2.0]], dtype=dtype), "bias": torch.zeros(1, dtype=dtype)}, Path("x"))
    assert network.weight.dtype == torch.float32
    assert network(torch.ones(1, 2)).item() == 3


@pytest.mark.parametrize(
    ("stage", "load"),
    [
        ("speech", load_acoustic_model),
        ("motion", load_motion_generator),
        ("blink", load_blink_generator),
        ("texture", load_texture_generator),
    ],
)
def test_shipped_weights_that_no_longer_fit_are_refused_by_name(stage, load, tmp_path):
    with safe_open(WEIGHTS_DIR / f"{stage}.safetensors", framework="pt") as file:
        names = list(file.keys())
        tensors = {name: file.get_tensor(name) for name in names[1:]}
        metadata = file.metadata()
    save_file(tensors, tmp_path / "old.safetensors", metadata)
    with pytest.raises(WeightsError, match=r"old\.safetensors"):
        load(tmp_path / "old.safetensors")
