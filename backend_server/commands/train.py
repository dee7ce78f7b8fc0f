"""Trains any of the five networks, or measures the visemes that speech and motion learn from, or how heads move."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from backend_server.arkit.training import train_arkit
from backend_server.articulation.training import train_visemes
from backend_server.articulation.visemes import visemes_beside
from backend_server.blink.training import train_blink
from backend_server.checkpoints import WEIGHTS_DIR
from backend_server.config import PAPER_MOTION, MotionConfig, TextureTrainingConfig
from backend_server.data.mouth_targets import MouthTargets
from backend_server.data.synthetic_speech import phones_of_text
from backend_server.devices import choose_device
from backend_server.liveliness.fitting import train_liveliness
from backend_server.metrics.figures import Figures
from backend_server.motion.training import train_motion
from backend_server.progress import Progress
from backend_server.speech.listener import keep_beside, place_beside, speech_file
from backend_server.speech.training import train_speech
from backend_server.texture.learning.mouth_fit import train_mouth
from backend_server.texture.learning.training import train_texture
from shared.errors import ValueRangeError

PRESETS = ("shipped", "paper")
TEXTURE_MINUTES = 60.0  # the texture network has no last epoch; the default time
TAKEN = {  # by stage, the options that not every stage takes
    "speech": ("further --data", "--resume", "--minutes", "--start", "--encoder"),
    "motion": ("further --data", "--resume", "--preset paper", "--speech"),
    "blink": ("--resume",),
    "arkit": ("--resume",),
    "texture": (
        *("--resume", "--minutes", "--preset paper", "--start"),
        *("--vgg19", "--vggface", "--second-order", "--batch"),
    ),
    "visemes": (),
    "liveliness": (),
    "mouth": (),
}
FILES = {"liveliness": "movement.json", "mouth": "mouth_colours.json"}  # of what is measured and no network


@dataclass(frozen=True)
class TrainSettings:
    """The options of `train`; see the command."""

    stage: str
    data: tuple[Path, ...]
    out: Path
    device: str
    resume: bool
    minutes: float | None
    preset: str
    seed: int
    start: Path | None = None
    encoder: Path | None = None
    speech: Path | None = None
    vgg19: Path | None = None
    vggface: Path | None = None
    is_second_order: bool = False
    batch_size: int | None = None

    @property
    def weights_file(self) -> Path:
        """Where the weights go: `out` itself, or a file of the stage's name in it."""
        name = FILES.get(self.stage, f"{self.stage}.safetensors")
        return self.out if self.out.suffix == Path(name).suffix else self.out / name

    @property
    def given(self) -> tuple[str, ...]:
        """The options of `TAKEN` that were given."""
        options = {
            "further --data": len(self.data) > 1,
            "--resume": self.resume,
            "--minutes": self.minutes is not None,
            "--preset paper": self.preset == "paper",
            "--start": self.start is not None,
            "--encoder": self.encoder is not None,
            "--speech": self.speech is not None,
            "--vgg19": self.vgg19 is not None,
            "--vggface": self.vggface is not None,
            "--second-order": self.is_second_order,
            "--batch": self.batch_size is not None,
        }
        return tuple(option for option, is_given in options.items() if is_given)


def train(settings: TrainSettings, progress: Progress) -> str:
    """Trains one network, writes its weights, and returns one line about their quality.

    Raises:
        SpeechFaceError: the data cannot be used, or an option does not fit the stage.
    """
    _check(settings)
    device = choose_device(settings.device)
    stages = {
        "speech": _speech,
        "motion": _motion,
        "blink": _blink,
        "arkit": _arkit,
        "texture": _texture,
        "visemes": _visemes,
        "liveliness": _liveliness,
        "mouth": _mouth,
    }
    return stages[settings.stage](settings, device, progress)


def _check(settings: TrainSettings) -> None:
    """Raises ValueRangeError at the first option that the stage would not use."""
    if settings.preset not in PRESETS:
        raise ValueRangeError(f"there is no preset {settings.preset!r}; choose one of {', '.join(PRESETS)}")
    for option in settings.given:
        if option not in TAKEN[settings.stage]:
            raise ValueRangeError(f"train {settings.stage} takes no {option}; leave it out")
    if settings.stage == "motion" and {"further --data", "--preset paper"} <= set(settings.given):
        raise ValueRangeError("train motion --preset paper takes no further --data: the paper models no motion")
    if settings.stage == "speech" and settings.encoder is None:
        raise ValueRangeError(
            "train speech begins with a trained encoder; give --encoder: the wheel of the package moonshine-voice, or "
            "the encoder_model.ort in it"
        )


