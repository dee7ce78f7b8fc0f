"""How good are the shipped weights, or those of another folder, on held-out sentences and people?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np

from backend_server.articulation.visemes import visemes_beside
from backend_server.cascade import Cascade, choose_device
from backend_server.checkpoints import WEIGHTS_DIR
from backend_server.commands.output_folder import output_folder
from backend_server.config import SAMPLE_RATE, MotionConfig
from backend_server.data.corpus import Clip, Corpus
from backend_server.evaluation import blinks, hearing, variants
from backend_server.evaluation.ablations import ablation_section
from backend_server.evaluation.articulation import ALL, articulate, articulation_section
from backend_server.evaluation.baselines import loudness, static
from backend_server.evaluation.face_embedding import load_embedding
from backend_server.evaluation.face_sheet import faces_section
from backend_server.evaluation.faces import Judged, judge_faces, judge_texture_variants
from backend_server.evaluation.goals import goals_section, motion_goals, other_goals
from backend_server.evaluation.motion import motion_section, typical_takes
from backend_server.evaluation.report import Section, write_report
from backend_server.evaluation.robustness import measure_sweeps, noise_section, sweeps
from backend_server.evaluation.sounds import Waveform
from backend_server.evaluation.speed import machine, real_time_factor
from backend_server.evaluation.spoken import Spoken, read_recorded, speak_sentences
from backend_server.evaluation.takes import PEOPLE, Method, Take, animated, held_out, judge_groups, read_groups
from backend_server.evaluation.texture_variants import USUAL_BUDGET, Budget, TextureVariants
from backend_server.evaluation.viseme_sheet import viseme_section
from backend_server.metrics.articulation import ArticulationFigures
from backend_server.metrics.identity import FaceEmbedding
from backend_server.progress import Progress
from backend_server.speech.listener import open_scorer, speech_file
from shared.errors import CorpusError, SpeechFaceError, ValueRangeError, WeightsError

SEED = 0
OURS, STATIC, LOUDNESS = "ours", "static, neutral", "jaw by loudness"
SPEED_SECONDS = 60.0


@dataclass(frozen=True)
class EvaluateSettings:
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

    @property
    def command(self) -> str:
        """What makes the same report."""
        parts = [f"python -m backend_server evaluate --data {self.data} --out {self.out}"]
        parts += [f"--weights {self.weights}"] if self.weights != WEIGHTS_DIR else []
        parts += [f"--speech {self.speech}"] if self.speech else []
        parts += [f"--identity {self.identity}"] if self.identity else []
        if self.has_ablations:
            parts += ["--ablations", *([f"--epochs {self.epochs}"] if self.has_motion else [])]
            budget = (
                f"--texture-updates {self.texture_budget.updates} --texture-minutes {self.texture_budget.minutes:g}"
            )
            parts += [budget] if self.has_texture else []
        parts += [] if self.has_motion else ["--no-motion"]
        return " ".join([*parts, *([] if self.has_texture else ["--no-texture"])])

    @property
    def kept(self) -> Path:
        """Where trained variants and learnt faces are kept for the next time: beside the report."""
        out = self.out.resolve()  # "." has a name then
        return out.parent / f"{out.name}_run"


def evaluate(settings: EvaluateSettings, progress: Progress, blink_clips: int = blinks.CLIP_COUNT) -> str:
    """Writes report.html, report.json and pictures into the folder and returns the tables.

    Trained variants and learnt faces are kept beside the folder, under its name with `_run` behind, for the next time.

    Args:
        settings: the options of the command.
        progress: told of every step.
        blink_clips: how many clips of blinks are generated.

    Raises:
        CorpusError: the data is no corpus or holds nothing out, or the folder of speech has no index.
        ValueRangeError: there is no such device, the output folder cannot be written, or nothing shall be judged.
        WeightsError: the folder of weights lacks a file, or holds one that cannot be read; or `identity` is no
            MobileFaceNet.
    """
    if not settings.has_motion and not settings.has_texture:
        raise ValueRangeError("with --no-motion and --no-texture nothing is left to judge; leave one of them out")
    check_weights(settings.weights, settings.has_texture)
    embedding = load_embedding(settings.identity) if settings.identity else None
    corpus = Corpus(settings.data)
    groups = read_groups(corpus)
    settings = replace(settings, device=choose_device(settings.device))
    cascade = Cascade.load(settings.device, settings.weights)
    people = [take.clip for take in groups.get(PEOPLE, [])]
    if not people and not settings.has_motion:
        raise CorpusError(f"{corpus.path} holds nobody out of training whose face could be judged")
    with output_folder(settings.out) as folder:
        judged = []
        if settings.has_motion:
            judged.append(_judge_motion(settings, folder, cascade, corpus, groups, progress, blink_clips))
        if settings.has_texture and people:
            given = {"seed": SEED, "kept": settings.kept, "embedding": embedding}
            judged.append(judge_faces(folder, cascade, people, **given, progress=progress))
            if settings.has_ablations:
                judged.append(_judge_texture_variants(settings, folder, corpus, people, embedding, progress))
        goals = goals_section([goal for part in judged for goal in part.goals])
        sections = [section for part in judged for section in part.sections]
        return write_report(folder, "Speech Face: evaluation", _facts(settings, cascade, corpus), [goals, *sections])


def _judge_motion(
    settings: EvaluateSettings,
    folder: Path,
    cascade: Cascade,
    corpus: Corpus,
    groups: Mapping[str, Sequence[Take]],
    progress: Progress,
    blink_clips: int,
) -> Judged:
    """Judges motion, blinks and hearing."""
    held = held_out(groups)
    voices = [clip.waveform() for clip in _one_of_each(corpus.clips("train"))]
    networks = _networks(settings, corpus, progress) if settings.has_ablations else {}
    compared = {name: networks[name] for name in variants.COMPARED if name in networks}
    ours = partial(animated, cascade)
    methods: dict[str, Method] = {OURS: ours, **compared, STATIC: static}
    figures = judge_groups(methods | {LOUDNESS: loudness(cascade.neutral_canonical)}, groups, "motion", progress)
    swept = measure_sweeps(cascade, held, sweeps(voices), progress)
    sections = [motion_section(folder, groups, figures, typical_takes(ours, groups))]
    if networks:
        rest = {name: method for name, method in networks.items() if name not in compared}
        more = judge_groups(rest, held, "variants", progress)
        merged = {group: {**figures[group], **rows} for group, rows in more.items()}
        sections.append(ablation_section(folder, merged, _base(settings)))
    sections.append(noise_section(folder, swept, {group: figures[group][STATIC].lips_lmd for group in held}))
    blinking = {blinks.GENERATED: blinks.generated_blinks(cascade.blink_landmarks, blink_clips, progress)}
    blinking |= {blinks.TRAINED: blinks.real_blinks(corpus.clips("train"))}
    blinking |= {f"corpus, {name}": blinks.real_blinks([take.clip for take in held[name]]) for name in held}
    articulated, spoken, reason = _articulated(settings, cascade, progress)
    sections += [_articulation(articulated, reason), viseme_section(folder, visemes_beside(settings.weights))]
    sections.append(blinks.blink_section(folder, blinking))
    sections.append(faces_section(folder, cascade, corpus, next(iter(held.values()))[0]))
    sections.append(_hearing(settings, voices, spoken, progress))
    speed = real_time_factor(cascade, _minute(groups), threads=1)
    wanted = motion_goals({group: rows[OURS] for group, rows in figures.items()})
    closure = articulated[ALL].bilabial_closure if articulated else float("nan")
    wanted += other_goals(swept, closure, blinking[blinks.GENERATED], speed, _mebibytes(settings.weights))
    return Judged(tuple(sections), tuple(wanted))


def _judge_texture_variants(
    settings: EvaluateSettings,
    folder: Path,
    corpus: Corpus,
    people: Sequence[Clip],
    embedding: FaceEmbedding | None,
    progress: Progress,
) -> Judged:
    """Trains and judges other texture networks."""
    trained = TextureVariants(corpus, settings.kept, settings.texture_budget, SEED, settings.device, progress)
    start = settings.weights / "texture.safetensors"
    clips = _one_of_each(people)
    return judge_texture_variants(folder, trained, start, clips, progress=progress, embedding=embedding)


def check_weights(folder: Path, has_texture: bool) -> None:
    """Raises WeightsError when a folder lacks a network that is judged."""
    files = [speech_file(folder), *(folder / f"{stage}.safetensors" for stage in ("motion", "blink"))]
    files += [folder / "texture.safetensors"] if has_texture else []
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise WeightsError(
            f"the weights folder {folder} lacks {', '.join(missing)}; copy what was not trained anew from {WEIGHTS_DIR}"
        )


def _facts(settings: EvaluateSettings, cascade: Cascade, corpus: Corpus) -> dict[str, str]:
    """What stands at the head of the report."""
    return {
        "weights": f"version {cascade.weights_version}",
        "machine": machine(cascade.device),
        "date": datetime.now(UTC).date().isoformat(),
        "command": settings.command,
        "corpus": f"{len(corpus.clips())} clips of {len({clip.speaker for clip in corpus.clips()})} people",
    }


def _base(settings: EvaluateSettings) -> MotionConfig:
    """What the variants vary."""
    return replace(MotionConfig(), epochs=settings.epochs)


def _networks(settings: EvaluateSettings, corpus: Corpus, progress: Progress) -> dict[str, Method]:
    """The trained variants as methods, by name."""
    files = variants.train_variants(
        variants.variants(_base(settings)),
        corpus=corpus,
        weights=settings.weights,
        kept=settings.kept,
        seed=SEED,
        device=settings.device,
        progress=progress,
    )
    cascades = {name: variants.with_motion(settings.weights, file, settings.device) for name, file in files.items()}
    return {name: partial(animated, cascade) for name, cascade in cascades.items()}


def _articulated(
    settings: EvaluateSettings, cascade: Cascade, progress: Progress
) -> tuple[dict[str, ArticulationFigures], list[Spoken], str]:
    """Figures of sentences, the synthetic ones of them, and why others are lacking: all without a speaking program."""
    try:
        spoken = speak_sentences(progress)
    except SpeechFaceError as error:
        return {}, [], str(error)
    recorded, reason = [], ""
    if settings.speech:
        try:
            recorded = read_recorded(settings.speech, open_scorer(settings.weights, settings.device))
        except WeightsError as error:
            reason = str(error)
    return articulate(cascade, spoken, recorded, progress), spoken, reason


def _articulation(figures: Mapping[str, ArticulationFigures], reason: str) -> Section:
    """The figures, and why there are none, or none of recorded sentences."""
    section = articulation_section(figures, reason)
    if not figures or not reason:
        return section
    return replace(section, paragraphs=(*section.paragraphs, f"Recorded sentences are not measured: {reason}"))


def _hearing(
    settings: EvaluateSettings, voices: Sequence[Waveform], spoken: Sequence[Spoken], progress: Progress
) -> Section:
    """Error rates on the folder of speech and on the corpus; nothing measured without such a folder or scores."""
    if settings.speech is None:
        return hearing.hearing_section({}, ())
    try:
        model = open_scorer(settings.weights, settings.device)
    except WeightsError as error:
        return hearing.hearing_section({}, (), str(error))
    sounds = hearing.noises(voices)
    said = [*hearing.transcribed(settings.speech), *hearing.transcribed(settings.data)]
    rates = {"Character error rate by corpus": hearing.error_rates(model, said, sounds, progress)}
    if spoken:
        voiced = hearing.error_rates(model, hearing.from_voices(spoken), sounds, progress)
        rates["Character error rate by synthetic voice"] = voiced
    return hearing.hearing_section(rates, sounds)


def _one_of_each(clips: Sequence[Clip]) -> list[Clip]:
    """The first clip of each person."""
    return list({clip.speaker: clip for clip in reversed(clips)}.values())


def _minute(groups: Mapping[str, Sequence[Take]]) -> Waveform:
    """A minute of the judged clips' sound, one after another, repeated as needed."""
    sound = np.concatenate([take.waveform for takes in groups.values() for take in takes])
    return np.resize(sound, int(SPEED_SECONDS * SAMPLE_RATE))


def _mebibytes(folder: Path) -> float:
    """Size of a folder's weights of hearing, motion and blinks."""
    files = [speech_file(folder), *(folder / f"{stage}.safetensors" for stage in ("motion", "blink"))]
    return sum(file.stat().st_size for file in files) / 2**20
