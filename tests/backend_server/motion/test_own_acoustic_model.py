import shutil
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from backend_server.cascade import Cascade
from backend_server.checkpoints import WEIGHTS_DIR, weights_version
from backend_server.commands import train as command
from backend_server.config import MotionConfig
from backend_server.progress import silent
from shared.arkit import SHAPES


@pytest.fixture
def own_model(tmp_path) -> Path:
    """An ONNX file that hears the level of 40 ms, 25 times a second, in one channel."""
    nodes = [
        helper.make_node("Reshape", ["waveform", "one_channel"], ["sound"]),
        helper.make_node("Abs", ["sound"], ["loud"]),
        helper.make_node("Conv", ["loud", "kernel"], ["level"], strides=[640]),
        helper.make_node("Transpose", ["level"], ["features"], perm=[0, 2, 1]),
    ]
    constants = [
        numpy_helper.from_array(np.array([1, 1, -1], np.int64), "one_channel"),
        numpy_helper.from_array(np.full((1, 1, 640), 1 / 640, np.float32), "kernel"),
    ]
    inputs = [helper.make_tensor_value_info("waveform", TensorProto.FLOAT, [1, "samples"])]
    outputs = [helper.make_tensor_value_info("features", TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "level", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, {"first_seconds": "0.02"})
    path = tmp_path / "mine.onnx"
    onnx.save(model, path)
    return path


def test_motion_is_trained_against_an_own_model_and_shipped_with_it(corpus, own_model, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "MotionConfig", partial(MotionConfig, epochs=1, variations=0, hidden_size=16))
    folder = tmp_path / "weights"
    settings = command.TrainSettings("motion", (corpus,), folder, "cpu", False, None, "shipped", 0, speech=own_model)
    command.train(settings, silent)
    assert (folder / "speech.onnx").read_bytes() == own_model.read_bytes()

    for stage in ("blink", "arkit"):
        shutil.copy(WEIGHTS_DIR / f"{stage}.safetensors", folder)
    cascade = Cascade.load("cpu", folder)
    speech = (0.3 * np.sin(np.arange(16_000) / 10)).astype(np.float32)
    motion = cascade.animate(speech, 16_000, np.arange(25) / 25)
    assert motion.canonical.shape == (25, 68, 2)
    assert np.isfinite(motion.landmarks).all()
    assert not motion.arkit[:, SHAPES.index("tongueOut")].any()  # nobody scores phones

    version = weights_version(folder)
    (folder / "speech.onnx").write_bytes(b"another model")
    assert weights_version(folder) != version
