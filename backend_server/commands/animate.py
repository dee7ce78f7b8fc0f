"""How does one sound file become a folder of curves, frames and films?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend_server.cascade import Cascade, LandmarkMotion
from backend_server.commands.output_folder import output_folder
from backend_server.config import SAMPLE_RATE
from backend_server.export.contact_sheet import sheet_frames, write_contact_sheet
from backend_server.export.images import frame_path, over_background, read_png, shrunk, synthetic_tags, write_png
from backend_server.export.json_curves import write_json_curves
from backend_server.export.video import write_video
from backend_server.face.images import read_image
from backend_server.face.reference import prepare_references
from backend_server.metrics.landmarks import mouth_opening
from backend_server.progress import Progress, StageClock
from backend_server.speech.presence import MOMENTS_PER_SECOND
from backend_server.speech.recording import FileSound, Recording, listen
from backend_server.texture.full_frame import FullFrame, check_full_frame
from backend_server.texture.identity import Identity, load_identity
from shared.errors import ImageError, ValueRangeError
from shared.motion_controls import UNTOUCHED, MotionControls
from shared.timing import FrameRate, frame_times

SAMPLE_SPEECH = Path(__file__).parents[1] / "samples" / "speech.wav"
PICTURE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}
PREVIEW_BACKGROUND = (58, 64, 74)
BYTES_A_FRAME = 120_000  # of a 256 x 256 RGBA PNG, from above
BYTES_A_PIXEL = 2.0  # of a photo's RGB PNG
SHEET_SIDE = 512  # pixels of a frame in the contact sheet, at most


@dataclass(frozen=True)
class AnimateSettings:
    """What `animate` was asked for; `identity` wins over `images`, and neither means the mean face."""

    speech: Path
    images: tuple[Path, ...]
    identity: Path | None
    out: Path
    frame_rate: FrameRate
    has_texture: bool = True
    is_full_frame: bool = False
    has_blinks: bool = True
    controls: MotionControls = UNTOUCHED
    epochs: int = 10
    seed: int = 0
    device: str = "auto"


def picture_paths(paths: Sequence[Path]) -> tuple[Path, ...]:
    """The pictures named, a folder standing for all pictures in it.

    Raises:
        ImageError: a path does not exist, or a folder holds no picture.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES)
            if not inside:
                raise ImageError(f"the folder {path} holds no pictures (.png, .jpg, .tif, .bmp, .webp)")
            found += inside
        elif not path.exists():
            raise ImageError(f"there is no picture {path}; check the name")
        else:
            found.append(path)
    return tuple(found)


def animate(settings: AnimateSettings, progress: Progress) -> Path:
    """Writes landmarks, curves, frames, preview, contact sheet and report; returns the folder.

    Raises:
        SpeechFaceError: the first thing that was wrong with the input; nothing is written then.
    """
    clock = StageClock(progress)
    clock("load", 0, 1)
    recording = listen(FileSound(settings.speech), clock)
    _check_full_frame(settings)
    pictures = [read_image(path) for path in settings.images]
    if settings.has_texture and not pictures and settings.identity is None:
        raise ValueRangeError("a textured face needs --images or --identity; for curves alone add --no-texture")
    times = frame_times(recording.seconds, settings.frame_rate)
    with output_folder(settings.out, len(times) * _bytes_a_frame(settings, pictures)) as folder:
        cascade = Cascade.load(settings.device)
        clock("load", 1, 1)
        identity, picture = _identity(cascade, settings, pictures, clock)
        motion = cascade.animate_recording(
            recording,
            times,
            identity,
            seed=settings.seed,
            blink=settings.has_blinks,
            controls=settings.controls,
            progress=clock,
        )
        _write_landmarks(folder, motion, settings.frame_rate)
        if settings.has_texture and identity is not None:
            tags = synthetic_tags(cascade.weights_version, settings.seed)
            full = cascade.full_frame(identity, picture) if settings.is_full_frame and picture is not None else None
            _write_frames(folder, cascade.render(identity, motion.landmarks, clock), motion, full, tags)
            _write_preview(folder, settings.frame_rate, recording, len(times), tags, clock)
        _write_sheet(folder, motion, recording)
        clock.stop()
        _write_report(folder, settings, cascade, identity, recording, len(times), clock)
    return settings.out


def _check_full_frame(settings: AnimateSettings) -> None:
    if settings.is_full_frame and settings.identity is not None:
        raise ValueRangeError(
            "an identity file holds no whole picture for --full-frame to fill; give --images instead of --identity"
        )
    if settings.is_full_frame and not settings.has_texture:
        raise ValueRangeError("--full-frame makes pictures and --no-texture none; leave one of them out")


