import pytest
import torch

from backend_server.texture.learning.perceptual import VGG19, VGGFACE, VggFeatures, load_features
from shared.errors import WeightsError


@pytest.mark.parametrize("layout", [VGG19, VGGFACE], ids=["vgg19", "vggface"])
def test_a_state_dict_file_becomes_frozen_features(tmp_path, layout):
    torch.manual_seed(0)
    source = VggFeatures(layout)
    state = {}
    for number, layer in enumerate(source.convolutions):
        state[f"features.{number}.weight"] = layer.weight.detach()
        state[f"features.{number}.bias"] = layer.bias.detach()
    state["classifier.0.weight"] = torch.zeros(2, 2)
    torch.save(state, tmp_path / "vgg.pth")
    loaded = load_features(tmp_path / "vgg.pth", layout)
    picture = torch.rand(1, 3, 32, 32).requires_grad_()
    ours, theirs = source(picture), loaded(picture)
    assert [f.shape[1] for f in ours] == [64, 128, 256, 512, 512]
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert not any(p.requires_grad for p in loaded.parameters())
    theirs[0].sum().backward()
    assert picture.grad is not None  # frozen, yet the picture learns


def test_other_files_are_refused(tmp_path):
    with pytest.raises(WeightsError, match=r"missing\.pth"):
        load_features(tmp_path / "missing.pth", VGG19)
    for name in ("words.pth", "words.safetensors"):
        for text in ("hello world", "", "weights", ".", "N.", "r BF", "U\x9c\x0e"):
            (tmp_path / name).write_text(text, encoding="latin-1")
            with pytest.raises(WeightsError, match="no weights of VGG19: "):
                load_features(tmp_path / name, VGG19)
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "short.pth")
    with pytest.raises(WeightsError, match="holds 1 convolutions, VGG19 needs 16"):
        load_features(tmp_path / "short.pth", VGG19)
