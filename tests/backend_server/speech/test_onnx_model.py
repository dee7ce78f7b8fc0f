import sys
import tracemalloc
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from backend_server.speech import onnx_model
from backend_server.speech.acoustic_model import AcousticModel
from backend_server.speech.audio import write_wav
from backend_server.speech.listener import open_acoustic_model, speech_file
from backend_server.speech.onnx_model import OnnxAcousticModel
from backend_server.speech.recording import FileSound, feature_blocks, listen
from shared.errors import WeightsError


def write_model(path: Path, *, hop=320, window=320, shape=("S",), batch=True, metadata=None, activation="Abs") -> Path:
    """A network of two features a hop: the mean of a window of samples, and what `activation` makes of it."""
    kernel = np.full((1, 1, window), 1 / window, np.float32)
    nodes = [
        helper.make_node("Reshape", ["waveform", "one_channel"], ["sound"]),
        helper.make_node("Conv", ["sound", "kernel"], ["mean"], strides=[hop]),
        helper.make_node(activation, ["mean"], ["level"]),
        helper.make_node("Concat", ["mean", "level"], ["both"], axis=1),
        helper.make_node("Transpose", ["both"], ["features" if batch else "batched"], perm=[0, 2, 1]),
    ]
    if not batch:
        nodes.append(helper.make_node("Reshape", ["batched", "rows"], ["features"]))
    constants = [
        numpy_helper.from_array(np.array([1, 1, -1], np.int64), "one_channel"),
        numpy_helper.from_array(np.array([-1, 2], np.int64), "rows"),
        numpy_helper.from_array(kernel, "kernel"),
    ]
    inputs = [helper.make_tensor_value_info("waveform", TensorProto.FLOAT, list(shape))]
    outputs = [helper.make_tensor_value_info("features", TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "levels", inputs, outputs, constants)
    return save(path, graph, metadata)


def save(path: Path, graph: onnx.GraphProto, metadata: dict[str, str] | None = None) -> Path:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, metadata or {})
    onnx.save(model, path)
    return path


@pytest.fixture(scope="module")
def ramp() -> np.ndarray:
    """A sound whose sample s is s / 160,000: the mean of a window tells where the window stands."""
    return (np.arange(48_000) / 160_000).astype(np.float32)


@pytest.mark.parametrize("shape", [("S",), (1, "S"), ("N", "S")])
@pytest.mark.parametrize("batch", [True, False])
def test_a_file_is_an_acoustic_model(tmp_path, shape, batch, ramp):
    model: AcousticModel = open_acoustic_model(write_model(tmp_path / "own.onnx", shape=shape, batch=batch))
    features = model.features(ramp)
    assert (model.channels, model.features_per_second) == (2, 50.0)
    assert features.shape == (150, 2)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features[:, 0], ramp.reshape(-1, 320).mean(1), atol=1e-6)


@settings(max_examples=6, deadline=None)
@given(hop=st.integers(80, 700), extra=st.integers(0, 500))
def test_the_rate_is_measured_exactly(tmp_path_factory, hop, extra):
    path = write_model(tmp_path_factory.mktemp("rate") / "own.onnx", hop=hop, window=hop + extra)
    assert OnnxAcousticModel(path).features_per_second == pytest.approx(16_000 / hop, rel=1e-12)


def test_metadata_are_believed(tmp_path):
    metadata = {"features_per_second": "33.25", "first_seconds": "0.02", "context_seconds": "0.5"}
    model = OnnxAcousticModel(write_model(tmp_path / "own.onnx", metadata=metadata))
    assert (model.features_per_second, model.first_seconds, model.context_seconds) == (33.25, 0.02, 0.5)


@pytest.mark.parametrize("first", ["-0.03", "0", "0.0125", "0.05"])
def test_feature_u_speaks_of_its_own_second_wherever_the_network_begins(tmp_path, first, ramp):
    """The mean of window u of the whole sound stands at the middle of its samples, here moved by `first`."""
    path = write_model(tmp_path / "own.onnx", metadata={"first_seconds": first})
    features = OnnxAcousticModel(path).features(ramp)[:, 0] * 160_000  # the middle sample of each window
    moved = np.arange(len(features)) * 320 + 159.5 - float(first) * 16_000
    inside = (moved > 160) & (moved < len(ramp) - 160)
    np.testing.assert_allclose(features[inside], moved[inside], atol=0.5)
    assert abs(len(features) - 150) <= 3


