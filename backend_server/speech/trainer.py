"""Holds one training run of the acoustic model and takes its steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend_server.articulation.phones import PHONES
from backend_server.checkpoints import fill, load_checkpoint
from backend_server.config import SAMPLE_RATE, SpeechConfig
from backend_server.speech.acoustic_model import KIND, CtcAcousticModel, gain_of
from backend_server.speech.augmentation import AUGMENTATION, Augmentation, silences, surround, vary_place, vary_voice
from backend_server.speech.batches import MOUTH_SPANS, Batch, make_batch, plan_epoch
from backend_server.speech.dataset import LEAST_SAMPLES_PER_CHARACTER, Example
from backend_server.speech.encoder import SpeechEncoder
from backend_server.speech.losses import ctc_loss, mouth_loss, phone_loss
from backend_server.training.average import running_average
from backend_server.training.schedule import warmed_cosine
from backend_server.training.state import Part, TrainingState, settings_of

_AVERAGE = 0.99  # of the weights that are kept, per step
_PRIOR_AVERAGE = 0.98  # of the label prior, per step
_LEAST_PRIOR = 1e-4
_RAMP_STEPS = 200  # over which the label prior comes to count
_LARGEST_GRADIENT = 1.0  # norm


class SpeechTrainer:
    """One training run: the network, its running average, the optimiser and where it stands.

    The encoder begins pre-trained. It learns to say of noisy sound what it said at first of the same sound without
    noise, beside characters, phones and the mouth. Every random draw is a function of the seed and the step, so a
    resumed run equals an unbroken one.

    Args:
        config: the network and the length of the run.
        encoder: weights of `SpeechEncoder` to begin with.
        examples: training utterances.
        seed: of the heads' first weights, the order and every variation.
        device: where to compute.
        augmentation: how the sound is varied.
    """

    def __init__(
        self,
        config: SpeechConfig,
        encoder: Mapping[str, Tensor],
        examples: Sequence[Example],
        seed: int,
        device: str = "cpu",
        augmentation: Augmentation = AUGMENTATION,
    ) -> None:
        torch.manual_seed(seed)
        self.config, self.examples, self.seed, self.device = config, examples, seed, device
        self.model = CtcAcousticModel(config).to(device)
        self.model.encoder.load_state_dict(encoder)
        self.teacher = SpeechEncoder(config).to(device).eval()
        self.teacher.load_state_dict(encoder)
        self.mouth_head = nn.Linear(config.width, MOUTH_SPANS).to(device)
        self.average = running_average(self.model, _AVERAGE, is_quick_at_first=True)
        self.prior = torch.full((config.classes,), 1.0 / config.classes, device=device)
        self.phone_prior = torch.full((len(PHONES) + 1,), 1.0 / (len(PHONES) + 1), device=device)
        heads = [p for head in (self.model.head, self.model.phone_head, self.mouth_head) for p in head.parameters()]
        upper = [*self.model.encoder.layers[config.heard_layer :].parameters(), *self.model.encoder.norm.parameters()]
        lower = [p for p in self.model.encoder.parameters() if not any(p is other for other in upper)]
        self.parameters = [*lower, *upper, *heads]
        self.optimiser = torch.optim.AdamW(
            [{"params": lower}, {"params": upper}, {"params": heads}],
            weight_decay=config.weight_decay,
            betas=(0.9, 0.98),
        )
        self.augmentation = augmentation
        self.step = 0
        self._ahead = ThreadPoolExecutor(1)  # makes the next batch while the network learns from this one
        self._next: tuple[int, Future[tuple[Batch, Tensor]]] | None = None
        lengths = [len(item.waveform) for item in examples]
        samples = int(config.batch_seconds * SAMPLE_RATE)
        self._batches = [batch for epoch in range(config.epochs) for batch in plan_epoch(lengths, samples, epoch, seed)]
        self.steps = len(self._batches)

    def _batch(self) -> tuple[Batch, Tensor]:
        """Of this step, made by another thread; that of the next is begun."""
        step, made = self._next or (-1, None)
        batch = made.result() if made and step == self.step else self._make_batch(self.step)
        if self.step + 1 < self.steps:
            self._next = self.step + 1, self._ahead.submit(self._make_batch, self.step + 1)
        return batch[0].to(self.device), batch[1].to(self.device)

    def _make_batch(self, step: int) -> tuple[Batch, Tensor]:
        """Varied utterances of a step, and their waveforms as they were before noise came to them."""
        random = np.random.default_rng((self.seed, step))
        noisy, clean = [], []
        voices = [self.examples[index].waveform for index in random.integers(len(self.examples), size=16)]
        for index in self._batches[step]:
            item = vary_voice(self.examples[index], self.augmentation, random)
            if len(item.waveform) < LEAST_SAMPLES_PER_CHARACTER * len(item.text):  # too fast for CTC now
                item = replace(item, text="")
            item = surround(item, *silences(self.augmentation, random))
            heard = vary_place(item.waveform, voices, self.augmentation, random)
            error = 10.0 ** (random.uniform(*self.augmentation.level_db) / 20.0)
            noisy.append(replace(item, waveform=np.float32(error * gain_of(heard)) * heard))
            clean.append(replace(item, waveform=np.float32(gain_of(item.waveform)) * item.waveform))
        return make_batch(noisy), make_batch(clean).waveforms

    def _set_learning_rates(self) -> None:
        """Those of the encoder's lower and upper layers and of the heads at the next step."""
        config = self.config
        rates = config.learning_rate, config.upper_learning_rate, config.head_learning_rate
        for group, rate in zip(self.optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * warmed_cosine(self.step, self.steps)

    def _prior_weight(self) -> float:
        """The weight of the label prior."""
        return self.config.label_prior * min(self.step / _RAMP_STEPS, 1.0)

    def advance(self) -> float:
        """One step of the optimiser; returns its loss."""
        batch, clean = self._batch()
        self._set_learning_rates()
        self.model.train()
        with self._half_precision():
            outputs = self.model.encoder(batch.waveforms)
        middle, last = outputs[self.config.heard_layer].float(), outputs[-1].float()
        scores, phones = self.model.head(last), self.model.phone_head(middle)
        loss = self._loss(batch, scores, phones, self.mouth_head(middle)) + self._clean_loss(clean, middle)
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

    def _clean_loss(self, clean: Tensor, middle: Tensor) -> Tensor:
        """How far the middle layer is from what the first encoder says without noise, relative to its spread."""
        with torch.no_grad(), self._half_precision():
            target = self.teacher(clean, self.config.heard_layer)[-1].float()
        return self.config.clean_weight * F.mse_loss(middle, target) / target.var()

    def _half_precision(self) -> torch.autocast:
        """Computes in bfloat16, twice as fast on processors that have it; weights stay f32."""
        return torch.autocast(self.device, torch.bfloat16)

    @torch.no_grad()
    def _update_averages(self, scores: Tensor, phones: Tensor, lengths: Tensor) -> None:
        """Moves the running averages of the class probabilities and of the weights."""
        heard = torch.arange(scores.shape[1], device=scores.device) < lengths[:, None]
        for prior, now in ((self.prior, scores), (self.phone_prior, phones)):
            prior.lerp_(now.softmax(2)[heard].mean(0), 1.0 - _PRIOR_AVERAGE).clamp_(min=_LEAST_PRIOR)
        self.average.update_parameters(self.model)

    def weights(self) -> dict[str, Tensor]:
        """The averaged weights, with the label priors included in the biases of the heads."""
        state = {name: tensor.clone() for name, tensor in self.average.module.state_dict().items()}
        for head, prior in (("head", self.prior), ("phone_head", self.phone_prior)):
            state[f"{head}.bias"] -= self._prior_weight() * prior.log()
        return state

    def network(self) -> CtcAcousticModel:
        """The network as it is now, on the CPU."""
        model = CtcAcousticModel(self.config)
        model.load_state_dict(self.weights())
        return model.eval()

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

    def start_from(self, path: Path) -> None:
        """Begins with the weights of an earlier run; what noise is taken out of stays what the first encoder hears.

        Raises:
            WeightsError: the file is missing, damaged, or of another network.
        """
        _, tensors, _ = load_checkpoint(path, KIND, SpeechConfig)
        fill(self.model, tensors, path)
        self.average = running_average(self.model, _AVERAGE, is_quick_at_first=True)

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
        return f"{len(self.examples)} of {sum(len(item.waveform) for item in self.examples)} samples"
