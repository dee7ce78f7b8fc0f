"""Hears speech through a user's own acoustic model, an ONNX file (F_t of Section 3.1).

The contract is `docs/acoustic_models.md`: one waveform in, features over time out, and three metadata
keys for what the graph does not tell.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from fractions import Fraction
from importlib import import_module
from itertools import chain
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from backend_server.config import SAMPLE_RATE
from shared.errors import WeightsError

LOG = logging.getLogger(__name__)
RATE_KEY, FIRST_KEY, CONTEXT_KEY = "features_per_second", "first_seconds", "context_seconds"
PROBE_SAMPLES = SAMPLE_RATE  # heard to measure channels and rate
MEASURED_FEATURES = 40  # over which the samples of one feature are measured
PIECE_SECONDS = 30.0  # of a long clip, computed at once
CUDA = "CUDAExecutionProvider"
LARGEST_STEP = 4000  # terms of the fraction that a rate is read as

Array = NDArray[np.float32]


class OnnxAcousticModel:
    """An acoustic model in an ONNX file (`AcousticModel`).

    Args:
        path: the file.
        device: "cpu", or "cuda" or "cuda:1" where onnxruntime was built for it; elsewhere it computes on the CPU and
            logs a warning.

    Attributes:
        channels: of the features.
        features_per_second: from the metadata, else measured.
        first_seconds: the moment that the network's first output describes.
        context_seconds: how far to either side an output sees; None when the metadata does not say.

    Raises:
        WeightsError: onnxruntime is missing, or the file does not keep the contract.
    """

    def __init__(self, path: Path, device: str = "cpu") -> None:
        self._path = path
        self._session, metadata = _open(path, device)
        self._input = _only(self._session.get_inputs(), path, "input")
        _only(self._session.get_outputs(), path, "output")
        if self._input.type != "tensor(float)" or len(self._input.shape) not in (1, 2):
            raise WeightsError(
                f"{path} takes {self._input.type} of shape {self._input.shape}; "
                "an acoustic model takes a waveform of floats (S,) or (1, S)"
            )
        if isinstance(self._input.shape[-1], int):
            raise WeightsError(
                f"{path} takes exactly {self._input.shape[-1]} samples; export it with a dynamic number of samples"
            )
        self.channels = self._hear(_probe(PROBE_SAMPLES)).shape[1]
        rate = _positive(metadata, RATE_KEY, path)
        self.features_per_second = rate or self._measured_rate()
        self.first_seconds = _number(metadata, FIRST_KEY, path) or 0.0
        self.context_seconds = _positive(metadata, CONTEXT_KEY, path)

    def features(self, waveform: Array) -> Array:
        """Features (U, channels) of a 16 kHz waveform (S,); feature u describes second u / features_per_second.

        Where the metadata says how far the network sees, a long clip is computed in pieces that overlap by twice
        that, and the result is that of the whole clip.

        Raises:
            WeightsError: the network fails on this sound or gives numbers that are not finite.
        """
        nothing = np.zeros((0, self.channels), np.float32)
        return np.concatenate([nothing, *self.feature_blocks([waveform])])

    def feature_blocks(self, waveform: Iterable[Array]) -> Iterator[Array]:
        """`features` of a clip whose waveform (s,) comes in blocks: (n, channels) at a time.

        Where the metadata says how far the network sees, only one piece of the clip is held; otherwise all of it, and
        its features come at once.

        Raises:
            WeightsError: as `features`.
        """
        period = 1 / self.features_per_second
        skipped = max(ceil(-self.first_seconds / period - 1e-9), 0)  # features of the time before the clip
        lead = round((self.first_seconds + skipped * period) * SAMPLE_RATE)
        sound = chain([np.zeros(lead, np.float32)], (block.astype(np.float32, copy=False) for block in waveform))
        heard = self._hear_whole(sound) if self.context_seconds is None else self._hear_in_pieces(sound)
        for piece in heard:
            if len(piece) > skipped:
                yield piece[skipped:]
            skipped = max(skipped - len(piece), 0)

    def _hear_whole(self, blocks: Iterable[Array]) -> Iterator[Array]:
        yield self._hear(np.concatenate(list(blocks)))

    def _hear_in_pieces(self, blocks: Iterable[Array]) -> Iterator[Array]:
        step = Fraction(SAMPLE_RATE) / Fraction(self.features_per_second).limit_denominator(LARGEST_STEP)
        samples, count = step.numerator, step.denominator  # whole samples in which whole features pass
        sight = abs(self.first_seconds) + (self.context_seconds or 0.0)  # from an output's place in the clip
        margin = ceil(sight * SAMPLE_RATE / samples)  # this and what follows in steps of so many samples
        core = max(round(PIECE_SECONDS * SAMPLE_RATE / samples), 1)
        kept, before = np.zeros(0, np.float32), 0  # whose first `before` steps are context only
        for block in blocks:
            kept = np.concatenate([kept, block])
            while len(kept) > (before + core + 2 * margin) * samples:
                piece = self._hear(kept[: (before + core + margin) * samples])
                yield piece[before * count : (before + core) * count]
                spare = max(before + core - margin, 0)
                kept, before = kept[spare * samples :], before + core - spare
        yield self._hear(kept)[before * count :]

    def _hear(self, waveform: Array) -> Array:
        """The network's own output, (U, channels)."""
        sound = waveform if len(self._input.shape) == 1 else waveform[None]
        try:
            (output,) = self._session.run(None, {self._input.name: sound})
        except _failures() as error:
            raise WeightsError(
                f"{self._path} cannot hear {len(waveform) / SAMPLE_RATE:.2f} s of sound: {_first_line(error)}",
                detail=str(error),
            ) from error
        features = output[0] if output.ndim == 3 and len(output) == 1 else output
        if features.ndim != 2 or features.size == 0:
            raise WeightsError(
                f"{self._path} made an output of shape {output.shape} of {len(waveform) / SAMPLE_RATE:.2f} s of sound; "
                "an acoustic model makes (U, C) or (1, U, C)"
            )
        if not np.isfinite(features).all():
            raise WeightsError(f"{self._path} made features that are not finite; export it in single precision")
        return features.astype(np.float32, copy=False)

    def _measured_rate(self) -> float:
        """Features a second, from the lengths of sound at which further features appear."""

        def count(samples: int) -> int:
            return len(self._hear(_probe(samples)))

        def shortest(wanted: int, low: int, high: int) -> int:
            """The least number of samples, above `low` and up to `high`, that give `wanted` features."""
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if count(middle) >= wanted else (middle, high)
            return high

        start = count(PROBE_SAMPLES)
        longer = count(2 * PROBE_SAMPLES)
        guess = PROBE_SAMPLES / max(longer - start, 1)
        reach = ceil(2 * guess)
        one = shortest(start + 1, PROBE_SAMPLES, PROBE_SAMPLES + reach)
        expected = round(one + MEASURED_FEATURES * guess)
        many = shortest(start + 1 + MEASURED_FEATURES, expected - 2 * reach, expected + 2 * reach)
        step = (many - one) / MEASURED_FEATURES
        if longer <= start or abs(step - guess) > 0.1 * guess or count(many - 1) >= count(many):
            raise WeightsError(
                f"the features of {self._path} do not come at a steady rate; "
                f"write their rate into its metadata under the key {RATE_KEY}"
            )
        return SAMPLE_RATE / step


