"""Trains the sync network to tell which sound belongs to which mouth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from backend_server.data.corpus import Corpus
from backend_server.evaluation.held_out import spread
from backend_server.evaluation.sync.films import Film, read_film
from backend_server.evaluation.sync.network import MARGIN, SyncConfig, SyncNetwork, levelled
from backend_server.progress import Progress
from backend_server.training.schedule import set_learning_rate, warmed_cosine
from shared.errors import CorpusError

_SHARPEST = 50.0
_SHIFT = 2  # pixels, by which the cut-out of a training mouth may be off
_WIDEST_HOLE = 8  # mel bands that a training sound may lack
_LOUDEST_FLOOR = -1.0  # of the noise in a training sound, in units of normalised log-mel frames


def training_films(corpus: Corpus, config: SyncConfig, progress: Progress) -> list[Film]:
    """Films of the training clips that are long enough, some of each person.

    Raises:
        CorpusError: there are none, or a clip is damaged.
    """
    long = [clip for clip in corpus.clips("train") if clip.frame_count >= config.run_frames]
    chosen = [
        clip
        for speaker in corpus.speakers("train")
        for clip in spread([clip for clip in long if clip.speaker == speaker], config.clips_per_speaker)
    ]
    if not chosen:
        raise CorpusError(f"{corpus.path} has no training clips of {config.run_frames} frames or more")
    films = []
    for number, clip in enumerate(chosen):
        progress("films", number, len(chosen))
        films.append(read_film(clip))
    progress("films", len(chosen), len(chosen))
    return films


def train_sync(films: Sequence[Film], config: SyncConfig, seed: int, device: str, progress: Progress) -> SyncNetwork:
    """The network trained on films, in which every person is seen as often as the others.

    Args:
        films: of `run_frames` pictures or more.
        config: of network and training.
        seed: the same seed gives the same weights on the same machine.
        device: where to train.
        progress: receives ("sync network", done, of all).
    """
    batches = _Batches(films, config, np.random.default_rng(seed))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = SyncNetwork(config).to(device)
        steps = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
        for step in range(config.steps):
            progress("sync network", step, config.steps)
            set_learning_rate(config.learning_rate * warmed_cosine(step, config.steps), steps)
            mouths, sounds = (torch.from_numpy(part).to(device) for part in batches.draw())
            sharpness = network.sharpness.exp().clamp(max=_SHARPEST)
            loss = contrast(network.mouth(mouths), network.sound(sounds), sharpness)
            steps.zero_grad()
            loss.backward()
            steps.step()
        progress("sync network", config.steps, config.steps)
    return network.eval()


class _Batches:
    """Draws runs of consecutive pictures with their sounds, all people equally often."""

    def __init__(self, films: Sequence[Film], config: SyncConfig, random: np.random.Generator) -> None:
        counts = Counter(film.speaker for film in films)
        self.chances = np.array([1 / counts[film.speaker] for film in films]) / len(counts)
        self.mouths, self.sounds = [levelled(film.mouths) for film in films], [film.sounds for film in films]
        self.config, self.random = config, random

    def draw(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mouths (N, T, 32, 48) and the sounds (N, T - 4, 20, 64) of the pictures that are the middle of five."""
        length, seen, heard = self.config.run_frames, [], []
        for film in self.random.choice(len(self.mouths), self.config.batch_clips, p=self.chances):
            first = int(self.random.integers(len(self.mouths[film]) - length + 1))
            seen.append(self.mouths[film][first : first + length])
            heard.append(self.sounds[film][first + MARGIN : first + length - MARGIN])
        return varied_mouths(np.stack(seen), self.random), varied_sounds(np.stack(heard), self.random)


def contrast(seen: Tensor, heard: Tensor, sharpness: Tensor) -> Tensor:
    """How badly each mouth's own sound is told from others, and each sound's own mouth (InfoNCE).

    Half of it is asked among the moments of the same clip, so that a voice that belongs to a face is no answer; half
    among all of the batch.

    Args:
        seen: directions (N, T, size) of mouths.
        heard: of the sounds of the same moments.
        sharpness: the inverse of the temperature.
    """
    own = _told_apart(sharpness * seen @ heard.mT)
    return (own + _told_apart(sharpness * (seen.flatten(0, 1) @ heard.flatten(0, 1).T)[None])) / 2


def _told_apart(products: Tensor) -> Tensor:
    """Mean cross-entropy of (N, M, M) when the right answers stand on the diagonals, along rows and columns."""
    right = torch.arange(products.shape[1], device=products.device).repeat(len(products))
    rows, columns = products.flatten(0, 1), products.mT.flatten(0, 1)
    return (F.cross_entropy(rows, right) + F.cross_entropy(columns, right)) / 2


def varied_mouths(mouths: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    """Levelled mouths (N, T, 32, 48) as another camera would show them: mirrored, shifted, paler, grainier."""
    varied = np.empty_like(mouths)
    for clip, before in enumerate(mouths):
        turned = before[..., :: random.choice((-1, 1))]
        shifted = np.roll(turned, random.integers(-_SHIFT, _SHIFT + 1, 2), (1, 2))
        grain = random.uniform(0, 0.15) * random.standard_normal(before.shape, np.float32)
        varied[clip] = random.uniform(0.7, 1.3) * shifted + random.normal(0, 0.15) + grain
    return varied


def varied_sounds(sounds: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    """Sounds (N, T, 20, 64) as in another room: louder, brighter, duller, some with hiss, some without a few bands."""
    count, bands = len(sounds), sounds.shape[-1]
    colour = random.normal(0, 0.1, (count, 1)) * np.linspace(-1, 1, bands)
    varied = sounds + (random.normal(0, 0.15, (count, 1)) + colour).astype(np.float32)[:, None, None]
    for clip in range(count):
        if random.random() < 0.5:
            lowest, width = random.integers(bands - _WIDEST_HOLE), random.integers(1, _WIDEST_HOLE + 1)
            varied[clip, ..., lowest : lowest + width] = 0
        if random.random() < 0.5:
            hiss = random.uniform(-3.3, _LOUDEST_FLOOR) + 0.2 * random.standard_normal(sounds.shape[1:], np.float32)
            varied[clip] = np.maximum(varied[clip], hiss)
    return varied
