"""How does one command train any of the four networks, and measure the visemes that motion learns from?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from backend_server.articulation.training import train_visemes
from backend_server.blink.training import train_blink
from backend_server.cascade import choose_device
from backend_server.checkpoints import WEIGHTS_DIR
from backend_server.config import PAPER_MOTION, MotionConfig
from backend_server.data.mouth_targets import MouthTargets
from backend_server.data.synthetic_speech import phones_of_text
from backend_server.motion.training import train_motion
from backend_server.progress import Progress
from backend_server.speech.listener import OURS, keep_beside, speech_file
from backend_server.speech.training import train_speech
from backend_server.texture.training import train_texture
from shared.errors import ValueRangeError

PRESETS = ("shipped", "paper")
TEXTURE_MINUTES = 60.0  # the texture network has no last epoch; this long unless told otherwise


@dataclass(frozen=True)
class TrainSettings:
    """What `train` was asked for; see the options of the command."""

    stage: str
    data: tuple[Path, ...]
    out: Path
    device: str
    resume: bool
    minutes: float | None
    preset: str
    seed: int
    start: Path | None = None
    speech: Path | None = None


def train(settings: TrainSettings, progress: Progress) -> str:
    """Trains one network, writes its weights, and returns how good they are in one line.

    Raises:
        SpeechFaceError: the data cannot be used, or an option does not fit the stage.
    """
    if settings.preset not in PRESETS:
        raise ValueRangeError(f"there is no preset {settings.preset!r}; choose one of {', '.join(PRESETS)}")
    out = settings.out if settings.out.suffix == ".safetensors" else settings.out / f"{settings.stage}.safetensors"
    device = choose_device(settings.device)
    if settings.stage == "speech":
        rates = train_speech(
            corpora=settings.data,
            out=out,
            resume=settings.resume,
            start=settings.start,
            transcribe=phones_of_text,
            mouth_of=MouthTargets(settings.data),
            device=device,
            minutes=settings.minutes,
            seed=settings.seed,
            progress=progress,
        )
        return "character error rate: " + ", ".join(f"{corpus} {rate:.3f}" for corpus, rate in rates.items())
    corpus, *further = settings.data
    if further and settings.stage != "motion":
        raise ValueRangeError(f"{settings.stage} is trained on one corpus; --data was given {len(settings.data)} times")
    if settings.stage == "motion":
        beside = speech_file(out.parent)
        speech_weights = settings.speech or (beside if beside.exists() else WEIGHTS_DIR / OURS)
        result = train_motion(
            corpus=corpus,
            speech_weights=speech_weights,
            out=out,
            device=device,
            resume=settings.resume,
            seed=settings.seed,
            config=PAPER_MOTION if settings.preset == "paper" else MotionConfig(),
            speech=further,
            progress=progress,
        )
        if settings.speech:
            keep_beside(settings.speech, out.parent)
        return f"{out}: {result}"
    if settings.stage == "visemes":
        return f"{out}: {train_visemes(corpus=corpus, out=out, progress=progress)}"
    if settings.stage == "blink":
        result = train_blink(
            corpus=corpus,
            out=out,
            device=device,
            resume=settings.resume,
            seed=settings.seed,
            progress=progress,
        )
        return f"{out}: {result}"
    train_texture(
        corpus=corpus,
        out=out,
        preset="paper" if settings.preset == "paper" else "warp",
        device=device,
        resume=settings.resume,
        minutes=settings.minutes or TEXTURE_MINUTES,
        seed=settings.seed,
        progress=progress,
    )
    return f"{out} written"