def _bytes_a_frame(settings: AnimateSettings, pictures: list[NDArray[np.uint8]]) -> int:
    if not settings.has_texture:
        return 0
    if not settings.is_full_frame:
        return BYTES_A_FRAME
    return int(BYTES_A_PIXEL * max((picture.shape[0] * picture.shape[1] for picture in pictures), default=0))


def _identity(
    cascade: Cascade, settings: AnimateSettings, pictures: list[NDArray[np.uint8]], progress: Progress
) -> tuple[Identity | None, NDArray[np.uint8] | None]:
    """Whose face moves, and the picture (H, W, 3) that it was cut from."""
    if settings.identity is not None:
        return load_identity(settings.identity), None
    if not pictures:
        return None, None
    references = prepare_references(pictures, progress=progress)
    picture = pictures[references.source]
    if settings.is_full_frame:
        check_full_frame(picture, settings.images[references.source].name)
    epochs = settings.epochs if settings.has_texture else 0
    return cascade.fine_tune(references, epochs=epochs, seed=settings.seed, progress=progress), picture


def _write_landmarks(folder: Path, motion: LandmarkMotion, frame_rate: FrameRate) -> None:
    np.savez_compressed(
        folder / "landmarks.npz",
        frame_times=motion.frame_times,
        canonical=motion.canonical,
        landmarks=motion.landmarks,
        neutral=motion.neutral,
        crop=motion.crop,
    )
    write_json_curves(folder / "curves.json", frame_rate.exact, motion.frame_times, motion.landmarks, motion.neutral)


def _write_frames(
    folder: Path,
    chunks: Iterator[NDArray[np.uint8]],
    motion: LandmarkMotion,
    full: FullFrame | None,
    tags: dict[str, str],
) -> None:
    frames_folder = folder / "frames"
    frames_folder.mkdir()
    faces = (face for chunk in chunks for face in chunk)
    for number, (face, landmarks) in enumerate(zip(faces, motion.landmarks, strict=True), 1):
        picture = face if full is None else full.place(face, landmarks)
        write_png(frame_path(frames_folder, number), picture, tags)


def _write_preview(
    folder: Path,
    frame_rate: FrameRate,
    recording: Recording,
    frame_count: int,
    tags: dict[str, str],
    progress: Progress,
) -> None:
    def pictures() -> Iterator[NDArray[np.uint8]]:
        for number in range(1, frame_count + 1):
            progress("preview", number - 1, frame_count)
            picture = over_background(read_png(frame_path(folder / "frames", number)), PREVIEW_BACKGROUND)
            height, width = picture.shape[:2]
            yield picture[: height - height % 2, : width - width % 2]  # a film has even sides

    film = folder / "preview.mp4"
    write_video(film, pictures(), frame_rate.exact, recording.sound.blocks(), SAMPLE_RATE, tags)
    progress("preview", frame_count, frame_count)


def _write_sheet(folder: Path, motion: LandmarkMotion, recording: Recording) -> None:
    opening = mouth_opening(motion.landmarks)
    shown = sheet_frames(opening)
    frames_folder = folder / "frames"
    pictures = []
    if frames_folder.exists():
        frames = (read_png(frame_path(frames_folder, n + 1)) for n in shown)
        pictures = [over_background(shrunk(frame, SHEET_SIDE), PREVIEW_BACKGROUND) for frame in frames]
    write_contact_sheet(
        folder / "contact_sheet.png",
        motion.frame_times,
        opening,
        recording.peaks,
        MOMENTS_PER_SECOND,
        shown,
        pictures,
        motion.landmarks,
    )


def _write_report(
    folder: Path,
    settings: AnimateSettings,
    cascade: Cascade,
    identity: Identity | None,
    recording: Recording,
    frame_count: int,
    clock: StageClock,
) -> None:
    report = {
        "speech": settings.speech.name,
        "images": [path.name for path in settings.images],
        "speech_seconds": round(recording.seconds, 3),
        "frames": frame_count,
        "frame_rate": settings.frame_rate.frames_per_second,
        "full_frame": settings.is_full_frame,
        "seed": settings.seed,
        "controls": asdict(settings.controls),
        "device": cascade.device,
        "weights_version": cascade.weights_version,
        "held_out_psnr_db": identity.held_out_psnr if identity else None,
        "seconds_per_stage": {stage: round(seconds, 3) for stage, seconds in clock.seconds.items()},
        "seconds": round(sum(clock.seconds.values()), 3),
        "synthetic_media": True,
    }
    (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