def _speech(settings: TrainSettings, device: str, progress: Progress) -> str:
    out, encoder = settings.weights_file, settings.encoder
    assert encoder is not None  # checked before
    rates = train_speech(
        corpora=settings.data,
        encoder=encoder,
        out=out,
        resume=settings.resume,
        start=settings.start,
        transcribe=phones_of_text,
        mouth_of=MouthTargets(settings.data, visemes_beside(out.parent)),
        device=device,
        minutes=settings.minutes,
        seed=settings.seed,
        processes=os.cpu_count() or 1,
        progress=progress,
    )
    return f"{out}: character error rate: " + ", ".join(f"{corpus} {rate:.3f}" for corpus, rate in rates.items())


def _motion(settings: TrainSettings, device: str, progress: Progress) -> str:
    """Uses the given acoustic model, else the one beside the output, else the shipped one."""
    corpus, *further = settings.data
    out = settings.weights_file
    beside = speech_file(out.parent)
    if settings.speech:
        place_beside(settings.speech, out.parent)  # a model that does not fit is refused before the work
    result = train_motion(
        corpus=corpus,
        speech_weights=settings.speech or (beside if beside.exists() else speech_file(WEIGHTS_DIR)),
        out=out,
        device=device,
        resume=settings.resume,
        seed=settings.seed,
        config=PAPER_MOTION if settings.preset == "paper" else MotionConfig(),
        speech=further,
        visemes=visemes_beside(out.parent),
        progress=progress,
    )
    if settings.speech:
        keep_beside(settings.speech, out.parent)
    return f"{out}: {_judged(result.known, result.unknown)}"


def _blink(settings: TrainSettings, device: str, progress: Progress) -> str:
    result = train_blink(
        corpus=settings.data[0],
        out=settings.weights_file,
        device=device,
        resume=settings.resume,
        seed=settings.seed,
        progress=progress,
    )
    told = f"loss {result.loss:.4f}; corpus: {result.corpus.sentence()}; generated: {result.generated.sentence()}"
    return f"{settings.weights_file}: {told}"


def _arkit(settings: TrainSettings, device: str, progress: Progress) -> str:
    result = train_arkit(
        corpus=settings.data[0],
        out=settings.weights_file,
        device=device,
        resume=settings.resume,
        seed=settings.seed,
        progress=progress,
    )
    return f"{settings.weights_file}: {_judged(result.known, result.unknown)}"


def _texture(settings: TrainSettings, device: str, progress: Progress) -> str:
    usual = TextureTrainingConfig(is_second_order=settings.is_second_order)
    result = train_texture(
        corpus=settings.data[0],
        out=settings.weights_file,
        preset="paper" if settings.preset == "paper" else "warp",
        device=device,
        resume=settings.resume,
        start=settings.start,
        minutes=settings.minutes or TEXTURE_MINUTES,
        seed=settings.seed,
        vgg19=settings.vgg19,
        vggface=settings.vggface,
        training=replace(usual, batch_size=settings.batch_size or usual.batch_size),
        progress=progress,
    )
    return f"{settings.weights_file}: {result.sentence()}"


def _visemes(settings: TrainSettings, _device: str, progress: Progress) -> str:
    result = train_visemes(corpus=settings.data[0], out=settings.weights_file, progress=progress)
    return f"{settings.weights_file}: {_judged(result.known, result.unknown)}"


def _judged(known: Figures | None, unknown: Figures | None) -> str:
    """Figures on held-out sentences and on held-out people in one line."""
    groups = {"held-out sentences": known, "held-out people": unknown}
    told = [f"{name}: {figures.sentence()}" for name, figures in groups.items() if figures]
    return "; ".join(told) or "written; the corpus has no held-out clips to judge it"


def _liveliness(settings: TrainSettings, _device: str, progress: Progress) -> str:
    source = train_liveliness(corpus=settings.data[0], out=settings.weights_file, progress=progress)
    return f"{settings.weights_file}: how heads and brows move, from {source}"


def _mouth(settings: TrainSettings, _device: str, progress: Progress) -> str:
    source = train_mouth(corpus=settings.data[0], out=settings.weights_file, progress=progress)
    return f"{settings.weights_file}: the colours of mouths, from {source}"
