"""Reads the encoder of Moonshine as it travels in the package `moonshine-voice`: onnxruntime's own format.

Convolutions and norms are float32 there, linear layers unsigned 8-bit with one scale and zero point each.
"""

from __future__ import annotations

import re
import struct
from importlib import import_module
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backend_server.config import SpeechConfig
from backend_server.speech.encoder import SpeechEncoder
from shared.errors import WeightsError

MEMBER = "moonshine_voice/assets/tiny-en/encoder_model.ort"
FILTERED = 0.0677  # deviation of what the first filters say of speech at the usual level: median of 60 recordings
_FLATBUFFERS = "onnxruntime.tools.ort_format_model.ort_flatbuffers_py.fbs.InferenceSession"
_NOT_THE_ENCODER = (  # what reading another file raises
    *(struct.error, AttributeError, LookupError, TypeError, ValueError, RuntimeError, ArithmeticError, StopIteration),
)
_TYPES = {1: np.float32, 2: np.uint8}  # of onnx.TensorProto
_CONVOLUTIONS = {"conv1": "first", "conv2": "second", "conv3": "third"}
_LINEARS = {
    "self_attn/q_proj": "attention.query",
    "self_attn/k_proj": "attention.key",
    "self_attn/v_proj": "attention.value",
    "self_attn/o_proj": "attention.out",
    "mlp/fc1": "wide",
    "mlp/fc2": "narrow",
}
_NORMS = {"input_layernorm": "norm_attention", "post_attention_layernorm": "norm_perceptron"}


def read_moonshine(path: Path) -> dict[str, Tensor]:
    """The weights of `SpeechEncoder`, all six layers, f32.

    Args:
        path: the package's wheel, or `encoder_model.ort` itself.

    Raises:
        WeightsError: onnxruntime is not installed, or the file is missing, damaged, or another network.
    """
    try:
        session = import_module(_FLATBUFFERS).InferenceSession
    except ImportError as error:
        raise WeightsError(
            "onnxruntime reads the encoder; install it with: pip install 'speech-face[train]'"
        ) from error
    try:
        model = session.GetRootAs(_read(path), 0).Model()
        if model is None:
            raise ValueError("it holds no model")
        graph = model.Graph()
        arrays = {t.Name().decode(): _array(t) for t in map(graph.Initializers, range(graph.InitializersLength()))}
        return _checked(_named(graph, {name: array for name, array in arrays.items() if array is not None}))
    except _NOT_THE_ENCODER as error:
        raise WeightsError(f"{path} is not Moonshine's tiny encoder ({error}); give {MEMBER} or its wheel") from error


def _read(path: Path) -> bytes:
    try:
        if path.suffix != ".whl":
            return path.read_bytes()
        with ZipFile(path) as wheel:
            return wheel.read(MEMBER)
    except (OSError, BadZipFile, KeyError) as error:
        raise WeightsError(f"cannot read {path}: {error}; give {MEMBER} or its wheel") from error


def _array(tensor: Any) -> NDArray | None:  # noqa: ANN401 (onnxruntime's generated classes have no types)
    kind = _TYPES.get(tensor.DataType())
    if kind is None:
        return None
    shape = [tensor.Dims(axis) for axis in range(tensor.DimsLength())]
    return np.frombuffer(tensor.RawDataAsNumpy().tobytes(), kind).reshape(shape)


def _named(graph: Any, arrays: dict[str, NDArray]) -> dict[str, Tensor]:  # noqa: ANN401
    """Arrays by the names of `SpeechEncoder`; linear layers are named by the nodes that use them."""
    named = {f"{ours}.weight": arrays[f"{theirs}.weight_add_tensor"] for theirs, ours in _CONVOLUTIONS.items()}
    named |= {f"{ours}.bias": arrays[f"{theirs}.bias"] for theirs, ours in _CONVOLUTIONS.items() if ours != "first"}
    named["norm.weight"] = arrays["layer_norm.weight"]
    for node in map(graph.Nodes, range(graph.NodesLength())):
        name, inputs = node.Name().decode(), [node.Inputs(i).decode() for i in range(node.InputsLength())]
        if name in ("/groupnorm/Mul", "/groupnorm/Add"):
            array = next(arrays[one] for one in inputs if one in arrays).reshape(-1)
            named |= {"scale": array / FILTERED} if name.endswith("Mul") else {"shift": array}
        elif found := re.fullmatch(r"/layers\.(\d+)/(.+)/MatMul_quant", name):
            weight = next(one for one in inputs if one.endswith("_quantized") and one in arrays)
            scale, zero = (arrays[weight.replace("_quantized", end)] for end in ("_scale", "_zero_point"))
            ours = f"layers.{found[1]}.{_LINEARS[found[2]]}.weight"
            named[ours] = ((arrays[weight].astype(np.float32) - float(zero)) * scale).T
    for name, array in arrays.items():
        if found := re.fullmatch(r"layers\.(\d+)\.(\w+_layernorm)\.weight", name):
            named[f"layers.{found[1]}.{_NORMS[found[2]]}.weight"] = array
        elif found := re.fullmatch(r"layers\.(\d+)\.mlp\.(fc[12])\.bias", name):
            named[f"layers.{found[1]}.{_LINEARS['mlp/' + found[2]]}.bias"] = array
    return {name: torch.from_numpy(np.array(array, np.float32)) for name, array in named.items()}


def _checked(named: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same, if it is all that the encoder needs, in its shapes."""
    with torch.device("meta"):
        expected = {name: list(tensor.shape) for name, tensor in SpeechEncoder(SpeechConfig()).state_dict().items()}
    found = {name: list(tensor.shape) for name, tensor in named.items()}
    for name in sorted(expected | found):
        if found.get(name) != expected.get(name):
            raise ValueError(f"{name} has the shape {found.get(name)}, not {expected.get(name)}")
    return named