def _probe(samples: int) -> Array:
    """A sound of so many samples; noise, because some networks divide by the level."""
    return (0.1 * np.random.default_rng(0).standard_normal(samples)).astype(np.float32)


def _open(path: Path, device: str) -> tuple[Any, dict[str, str]]:
    """The session of a file, and its metadata."""
    try:
        runtime = import_module("onnxruntime")
    except ImportError as error:
        raise WeightsError(
            f"{path} needs onnxruntime, which is not installed; install it with: pip install 'speech-face[onnx]'"
        ) from error
    if not path.is_file():
        raise WeightsError(f"the acoustic model {path} does not exist")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors only; they are raised too
    wanted = [(CUDA, {"device_id": torch.device(device).index or 0})] if device.startswith("cuda") else []
    available = runtime.get_available_providers()
    providers = [(name, settings) for name, settings in wanted if name in available] + ["CPUExecutionProvider"]
    try:
        session = runtime.InferenceSession(str(path), options, providers=providers)
    except _failures() as error:
        raise WeightsError(f"{path} is no ONNX file that onnxruntime can run", detail=str(error)) from error
    if wanted and CUDA not in session.get_providers():
        LOG.warning("%s is computed on the CPU: this onnxruntime cannot use %s; install onnxruntime-gpu", path, device)
    return session, dict(session.get_modelmeta().custom_metadata_map)


def _failures() -> tuple[type[Exception], ...]:
    """What onnxruntime raises; its exceptions share no base but `Exception`."""
    state = import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    kinds = [value for value in vars(state).values() if isinstance(value, type) and issubclass(value, Exception)]
    return (*kinds, RuntimeError, ValueError)


def _only(arguments: list[Any], path: Path, role: str) -> Any:  # noqa: ANN401 (onnxruntime's NodeArg has no stub)
    if len(arguments) != 1:
        names = ", ".join(argument.name for argument in arguments)
        raise WeightsError(f"{path} has {len(arguments)} {role}s ({names}); an acoustic model has one")
    return arguments[0]


def _number(metadata: dict[str, str], key: str, path: Path) -> float | None:
    text = metadata.get(key)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise WeightsError(f"the metadata of {path} say {key} = {text!r}, which is not a number")
    return value


def _positive(metadata: dict[str, str], key: str, path: Path) -> float | None:
    value = _number(metadata, key, path)
    if value is not None and value <= 0:
        raise WeightsError(f"the metadata of {path} say {key} = {value}; it must be above 0")
    return value


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
