"""What is the state of a training run of the acoustic model, and what is one step of it?"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from backend_server.articulation.phones import PHONES
from backend_server.checkpoints import fill, load_checkpoint, save_checkpoint
from backend_server.config import SAMPLE_RATE, SpeechConfig
from backend_server.speech.acoustic_model import KIND, CtcAcousticModel
from backend_server.speech.augmentation import (
    Augmentation,
    NoiseBank,
    mask,
    silences,
    surround,
    vary_place,
    vary_voice,
)
from backend_server.speech.batches import MOUTH_SPANS, Batch, make_batch, normalised, plan_epoch
from backend_server.speech.dataset import SHORTEST_FRAMES_A_CHARACTER, Features
from backend_server.speech.losses import ctc_loss, mouth_loss, phone_loss
from shared.errors import WeightsError

_KIND = "speech_training"
_AVERAGE = 0.998  # of the weights that are kept, a step
_PRIOR_AVERAGE = 0.99  # of the label prior, a step
_LEAST_PRIOR = 1e-4
_WARM_UP = 0.05  # share of all steps
_LARGEST_GRADIENT = 1.0  # norm
_LONGEST_LEAD = 24  # frames of silence before an utterance


class SpeechTrainer:
    """One training run: the network, its running average, the optimiser and where it stands.

    Every random draw is a function of the seed and the step, so a resumed run goes the way of an unbroken one.

    Args:
        config: the network and the length of the run.
        features: training utterances.
        seed: of the first weights, the order and every variation.
        device: where to compute.
    """

    def __init__(self, config: SpeechConfig, features: Sequence[Features], seed: int, device: str = "cpu") -> None:
        torch.manual_seed(seed)
        self.config, self.features, self.seed, self.device = config, features, seed, device
        self.model = CtcAcousticModel(config).to(device)
        self.average = CtcAcousticModel(config).to(device).eval()
        self.average.load_state_dict(self.model.state_dict())
        self.mouth_head = nn.Conv1d(config.stem_channels, MOUTH_SPANS, 1).to(device)
        self.prior = torch.full((config.classes,), 1.0 / config.classes, device=device)
        self.phone_prior = torch.full((len(PHONES) + 1,), 1.0 / (len(PHONES) + 1), device=device)
        self.parameters = [*self.model.parameters(), *self.mouth_head.parameters()]
        self.optimiser = torch.optim.AdamW(
            self.parameters, lr=config.learning_rate, weight_decay=config.weight_decay, betas=(0.9, 0.98)
        )
        self.bank = NoiseBank([item.mel for item in features], config, np.random.default_rng(seed))
        self.augmentation = Augmentation()
        self.step = 0
        lengths = [len(item.mel) for item in features]
        frames = int(config.batch_seconds * SAMPLE_RATE / config.hop_samples)
        plans = [plan_epoch(lengths, frames, epoch, seed) for epoch in range(config.epochs)]
        self._batches = [batch for plan in plans for batch in plan]
        self._ramp_steps = len(plans[0])
        self.steps = len(self._batches)

    def _batch(self) -> Batch:
        rng = np.random.default_rng((self.seed, self.step))
        items = []
        for index in self._batches[self.step]:
            item = self.features[index]
            plain = item.mel.astype(np.float32)
            voice = vary_voice(plain, self.augmentation, rng)
            if len(voice) < SHORTEST_FRAMES_A_CHARACTER * len(item.text):  # spoken too fast for CTC now
                voice = plain
            spoken = replace(item, mel=voice, begins=item.begins * (len(voice) / len(plain)))
            spoken = surround(spoken, *silences(self.augmentation, rng))
            heard = vary_place(spoken.mel, self.bank, self.augmentation, rng)
            items.append(replace(spoken, mel=mask(normalised(heard), self.augmentation, rng)))
        return make_batch(items, lead=int(rng.integers(_LONGEST_LEAD))).to(self.device)

    def learning_rate(self) -> float:
        """Linear warm-up, then half a cosine to nothing."""
        done = self.step / self.steps
        if done < _WARM_UP:
            return self.config.learning_rate * (self.step + 1) / (_WARM_UP * self.steps + 1)
        return self.config.learning_rate * 0.5 * (1.0 + math.cos(math.pi * (done - _WARM_UP) / (1.0 - _WARM_UP)))

    def _prior_weight(self) -> float:
        """The weight of the label prior, which grows over the first epoch."""
        return self.config.label_prior * min(self.step / self._ramp_steps, 1.0)

    def advance(self) -> float:
        """One step of the optimiser; returns its loss a character."""
        batch = self._batch()
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate()
        self.model.train()
        hidden = self.model.hidden(batch.mel)
        heads = (self.model.head, self.model.phone_head, self.mouth_head)
        scores, phones, spans = (head(hidden).transpose(1, 2) for head in heads)
        loss = self._loss(batch, scores, phones, spans)
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, _LARGEST_GRADIENT)
        self.optimiser.step()
        self._follow(scores.detach(), phones.detach(), batch.lengths)
        self.step += 1
        return float(loss.detach())

    def _loss(self, batch: Batch, scores: Tensor, phones: Tensor, spans: Tensor) -> Tensor:
        """CTC of characters and phones, cross-entropy of phones whose times are known, error of the mouth."""
        weight, config = self._prior_weight(), self.config
        loss = ctc_loss(scores, batch.lengths, batch.characters, batch.character_counts, self.prior, weight)
        order = ctc_loss(phones, batch.lengths, batch.phones, batch.phone_counts, self.phone_prior, weight)
        timed = phone_loss(phones, batch.timed_phones)
        mouth = config.mouth_weight * mouth_loss(spans, batch.mouths)
        return loss + config.phone_weight * order + config.timed_phone_weight * timed + mouth

    @torch.no_grad()
    def _follow(self, scores: Tensor, phones: Tensor, lengths: Tensor) -> None:
        """Moves the running averages of the class probabilities and of the weights."""
        heard = torch.arange(scores.shape[1], device=scores.device) < lengths[:, None]
        for prior, now in ((self.prior, scores), (self.phone_prior, phones)):
            prior.lerp_(now.softmax(2)[heard].mean(0), 1.0 - _PRIOR_AVERAGE).clamp_(min=_LEAST_PRIOR)
        share = 1.0 - min(_AVERAGE, (1.0 + self.step) / (10.0 + self.step))  # the first weights are soon forgotten
        for kept, now in zip(self.average.state_dict().values(), self.model.state_dict().values(), strict=True):
            if kept.is_floating_point():
                kept.lerp_(now, share)
            else:
                kept.copy_(now)

    def weights(self) -> dict[str, Tensor]:
        """The averaged weights, f16, with the label priors taken into the biases of the last layers."""
        state = {name: tensor.clone() for name, tensor in self.average.state_dict().items()}
        for head, prior in (("head", self.prior), ("phone_head", self.phone_prior)):
            state[f"{head}.bias"] -= self._prior_weight() * prior.log()
        return {name: t.half() if t.is_floating_point() else t for name, t in state.items()}

    def network(self) -> CtcAcousticModel:
        """The network as its file would be read now, on the CPU."""
        model = CtcAcousticModel(self.config)
        model.load_state_dict(self.weights())
        return model.eval()

    def start_from(self, path: Path) -> None:
        """Begins with the weights of an earlier training instead of random ones.

        Raises:
            WeightsError: the file is damaged or of a network of other sizes.
        """
        _, tensors, _ = load_checkpoint(path, KIND, SpeechConfig, self.device)
        for network in (self.model, self.average):
            fill(network, tensors, path)

    def save(self, path: Path) -> None:
        """Keeps all that `resume` needs."""
        tensors = {"prior": self.prior, "phone_prior": self.phone_prior}
        tensors |= {f"mouth_head.{name}": tensor for name, tensor in self.mouth_head.state_dict().items()}
        tensors |= {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        tensors |= {f"average.{name}": tensor for name, tensor in self.average.state_dict().items()}
        for index, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{name}": tensor for name, tensor in state.items()}
        notes = {"step": str(self.step), "seed": str(self.seed), "utterances": self._utterances()}
        save_checkpoint(path, _KIND, self.config, tensors, notes)

    def resume(self, path: Path) -> None:
        """Goes on from what `save` wrote; a run may be made longer or shorter, never another.

        Raises:
            WeightsError: the file is damaged, or of a run with other settings, another seed or other utterances.
        """
        config, tensors, notes = load_checkpoint(path, _KIND, SpeechConfig, self.device)
        otherwise = "remove it or train without --resume"
        if replace(config, epochs=self.config.epochs) != self.config:
            raise WeightsError(f"{path} was trained with other settings; {otherwise}")
        for name, now in (("seed", str(self.seed)), ("utterances", self._utterances())):
            if notes.get(name, now) != now:
                raise WeightsError(f"{path} is of another run ({name}: {notes[name]}, now {now}); {otherwise}")
        networks = {"model.": self.model, "average.": self.average, "mouth_head.": self.mouth_head}
        for prefix, network in networks.items():
            fill(network, _below(prefix, tensors), path)
        state: dict[int, dict[str, Tensor]] = defaultdict(dict)
        groups = self.optimiser.state_dict()["param_groups"]
        try:
            self.prior, self.phone_prior = tensors["prior"], tensors["phone_prior"]
            for name, tensor in _below("optimiser.", tensors).items():
                index, key = name.split(".", 1)
                state[int(index)][key] = tensor
            self.optimiser.load_state_dict({"state": dict(state), "param_groups": groups})
            self.step = int(notes["step"])
        except (KeyError, ValueError) as error:
            raise WeightsError(f"{path} is not a whole state of a run ({error}); {otherwise}") from error

    def _utterances(self) -> str:
        """What tells one set of utterances from another."""
        return f"{len(self.features)} of {sum(len(item.mel) for item in self.features)} frames"


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with a prefix, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
