"""The encoder of Moonshine: ours says what onnxruntime says, and any other file is refused in a sentence."""

from pathlib import Path
from zipfile import ZipFile

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from backend_server.config import SpeechConfig
from backend_server.speech.encoder import SpeechEncoder
from backend_server.speech.moonshine import FILTERED, MEMBER, read_moonshine
from shared.errors import WeightsError

FILE = Path(__file__).resolve().parents[4] / "shared" / "data" / "weights" / "moonshine_tiny_en" / "encoder_model.ort"
REFUSED = "is not Moonshine's tiny encoder"
needs_file = pytest.mark.skipif(not FILE.exists(), reason=f"there is no {FILE}")


@pytest.fixture(scope="module")
def encoder() -> SpeechEncoder:
    network = SpeechEncoder(SpeechConfig())
    network.load_state_dict(read_moonshine(FILE))
    return network.eval()


def voice() -> np.ndarray:
    """A second of a voice made of overtones, one vowel after the other."""
    seconds = np.arange(16_000) / 16_000
    pitch = 120 + 20 * np.sin(4 * np.pi * seconds)
    phase = 2 * np.pi * np.cumsum(pitch) / 16_000
    opening, spreading = 600 + 200 * np.sin(6 * np.pi * seconds), 1500 + 500 * (seconds > 0.5)
    sound = np.zeros(16_000)
    for overtone in range(1, 40):
        hertz = overtone * pitch
        formants = np.exp(-(((hertz - opening) / 200) ** 2)) + 0.5 * np.exp(-(((hertz - spreading) / 300) ** 2))
        sound += np.sin(overtone * phase) * (formants + 0.05)
    return (sound * np.sin(np.pi * seconds)).astype(np.float32)


@torch.inference_mode()
def at_the_usual_level(encoder: SpeechEncoder, waveform: np.ndarray) -> torch.Tensor:
    """A waveform (1, S) of which the first filters say as much as they say of speech."""
    quiet, loud = 1e-4, 10.0
    for _ in range(30):
        gain = (quiet * loud) ** 0.5
        heard = torch.from_numpy(np.float32(gain) * waveform)[None]
        is_loud = float(torch.tanh(encoder.first(heard[:, None])).std()) > FILTERED
        quiet, loud = (quiet, gain) if is_loud else (gain, loud)
    return heard


@pytest.mark.corpus
@needs_file
@pytest.mark.parametrize(
    "sound", [voice(), np.random.default_rng(0).standard_normal(16_000).astype(np.float32)], ids=["voice", "noise"]
)
def test_it_says_what_onnxruntime_says(encoder: SpeechEncoder, sound: np.ndarray):
    heard = at_the_usual_level(encoder, sound)
    with torch.inference_mode():
        ours = encoder(heard)[-1][0].numpy()
    given = {"input_values": heard.numpy(), "attention_mask": np.ones(heard.shape, np.int64)}
    (theirs,) = onnxruntime.InferenceSession(FILE).run(None, given)
    assert ours.shape == theirs[0].shape == (40, 288)
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.99
    by_position = [np.corrcoef(one, other)[0, 1] for one, other in zip(ours, theirs[0], strict=True)]
    assert min(by_position) > 0.97


@pytest.mark.corpus
@needs_file
def test_the_wheel_serves_as_well(encoder: SpeechEncoder, tmp_path: Path):
    with ZipFile(tmp_path / "voice.whl", "w") as wheel:
        wheel.writestr("moonshine_voice/__init__.py", "")
        wheel.write(FILE, MEMBER)
    weights = read_moonshine(tmp_path / "voice.whl")
    assert weights.keys() == encoder.state_dict().keys()
    assert all(torch.equal(weights[name], tensor) for name, tensor in encoder.state_dict().items())
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}


@pytest.mark.corpus
@needs_file
@pytest.mark.parametrize("share", [0.0004, 0.3, 0.9, 0.99999])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, share: float):
    data = FILE.read_bytes()
    (tmp_path / "encoder_model.ort").write_bytes(data[: int(share * len(data))])
    with pytest.raises(WeightsError, match=REFUSED):
        read_moonshine(tmp_path / "encoder_model.ort")


@pytest.mark.corpus
@needs_file
@pytest.mark.parametrize(
    ("there", "other"),
    [
        (b"self_attn/q_proj", b"self_attn/x_proj"),  # a node
        (b"layers.3.mlp.fc1.bias", b"layers.3.mlp.fcx.bias"),  # a weight
        (b"/groupnorm/Mul", b"/groupnorm/Mol"),
        (b"layers.5.", b"layers.6."),  # another layer
    ],
)
def test_another_network_of_this_kind_is_refused(tmp_path: Path, there: bytes, other: bytes):
    data = FILE.read_bytes()
    assert there in data
    (tmp_path / "encoder_model.ort").write_bytes(data.replace(there, other))
    with pytest.raises(WeightsError, match=REFUSED) as refused:
        read_moonshine(tmp_path / "encoder_model.ort")
    assert "\n" not in str(refused.value)
    assert MEMBER in str(refused.value)


@pytest.mark.parametrize(
    "content", [b"", b"ORT", bytes(1000), b"hello world\n" * 100, np.random.default_rng(0).bytes(5000)]
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "encoder_model.ort").write_bytes(content)
    with pytest.raises(WeightsError, match=REFUSED):
        read_moonshine(tmp_path / "encoder_model.ort")


def test_a_network_of_another_kind_is_refused(tmp_path: Path):
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "one"], ["y"], name="/groupnorm/Add")],
        "one more",
        [value("x", TensorProto.FLOAT, [3])],
        [value("y", TensorProto.FLOAT, [3])],
        [numpy_helper.from_array(np.ones(3, np.float32), "one")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), tmp_path / "a.onnx")
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "a.ort")
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(tmp_path / "a.onnx", options)
    for name in ("a.ort", "a.onnx"):
        with pytest.raises(WeightsError, match=rf"{name} {REFUSED}"):
            read_moonshine(tmp_path / name)


def test_a_file_that_is_missing_or_no_such_wheel_is_refused(tmp_path: Path):
    with pytest.raises(WeightsError, match=r"cannot read .*none\.ort: .*; give moonshine_voice/"):
        read_moonshine(tmp_path / "none.ort")
    (tmp_path / "words.whl").write_text("hello world")
    with pytest.raises(WeightsError, match=r"cannot read .*words\.whl: .* not a zip file"):
        read_moonshine(tmp_path / "words.whl")
    with ZipFile(tmp_path / "other.whl", "w") as wheel:
        wheel.writestr("other/__init__.py", "")
    with pytest.raises(WeightsError, match=rf"cannot read .*other\.whl: .*{MEMBER}"):
        read_moonshine(tmp_path / "other.whl")
