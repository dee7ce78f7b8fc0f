"""Tests that weights files give back what was written, and that any other file is refused by name."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from backend_server.arkit.network import load_arkit_network
from backend_server.blink.generator import load_blink_generator
from backend_server.checkpoints import (
    WEIGHTS_DIR,
    fill,
    in_eight_bits,
    load_checkpoint,
    save_checkpoint,
    weights_version,
)
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


@pytest.fixture
def large():
    """Weights of a network: two matrices that are worth eight bits, of very different rows, and others."""
    random = torch.Generator().manual_seed(0)
    matrix = torch.randn(64, 128, generator=random) * torch.logspace(-6, 3, 64)[:, None]
    matrix[5] = 0.0
    return {
        "w": matrix,
        "kernel": torch.randn(8, 16, 33, generator=random),
        "bias": torch.randn(5000, generator=random),
        "small": torch.randn(8, 8, generator=random),
        "scale": torch.rand(64, generator=random),
        "layer.scale": torch.rand(64, generator=random),
        "steps": torch.tensor(7),
    }


def test_eight_bits_miss_by_less_than_a_half_step_of_each_row(large, tmp_path):
    path = tmp_path / "net.safetensors"
    save_checkpoint(path, "net", Config(), in_eight_bits(large))
    _, tensors, _ = load_checkpoint(path, "net", Config)
    assert tensors.keys() == large.keys()
    for name in ("w", "kernel"):
        assert tensors[name].dtype == torch.float32
        largest = large[name].flatten(1).abs().amax(1)
        missed = (tensors[name] - large[name]).flatten(1).abs().amax(1)
        assert (missed <= 0.501 / 127 * largest).all()
        assert (missed[largest > 0] > 0.3 / 127 * largest[largest > 0]).all()  # eight bits, and no more
    assert (tensors["w"][5] == 0).all()
    for name in ("bias", "small", "scale", "layer.scale"):
        assert torch.equal(tensors[name], large[name].half())
    assert torch.equal(tensors["steps"], large["steps"])


def test_eight_bits_take_a_quarter_of_the_room(large, tmp_path):
    matrices = {name: large[name] for name in ("w", "kernel")}
    for name, tensors in (("whole", matrices), ("small", in_eight_bits(matrices))):
        save_checkpoint(tmp_path / name, "net", Config(), tensors)
    whole, small = ((tmp_path / name).stat().st_size for name in ("whole", "small"))
    assert small < 0.28 * whole


def test_eight_bits_twice_are_the_same(large, tmp_path):
    path, found = tmp_path / "net.safetensors", [large]
    for _ in range(2):
        save_checkpoint(path, "net", Config(), in_eight_bits(found[-1]))
        found.append(load_checkpoint(path, "net", Config)[1])
    for name, tensor in found[1].items():
        torch.testing.assert_close(found[2][name].float(), tensor.float(), rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("stage", "load"),
    [
        ("speech", load_acoustic_model),
        ("motion", load_motion_generator),
        ("blink", load_blink_generator),
        ("arkit", load_arkit_network),
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
