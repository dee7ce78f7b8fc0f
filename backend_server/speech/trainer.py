"""Holds one training run of the acoustic model and takes its steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from backend_server.articulation.phones import PHONES
from backend_server.checkpoints import fill, load_checkpoint
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
from backend_server.speech.dataset import LEAST_FRAMES_PER_CHARACTER, Features
from backend_server.speech.losses import ctc_loss, mouth_loss, phone_loss
from backend_server.training.average import running_average
from backend_server.training.schedule import set_learning_rate, warmed_cosine
from backend_server.training.state import Part, TrainingState, settings_of

_AVERAGE = 0.998  # of the weights that are kept, per step
_PRIOR_AVERAGE = 0.99  # of the label prior, per step
_LEAST_PRIOR = 1e-4
_LARGEST_GRADIENT = 1.0  # norm
_LONGEST_LEAD = 24  # frames of silence before an utterance


class SpeechTrainer:
    """One training run: the network, its running average, the optimiser and where it stands.

    Every random draw is a function of the seed and the step, so a resumed run equals an unbroken one.

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
        self.mouth_head = nn.Conv1d(config.stem_channels, MOUTH_SPANS, 1).to(device)
        self.average = running_average(self.model, _AVERAGE, is_quick_at_first=True)
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
            if len(voice) < LEAST_FRAMES_PER_CHARACTER * len(item.text):  # spoken too fast for CTC now
                voice = plain
            spoken = replace(item, mel=voice, begins=item.begins * (len(voice) / len(plain)))
            spoken = surround(spoken, *silences(self.augmentation, rng))
            heard = vary_place(spoken.mel, self.bank, self.augmentation, rng)
            items.append(replace(spoken, mel=mask(normalised(heard), self.augmentation, rng)))
        return make_batch(items, lead=int(rng.integers(_LONGEST_LEAD))).to(self.device)

    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        return self.config.learning_rate * warmed_cosine(self.step, self.steps)

    def _prior_weight(self) -> float:
        """The weight of the label prior, which grows over the first epoch."""
        return self.config.label_prior * min(self.step / self._ramp_steps, 1.0)

    def advance(self) -> float:
        """One step of the optimiser; returns its loss per character."""
        batch = self._batch()
        set_learning_rate(self.learning_rate(), self.optimiser)
        self.model.train()
        hidden = self.model.hidden(batch.mel)
        heads = (self.model.head, self.model.phone_head, self.mouth_head)
        scores, phones, spans = (head(hidden).transpose(1, 2) for head in heads)
        loss = self._loss(batch, scores, phones, spans)
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, _LARGEST_GRADIENT)
        self.optimiser.step()
        self._update_averages(scores.detach(), phones.detach(), batch.lengths)
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
    def _update_averages(self, scores: Tensor, phones: Tensor, lengths: Tensor) -> None:
        """Moves the running averages of the class probabilities and of the weights."""
        heard = torch.arange(scores.shape[1], device=scores.device) < lengths[:, None]
        for prior, now in ((self.prior, scores), (self.phone_prior, phones)):
            prior.lerp_(now.softmax(2)[heard].mean(0), 1.0 - _PRIOR_AVERAGE).clamp_(min=_LEAST_PRIOR)
        self.average.update_parameters(self.model)

    def weights(self) -> dict[str, Tensor]:
        """The averaged weights, f16, with the label priors included in the biases of the last layers."""
        state = {name: tensor.clone() for name, tensor in self.average.module.state_dict().items()}
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
        for network in (self.model, self.average.module):
            fill(network, tensors, path)

    def state(self, path: Path) -> TrainingState:
        """All that a step changes, to be kept in a file; only the length of the run may change."""
        parts: dict[str, Part] = {
            "model": self.model,
            "average": self.average,
            "mouth_head": self.mouth_head,
            "prior": self.prior,
            "phone_prior": self.phone_prior,
            "optimiser": self.optimiser,
        }
        run = {"seed": self.seed, "utterances": self._utterances()}
        return TrainingState(path, parts, settings_of(self.config, "epochs") | run)

    def save(self, path: Path) -> None:
        """Keeps all that `resume` needs."""
        self.state(path).save(step=self.step)

    def resume(self, path: Path) -> None:
        """Goes on from what `save` wrote, if there is such a file.

        Raises:
            WeightsError: the file is damaged, or of a run with other settings, another seed or other utterances.
        """
        self.step = int(self.state(path).load().get("step", 0))

    def _utterances(self) -> str:
        """Distinguishes one set of utterances from another."""
        return f"{len(self.features)} of {sum(len(item.mel) for item in self.features)} frames"
