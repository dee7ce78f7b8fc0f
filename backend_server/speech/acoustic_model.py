"""Turns a waveform into features of speech over time (F_t of Section 3.1).

The paper uses the character scores of a pre-trained DeepSpeech. Here a pre-trained encoder listens, and two linear
heads on it score characters and phones. The output of one of its middle layers still knows a vowel's shape, which the
scores lose, so either can be used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from backend_server.articulation.phones import PHONES
from backend_server.checkpoints import fill, load_checkpoint
from backend_server.config import SpeechConfig
from backend_server.speech.encoder import LEAD, STEP, TAIL, SpeechEncoder
from backend_server.speech.features import log_mel, speech_level

KIND = "speech"
SAID = slice(1, len(PHONES))  # classes of the phones without silence, which comes first, and blank, which comes last
USUAL_LEVEL = 3.5  # natural-log units of `speech_level`'s power, all bands together: what the encoder is used to
WINDOW, HOP = 480, 440  # positions: 11.5 s, and from one window to the next
FADED = 20  # positions over which one window turns into the next, in the middle of their overlap

Array = NDArray[np.float32]


class AcousticModel(Protocol):
    """Anything that turns speech into channels of features over time."""

    channels: int
    features_per_second: float

    def features(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """Features (U, channels) of a 16 kHz waveform (S,); feature u describes second u / features_per_second."""
        ...


class CtcAcousticModel(nn.Module):
    """A waveform to a hidden layer, 29 CTC scores and 42 phone scores, 41.67 a second (`AcousticModel`).

    Attention sees everything, so long sound is heard in windows of 11.5 s that overlap; where two meet, one fades into
    the other. A feature therefore depends on the sound around it alone, not on how the sound came.

    Args:
        config: the sizes.
        listens_to: what `features` are: the "hidden" layer `heard_layer`, or the "scores" of the 29 characters.
    """

    def __init__(self, config: SpeechConfig, listens_to: Literal["hidden", "scores"] = "hidden") -> None:
        super().__init__()
        self.config, self.listens_to = config, listens_to
        self.channels = config.width if listens_to == "hidden" else config.classes
        self.features_per_second = config.scores_per_second
        self.encoder = SpeechEncoder(config)
        self.head = nn.Linear(config.width, config.classes)
        self.phone_head = nn.Linear(config.width, len(PHONES) + 1)  # the last class is the blank

    def hidden(self, waveform: Tensor) -> Tensor:
        """What motion and phones listen to, (N, U, width), of waveforms (N, S) at the usual level."""
        return self.encoder(waveform, self.config.heard_layer)[-1]

    def forward(self, waveform: Tensor) -> Tensor:
        """Scores before the softmax (N, U, classes) of waveforms (N, S) at the usual level."""
        return self.head(self.encoder(waveform)[-1])

    def features(self, waveform: Array) -> Array:
        """The features that `listens_to` names, (U, channels), of a 16 kHz waveform (S,); U is `position_count`.

        A clip is treated as if silence surrounded it.
        """
        return self._whole(waveform, self._listen)

    def feature_blocks(self, waveform: Iterable[Array], gain: float) -> Iterator[Array]:
        """`features` of a 16 kHz waveform that comes in blocks (n,): (m, channels) at a time.

        Args:
            waveform: blocks of any length.
            gain: brings the waveform to the usual level, as `gain_of` says.
        """
        return self._joined(waveform, gain, self._listen)

    def feature_and_score_blocks(self, waveform: Iterable[Array], gain: float) -> Iterator[tuple[Array, Array]]:
        """`feature_blocks` of the hidden layer, each with the CTC scores of the same positions, (m, 29)."""
        for block in self._joined(waveform, gain, self._listen_to_both):
            yield block[:, : self.channels], block[:, self.channels :]

    def scores(self, waveform: Array) -> Array:
        """CTC scores before the softmax, (U, 29), of a 16 kHz waveform (S,), for `decoding`."""
        return self._whole(waveform, self)

    def phone_scores(self, waveform: Array) -> Array:
        """Scores of `PHONES` and the blank before the softmax, (U, 42), of a 16 kHz waveform (S,)."""
        return self._whole(waveform, lambda heard: self.phone_head(self.hidden(heard)))

    @torch.inference_mode()
    def phone_probabilities(self, hidden: Array) -> Array:
        """How likely each phone is, (U, 42) as `phone_scores`, of features (U, channels) of the hidden layer."""
        return self.phone_head(torch.from_numpy(hidden).to(self.device)).softmax(1).cpu().numpy()

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return next(self.parameters()).device

    def _listen(self, waveform: Tensor) -> Tensor:
        return self(waveform) if self.listens_to == "scores" else self.hidden(waveform)

    def _listen_to_both(self, waveform: Tensor) -> Tensor:
        outputs = self.encoder(waveform)
        return torch.cat([outputs[self.config.heard_layer], self.head(outputs[-1])], dim=2)

    def _whole(self, waveform: Array, network: Callable[[Tensor], Tensor]) -> Array:
        return np.concatenate(list(self._joined([waveform], gain_of(waveform), network)))

    def _joined(self, blocks: Iterable[Array], gain: float, network: Callable[[Tensor], Tensor]) -> Iterator[Array]:
        """What the network says of all windows, each faded into the next."""
        kept: Array | None = None  # what the last window said of its overlap with the next
        middle = (WINDOW - HOP - 1) / 2
        ends = middle - FADED / 2, middle + FADED / 2
        share = np.interp(np.arange(WINDOW - HOP), ends, (0.0, 1.0)).astype(np.float32)[:, None]
        for outputs, is_last in self._windows(blocks, gain, network):
            if kept is not None:
                outputs[: WINDOW - HOP] = kept + share * (outputs[: WINDOW - HOP] - kept)
            yield outputs if is_last else outputs[:HOP]
            kept = outputs[HOP:]

    @torch.inference_mode()
    def _windows(
        self, blocks: Iterable[Array], gain: float, network: Callable[[Tensor], Tensor]
    ) -> Iterator[tuple[Array, bool]]:
        """What the network says of each window, (W, C), and whether it is the last; only that one may be shorter."""
        heard, length = np.zeros(LEAD, np.float32), (WINDOW - 1) * STEP + LEAD + TAIL

        def said(waveform: Array) -> Array:
            return network(torch.from_numpy(waveform).to(self.device)[None])[0].float().cpu().numpy()

        for block in blocks:
            heard = np.concatenate([heard, np.float32(gain) * block])
            while len(heard) > length:
                yield said(heard[:length]), False
                heard = heard[HOP * STEP :]
        positions = (len(heard) - LEAD) // STEP + 1
        yield said(np.pad(heard, (0, (positions - 1) * STEP + LEAD + TAIL - len(heard)))), True


def position_count(sample_count: int) -> int:
    """How many features a 16 kHz waveform has."""
    return sample_count // STEP + 1


def gain_of(waveform: Array) -> float:
    """The factor that brings the speech of a 16 kHz waveform (S,) to the level the encoder is used to."""
    return gain_for(speech_level(log_mel(torch.as_tensor(waveform, dtype=torch.float32))))


def gain_for(level: Tensor) -> float:
    """The same for speech of a level (bands,), as `features.speech_level` measures it."""
    return math.exp(0.5 * (USUAL_LEVEL - float(level.logsumexp(0))))


def load_acoustic_model(
    path: Path, device: str = "cpu", listens_to: Literal["hidden", "scores"] = "hidden"
) -> CtcAcousticModel:
    """The trained network of a checkpoint, ready for use.

    Raises:
        WeightsError: the file is missing, damaged, or of another network.
    """
    config, tensors, _ = load_checkpoint(path, KIND, SpeechConfig, device)
    model = CtcAcousticModel(config, listens_to).to(device)
    fill(model, tensors, path)
    return model.eval()