@pytest.mark.parametrize("hop", [320, 441])
def test_pieces_do_not_show(tmp_path, monkeypatch, hop):
    monkeypatch.setattr(onnx_model, "PIECE_SECONDS", 0.5)
    sound = np.random.default_rng(0).standard_normal(67_891).astype(np.float32)
    whole = OnnxAcousticModel(write_model(tmp_path / "whole.onnx", hop=hop, window=4000))
    metadata = {"context_seconds": "0.25", "features_per_second": str(16_000 / hop)}
    pieces = OnnxAcousticModel(write_model(tmp_path / "pieces.onnx", hop=hop, window=4000, metadata=metadata))
    heard = []
    monkeypatch.setattr(pieces, "_hear", lambda part: heard.append(len(part)) or OnnxAcousticModel._hear(pieces, part))
    np.testing.assert_allclose(pieces.features(sound), whole.features(sound), atol=1e-6)
    assert len(heard) > 3
    assert max(heard) < 40_000


def test_a_clip_in_blocks_is_heard_as_the_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_model, "PIECE_SECONDS", 0.5)
    sound = np.random.default_rng(0).standard_normal(67_891).astype(np.float32)
    for metadata in ({}, {"context_seconds": "0.25", "first_seconds": "0.05"}, {"context_seconds": "0.25"}):
        model = OnnxAcousticModel(write_model(tmp_path / "own.onnx", window=4000, metadata=metadata))
        for size in (700, 8000, 67_890):
            blocks = [sound[first : first + size] for first in range(0, len(sound), size)]
            np.testing.assert_array_equal(np.concatenate(list(model.feature_blocks(blocks))), model.features(sound))


def test_memory_does_not_grow_with_a_clip_that_is_heard_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_model, "PIECE_SECONDS", 2.0)
    model = OnnxAcousticModel(write_model(tmp_path / "own.onnx", metadata={"context_seconds": "0.25"}))
    block = np.full(32_000, 0.1, np.float32)

    def peak_bytes(seconds: int) -> int:
        file = tmp_path / f"{seconds}.wav"
        write_wav(file, np.tile(block, seconds // 2))
        heard = listen(FileSound(file))
        tracemalloc.start()
        for _ in feature_blocks(model, heard):
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert peak_bytes(120) < 1.2 * peak_bytes(30)


def two_inputs(path: Path) -> Path:
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["S"]) for name in ("sound", "mask")]
    outputs = [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["S"])]
    return save(
        path, helper.make_graph([helper.make_node("Add", ["sound", "mask"], ["features"])], "g", inputs, outputs)
    )


def test_files_that_do_not_keep_the_contract_are_refused_in_one_sentence(tmp_path, monkeypatch, ramp):
    text = tmp_path / "text.onnx"
    text.write_text("no network")
    cases = [
        (tmp_path / "absent.onnx", "does not exist"),
        (text, "no ONNX file"),
        (two_inputs(tmp_path / "two.onnx"), r"2 inputs \(sound, mask\)"),
        (write_model(tmp_path / "fixed.onnx", shape=(16_000,)), "exactly 16000 samples"),
        (write_model(tmp_path / "deep.onnx", shape=("N", 1, "S")), "takes a waveform"),
        (write_model(tmp_path / "root.onnx", activation="Sqrt"), "not finite"),
        (write_model(tmp_path / "word.onnx", metadata={"first_seconds": "soon"}), "'soon'"),
        (write_model(tmp_path / "rate.onnx", metadata={"features_per_second": "0"}), "above 0"),
    ]
    for path, sentence in cases:
        with pytest.raises(WeightsError, match=sentence):
            open_acoustic_model(path)
    model = OnnxAcousticModel(write_model(tmp_path / "long.onnx", window=8000))
    with pytest.raises(WeightsError, match=r"cannot hear 0\.10 s"):
        model.features(ramp[:1600])
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(WeightsError, match=r"pip install 'speech-face\[onnx\]'"):
        open_acoustic_model(tmp_path / "own.onnx")


def test_a_weights_folder_listens_through_one_file(tmp_path):
    assert speech_file(tmp_path).name == "speech.safetensors"
    (tmp_path / "speech.onnx").touch()
    assert speech_file(tmp_path).name == "speech.onnx"
    (tmp_path / "speech.safetensors").touch()
    with pytest.raises(WeightsError, match="both"):
        speech_file(tmp_path)


def test_the_gpu_that_was_asked_for_is_used_and_the_cpu_in_its_place_is_logged(tmp_path, monkeypatch, caplog):
    path, asked = write_model(tmp_path / "own.onnx"), []
    start = onnxruntime.InferenceSession

    def session(file, options, providers):
        asked.append(providers)
        return start(file, options, providers=["CPUExecutionProvider"])  # as onnxruntime does when CUDA does not start

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    OnnxAcousticModel(path)
    assert (asked[-1], caplog.text) == (["CPUExecutionProvider"], "")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    OnnxAcousticModel(path, "cuda")
    assert asked[-1] == ["CPUExecutionProvider"]
    assert "own.onnx is computed on the CPU" in caplog.text
    caplog.clear()
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    OnnxAcousticModel(path, "cuda:1")
    assert asked[-1][0] == ("CUDAExecutionProvider", {"device_id": 1})
    assert "cuda:1" in caplog.text
