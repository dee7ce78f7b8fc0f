"""Runs experiments one after another and writes their sections as one report."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import torch

from backend_server.cascade import Cascade
from backend_server.checkpoints import WEIGHTS_DIR
from backend_server.data.corpus import Clip, Corpus
from backend_server.evaluation.held_out import PEOPLE, TRAIN, Take, one_of_each, read_talkers
from backend_server.evaluation.kept import Kept
from backend_server.evaluation.motion.sounds import Waveform
from backend_server.evaluation.motion.spoken import Spoken, speak_sentences
from backend_server.evaluation.page.report import Section, goals_section, write_report
from backend_server.metrics.identity import FaceEmbedding
from backend_server.progress import Progress

TITLE = "Speech Face: evaluation"
SEED = 0
FACE_CLIPS_PER_PERSON = 4  # the last ones; each takes two minutes on two cores


@dataclass(frozen=True)
class Budget:
    """How long each texture network is trained: so many updates, or so many minutes if they end first."""

    updates: int = 400
    minutes: float = 15.0

    def __str__(self) -> str:
        return f"{self.updates} updates, or {self.minutes:g} minutes where those end first"


USUAL_BUDGET = Budget()  # all texture networks within an hour and a half on two cores


@dataclass(frozen=True)
class Settings:
    """What `evaluate` was asked for; see the options of the command."""

    data: Path
    out: Path
    speech: Path | None = None
    has_ablations: bool = False
    epochs: int = 15
    has_motion: bool = True
    has_texture: bool = True
    device: str = "auto"
    weights: Path = WEIGHTS_DIR
    identity: Path | None = None
    texture_budget: Budget = USUAL_BUDGET
    leaves_one_out: bool = False
    beside: Path | None = None
    talkers: Path | None = None
    portraits: Path | None = None

    @property
    def command(self) -> str:
        """The command that makes the same report."""
        parts = [f"python -m backend_server evaluate --data {self.data} --out {self.out}"]
        parts += [f"--weights {self.weights}"] if self.weights != WEIGHTS_DIR else []
        parts += [f"--speech {self.speech}"] if self.speech else []
        parts += [f"--identity {self.identity}"] if self.identity else []
        asked = {"beside": self.beside, "talkers": self.talkers, "portraits": self.portraits}
        parts += [f"--{name} {path}" for name, path in asked.items() if path]
        trains_motion = self.has_motion and (self.has_ablations or self.leaves_one_out)
        parts += ["--leave-one-out"] if self.has_motion and self.leaves_one_out else []
        parts += [f"--epochs {self.epochs}"] if trains_motion else []
        if self.has_ablations:
            budget = self.texture_budget
            parts += ["--ablations"]
            texture = f"--texture-updates {budget.updates} --texture-minutes {budget.minutes:g}"
            parts += [texture] if self.has_texture else []
        parts += [] if self.has_motion else ["--no-motion"]
        return " ".join([*parts, *([] if self.has_texture else ["--no-texture"])])

    @property
    def kept(self) -> Path:
        """Where trained networks and learnt faces are kept for the next run: beside the report."""
        out = self.out.resolve()  # "." has a name then
        return out.parent / f"{out.name}_run"


@dataclass(frozen=True)
class Context:
    """What an experiment works with.

    Attributes:
        cascade: the networks that are judged.
        corpus: holds the judged clips.
        groups: the judged takes of the corpus by group, as of `read_groups`.
        folder: of the report; receives the pictures.
        settings: what was asked for; its device is the one that is used.
        progress: told of every step.
        embedding: tells people apart; without it there are no distances of identity.
        seed: of all training, fine-tuning and blinks.
    """

    cascade: Cascade
    corpus: Corpus
    groups: Mapping[str, Sequence[Take]]
    folder: Path
    settings: Settings
    progress: Progress
    embedding: FaceEmbedding | None = None
    seed: int = SEED

    @property
    def kept(self) -> Kept:
        """What was trained and learnt before."""
        return Kept(self.settings.kept)

    @property
    def held_out(self) -> dict[str, Sequence[Take]]:
        """The groups without the training clips."""
        return {name: takes for name, takes in self.groups.items() if name != TRAIN}

    @property
    def people(self) -> list[Clip]:
        """Clips of the people whom no network was trained on, few of each, on which faces are judged."""
        by_person: dict[str, list[Clip]] = {}
        for take in self.groups.get(PEOPLE, ()):
            by_person.setdefault(take.clip.speaker, []).append(take.clip)
        return [clip for clips in by_person.values() for clip in clips[-FACE_CLIPS_PER_PERSON:]]

    @cached_property
    def talkers(self) -> list[Clip]:
        """The clips of the further corpus on which faces are judged; their pictures are never shown.

        Raises:
            CorpusError: it is no corpus, or holds nothing out.
        """
        return read_talkers(self.settings.talkers) if self.settings.talkers else []

    @cached_property
    def voices(self) -> list[Waveform]:
        """The speech of one clip of each training person, for babble."""
        return [clip.waveform() for clip in one_of_each(self.corpus.clips("train"))]

    @cached_property
    def spoken(self) -> list[Spoken]:
        """The sentences of the synthetic voices.

        Raises:
            SpeechFaceError: espeak-ng is not installed.
        """
        return speak_sentences(self.progress)


Experiment = Callable[[Context], Section]


def run(experiments: Sequence[Experiment], context: Context) -> str:
    """Writes report.html, report.json and the pictures into the context's folder and returns the tables as Markdown."""
    sections = [experiment(context) for experiment in experiments]
    return write_report(context.folder, TITLE, _facts(context), [goals_section(sections), *sections])


def _facts(context: Context) -> dict[str, str]:
    """What stands at the head of the report."""
    clips = context.corpus.clips()
    return {
        "weights": f"version {context.cascade.weights_version}",
        "machine": machine(context.cascade.device),
        "date": datetime.now(UTC).date().isoformat(),
        "command": context.settings.command,
        "corpus": f"{len(clips)} clips of {len({clip.speaker for clip in clips})} people",
    }


def machine(device: str) -> str:
    """The machine in words, for a table of figures."""
    threads = torch.get_num_threads()
    accelerator = torch.cuda.get_device_name(device) if device.startswith("cuda") else f"{threads} CPU threads"
    return f"{platform.system()} {platform.machine()}, {accelerator}, torch {torch.__version__}"
