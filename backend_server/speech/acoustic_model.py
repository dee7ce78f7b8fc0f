"""Turns a waveform into features of speech over time (F_t of Section 3.1).

The paper uses the character scores of a pre-trained DeepSpeech; this is a convolutional CTC network of that kind,
small enough to ship and fast on a CPU. The last hidden layer still knows a vowel's shape, which the scores lose, so
either can be used. All convolutions are centred: a feature describes its own moment, and a long clip can be computed
in pieces without seams.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from backend_server.articulation.phones import PHONES
from backend_server.checkpoints import fill, load_checkpoint
from backend_server.config import SpeechConfig
from backend_server.speech.features import SILENCE, log_mel
from backend_server.speech.holes import speech_level_of

KIND = "speech"
MEL_STEP = 4  # mel frames per position of the inner network
_PIECE_FRAMES = 3000  # mel frames computed at once: 30 s, well under half a second of work


class AcousticModel(Protocol):
    """Anything that turns speech into channels of features over time."""

    channels: int
    features_per_second: float

    def features(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """Features (U, channels) of a 16 kHz waveform (S,); feature u describes second u / features_per_second."""
        ...


class ResidualBlock(nn.Module):
    """x + relu(norm(convolution(x))) over (N, channels, T)."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(channels, channels, kernel, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm1d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Keeps the shape."""
        return x + F.relu(self.norm(self.convolution(x)))


class CtcAcousticModel(nn.Module):
    """Log-mel frames to a hidden layer, 29 CTC scores and 42 phone scores, 50 a second (`AcousticModel`).

    A stem at 50 positions a second, residual blocks at 25 a second where most of the work is cheap, and a head back at
    50 a second that sees the stem again, for sharp timing.

    Args:
        config: the sizes.
        listens_to: what `features` are: the last "hidden" layer, or the "scores" of the 29 characters.
    """

    def __init__(self, config: SpeechConfig, listens_to: Literal["hidden", "scores"] = "hidden") -> None:
        super().__init__()
        self.config, self.listens_to = config, listens_to
        self.channels = config.stem_channels if listens_to == "hidden" else config.classes
        self.features_per_second = config.scores_per_second
        stem, wide, half = config.stem_channels, config.channels, config.kernel // 2
        self.stem = nn.Conv1d(config.mel_bands, stem, 7, stride=2, padding=3, bias=False)
        self.stem_norm = nn.BatchNorm1d(stem)
        self.down = nn.Conv1d(stem, wide, config.kernel, stride=2, padding=half, bias=False)
        self.down_norm = nn.BatchNorm1d(wide)
        self.blocks = nn.Sequential(*(ResidualBlock(wide, config.kernel) for _ in range(config.blocks)))
        self.up = nn.Conv1d(wide, 2 * stem, 1, bias=False)
        self.up_norm = nn.BatchNorm1d(stem)
        self.mix = ResidualBlock(stem, config.kernel)
        self.head = nn.Conv1d(stem, config.classes, 1)
        self.phone_head = nn.Conv1d(stem, len(PHONES) + 1, 1)  # the last class is the blank

    @property
    def margin_frames(self) -> int:
        """How many mel frames to either side a score can see, rounded up to whole positions."""
        layers = self.config.blocks + 2  # the blocks, the way down and the mix, which is narrower
        return MEL_STEP * (layers * (self.config.kernel // 2) + 2)

    def hidden(self, mel: Tensor) -> Tensor:
        """The last hidden layer (N, stem, F / 2) over normalised log-mel frames (N, F, bands); F is a multiple of 4."""
        fine = F.relu(self.stem_norm(self.stem(mel.transpose(1, 2))))  # (N, stem, F / 2)
        coarse = self.blocks(F.relu(self.down_norm(self.down(fine))))  # (N, wide, F / 4)
        raised = self.up(coarse).unflatten(1, (2, -1)).permute(0, 2, 3, 1).flatten(2)  # (N, stem, F / 2)
        return self.mix(F.relu(self.up_norm(raised + fine)))

    def forward(self, mel: Tensor) -> Tensor:
        """Scores before the softmax (N, F / 2, classes) of normalised log-mel frames (N, F, bands)."""
        return self.head(self.hidden(mel)).transpose(1, 2)

    def features(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """The features that `listens_to` names, (1 + S // 320, channels), of a 16 kHz waveform (S,).

        A clip is treated as if silence surrounded it. The result does not depend on the pieces in which a long clip is
        computed.
        """
        return np.concatenate(list(self.feature_blocks([self._normalised(waveform)])))

    def feature_blocks(self, mel: Iterable[Tensor]) -> Iterator[NDArray[np.float32]]:
        """`features` of a clip whose normalised log-mel frames (n, bands) come in blocks: (m, channels) at a time."""
        return self._pieces(mel, self.forward if self.listens_to == "scores" else self._hidden_in_time)

    def scores(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """CTC scores before the softmax, (1 + S // 320, 29), of a 16 kHz waveform (S,), for `decoding`."""
        return np.concatenate(list(self._pieces([self._normalised(waveform)], self.forward)))

    def phone_scores(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores of `PHONES` and the blank before the softmax, (1 + S // 320, 42), of a 16 kHz waveform (S,)."""
        return np.concatenate(list(self._pieces([self._normalised(waveform)], self._phones_in_time)))

    @torch.inference_mode()
    def sureness(self, hidden: NDArray[np.float32]) -> NDArray[np.float32]:
        """How likely the likeliest phone is at each moment, (U,), of features (U, channels) of the hidden layer."""
        scores = self.phone_head(torch.from_numpy(hidden).to(self.device).T[None])[0].T  # (U, 42)
        return scores.softmax(1)[:, : len(PHONES)].amax(1).cpu().numpy()

    def _phones_in_time(self, mel: Tensor) -> Tensor:
        return self.phone_head(self.hidden(mel)).transpose(1, 2)

    def _normalised(self, waveform: NDArray[np.float32]) -> Tensor:
        mel = log_mel(torch.as_tensor(waveform, dtype=torch.float32, device=self.device), self.config)
        return speech_level_of(mel).normalise(mel)

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return next(self.parameters()).device

    def _hidden_in_time(self, mel: Tensor) -> Tensor:
        return self.hidden(mel).transpose(1, 2)

    @torch.inference_mode()
    def _pieces(self, mel: Iterable[Tensor], network: Callable[[Tensor], Tensor]) -> Iterator[NDArray[np.float32]]:
        margin = self.margin_frames
        kept = torch.full((margin, self.config.mel_bands), SILENCE, device=self.device)
        for block in mel:
            kept = torch.cat([kept, block])
            while len(kept) >= _PIECE_FRAMES + 2 * margin:
                yield self._core(kept[: _PIECE_FRAMES + 2 * margin], network)
                kept = kept[_PIECE_FRAMES:]
        rest = len(kept) - margin
        if rest > 0:
            kept = F.pad(kept, (0, 0, 0, margin + -rest % MEL_STEP), value=SILENCE)
            yield self._core(kept, network)[: (rest + 1) // 2]

    def _core(self, mel: Tensor, network: Callable[[Tensor], Tensor]) -> NDArray[np.float32]:
        """The network's output for frames (F, bands) without the margins, whose frames see beyond the piece."""
        margin = self.margin_frames // 2
        return network(mel[None])[0, margin:-margin].float().cpu().numpy()


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
