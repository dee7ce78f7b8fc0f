"""Makes a folder of curves, frames and films from one sound file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend_server.cascade import Cascade
from backend_server.commands.notebook import Notebook
from backend_server.commands.output_folder import output_folder
from backend_server.config import CROP_SIZE
from backend_server.export.arkit_csv import write_arkit_csv
from backend_server.export.contact_sheet import sheet_frames, write_contact_sheet
from backend_server.export.formats import FrameFormat, bytes_per_frame
from backend_server.export.frames import FrameSettings, frame_files
from backend_server.export.hand_off import (
    NOTHING,
    HandOffs,
    check_hand_offs,
    hand_off_bytes,
    hand_off_frames,
    write_hand_offs,
)
from backend_server.export.head_mesh import head_mesh
from backend_server.export.images import PREVIEW_BACKGROUND, over_background, shrunk
from backend_server.export.json_curves import write_json_curves
from backend_server.export.landmarks_npz import write_landmarks
from backend_server.export.morphs import MorphAnimation
from backend_server.export.rig_files import write_rig_files
from backend_server.export.tags import synthetic_tags
from backend_server.export.words_json import write_words
from backend_server.face.reference import picture_of
from backend_server.face_photo import size_note
from backend_server.identities.learning import FaceSource, find_or_learn, open_learnt
from backend_server.identities.pictures import read_source
from backend_server.identities.store import open_store
from backend_server.identity import FaceReferences, Identity
from backend_server.landmark_motion import LandmarkMotion
from backend_server.metrics.landmarks import mouth_opening
from backend_server.progress import EpochWatcher, Progress, StageClock
from backend_server.rig.head import load_sample_head
from backend_server.speech.presence import MOMENTS_PER_SECOND
from backend_server.speech.recording import FileSound, Recording, listen
from backend_server.texture.full_frame import check_full_frame
from backend_server.texture.placed import Place, placed
from shared.arkit import SHAPES
from shared.errors import ValueRangeError
from shared.motion_controls import UNTOUCHED, MotionControls
from shared.protocol import FACE_SIZES
from shared.rig.mapping import RigMapping
from shared.timing import FrameRate, frame_times

SAMPLE_SPEECH = Path(__file__).parents[1] / "samples" / "speech.wav"
SHEET_SIDE = 512  # pixels of a frame in the contact sheet, at most


@dataclass(frozen=True)
class AnimateSettings:
    """The options of `animate`; `identity` is used before `images`, and without both the mean face.

    `background` is the colour, #rrggbb, behind faces where a film has no alpha; None for grey.
    """

    speech: Path
    images: tuple[Path, ...]  # or folders of them
    identity: Path | None  # a file, or the first digits of an ID
    out: Path
    frame_rate: FrameRate
    has_texture: bool = True
    is_full_frame: bool = False
    size: int = CROP_SIZE  # pixels a side of the face, one of `FACE_SIZES`
    frame_format: FrameFormat = FrameFormat.PNG
    background: str | None = None
    has_blinks: bool = True
    controls: MotionControls = UNTOUCHED
    epochs: int = 10
    seed: int = 0
    device: str = "auto"
    landmarks: Path | None = None  # placed by hand on the images
    is_repeated: bool = False  # learn the face even if it was learnt before
    hand_offs: HandOffs = NOTHING  # further files, for engines
    rigs: tuple[RigMapping, ...] = ()  # whose channels are written too; of different names
    transcript: str | None = None  # of the speech, empty if unknown; None: no words and phones are written


def animate(
    settings: AnimateSettings,
    progress: Progress,
    say: Callable[[str], None] = lambda _: None,
    on_epoch: EpochWatcher = lambda _: None,
    notebook: Notebook | None = None,
) -> Path:
    """Writes landmarks, curves, shapes, rigs, frames or a film, preview, contact sheet and report; returns the folder.

    Raises:
        SpeechFaceError: the first thing that was wrong with the input; nothing is written then.
        NoteError: the notebook is strict, and something is noteworthy; nothing is written then.
    """
    notebook = notebook or Notebook()
    clock = StageClock(progress)
    clock("load", 0, 1)
    sound = FileSound(settings.speech)
    recording = listen(sound, clock)
    notebook.add(recording.notes)
    background = _check_pictures(settings)
    source = read_source(settings.images, settings.landmarks)
    notebook.add(source.notes)
    if settings.has_texture and not source.images and settings.identity is None:
        raise ValueRangeError("a textured face needs --images or --identity; for curves only, add --no-texture")
    times = frame_times(recording.seconds, settings.frame_rate)
    needed_bytes = len(times) * _bytes_per_frame(settings, source.images, len(times))
    with output_folder(settings.out, needed_bytes, say) as folder:
        cascade = Cascade.load(settings.device)
        clock("load", 1, 1)
        identity = _identity(cascade, settings, source, clock, say, on_epoch, notebook)
        motion = cascade.animate_recording(
            recording,
            times,
            identity,
            seed=settings.seed,
            blink=settings.has_blinks,
            controls=settings.controls,
            transcript=settings.transcript,
            progress=clock,
        )
        notebook.add(motion.notes)
        tags = synthetic_tags(cascade.weights_version, settings.seed)
        _write_motion(folder, motion, settings, tags)
        write_rig_files(folder, settings.rigs, motion.arkit, motion.frame_times, settings.frame_rate.exact, tags)
        pictures_shown = []
        if settings.has_texture and identity is not None:
            place = _place(cascade, settings, identity, source, notebook)
            with cascade.result_judge(motion.landmarks) as judge:
                faces = cascade.render(identity, motion.landmarks, clock, is_cut_out=not settings.is_full_frame)
                frames = placed(judge.watch(faces), motion.landmarks, place)
                how = FrameSettings(settings.frame_format, settings.frame_rate.exact, background, tags)
                shown = sheet_frames(mouth_opening(motion.landmarks))
                with hand_off_frames(folder, settings.hand_offs, len(times), how) as take:
                    pictures_shown = _write_frames(folder, frames, how, sound, shown, take)
            notebook.add(judge.notes())
        _write_sheet(folder, motion, recording, pictures_shown, tags)
        clock.stop()
        _write_report(folder, settings, source.names, cascade, identity, sound, len(times), tags, clock, notebook)
    return settings.out


def _check_pictures(settings: AnimateSettings) -> tuple[int, int, int]:
    """Refuses options that contradict each other; returns the background, RGB."""
    check_hand_offs(settings.hand_offs, settings.frame_rate, settings.has_texture)
    if settings.size not in FACE_SIZES:
        raise ValueRangeError(f"--size is {settings.size}; choose one of {', '.join(map(str, FACE_SIZES))}")
    if settings.is_full_frame and settings.size != CROP_SIZE:
        raise ValueRangeError("--full-frame has the picture's own size; leave --size out")
    if settings.is_full_frame and settings.identity is not None:
        raise ValueRangeError(
            "--full-frame needs a whole picture and --identity holds none; give --images instead of --identity"
        )
    is_larger = settings.size != CROP_SIZE
    for option, is_given in (("--full-frame", settings.is_full_frame), (f"--size {settings.size}", is_larger)):
        if is_given and not settings.has_texture:
            raise ValueRangeError(f"{option} needs pictures and --no-texture makes none; leave one of them out")
    if settings.frame_format is not FrameFormat.PNG and not settings.has_texture:
        raise ValueRangeError(
            f"--frames-as {settings.frame_format} needs pictures and --no-texture makes none; leave one of them out"
        )
    if settings.background is not None and (settings.is_full_frame or not settings.has_texture):
        other = "--full-frame keeps the picture's own" if settings.is_full_frame else "--no-texture makes no pictures"
        raise ValueRangeError(f"--background sets the colour behind the face and {other}; leave one of them out")
    if settings.background is None:
        return PREVIEW_BACKGROUND
    colour = settings.background
    if not re.fullmatch("#[0-9a-fA-F]{6}", colour):
        raise ValueRangeError(f'the background is "{colour}"; write a colour as #rrggbb, for instance "#00ff00"')
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue


def _bytes_per_frame(settings: AnimateSettings, pictures: Sequence[NDArray[np.uint8]], frame_count: int) -> int:
    if not settings.has_texture:
        return 0
    sizes = [picture.shape[:2] for picture in pictures] if settings.is_full_frame else [(settings.size, settings.size)]
    further = [hand_off_bytes(settings.hand_offs, frame_count, *size) for size in sizes]
    return max(map(sum, zip(further, (bytes_per_frame(settings.frame_format, *size) for size in sizes), strict=True)))


def _identity(
    cascade: Cascade,
    settings: AnimateSettings,
    source: FaceSource,
    progress: Progress,
    say: Callable[[str], None],
    on_epoch: EpochWatcher,
    notebook: Notebook,
) -> Identity | None:
    """The face to animate; None for the mean face."""
    if settings.identity is not None:
        learning = open_learnt(cascade, settings.identity)
        notebook.add(learning.notes)
        return learning.identity
    if not source.images:
        return None

    def check(references: FaceReferences) -> None:
        if settings.is_full_frame:
            base = picture_of(references, source.images)
            check_full_frame(source.images[base], source.names[base])

    epochs = settings.epochs if settings.has_texture else 0
    learning = find_or_learn(
        cascade,
        open_store() if epochs else None,
        source,
        epochs=epochs,
        seed=settings.seed,
        progress=progress,
        is_repeated=settings.is_repeated,
        on_epoch=on_epoch,
        check=check,
    )
    notebook.add(learning.notes)
    if settings.has_texture:
        say(f"face: {learning.sentence}")
    return learning.identity


def _write_motion(folder: Path, motion: LandmarkMotion, settings: AnimateSettings, tags: dict[str, str]) -> None:
    rate, times = settings.frame_rate.exact, motion.frame_times
    crop, whole = motion.crop, motion.canonical
    landmarks, neutral, head = motion.landmarks, motion.neutral, motion.head
    write_landmarks(folder / "landmarks.npz", times, whole, landmarks, neutral, crop, tags, head)
    write_json_curves(folder / "curves.json", rate, times, landmarks, neutral, tags, head)
    write_arkit_csv(folder / "arkit.csv", times, motion.arkit)
    if motion.spoken is not None:
        write_words(folder / "words.json", motion.spoken, tags)
    animation = MorphAnimation(SHAPES, motion.arkit, times, rate, tags, head)
    write_hand_offs(folder, settings.hand_offs, animation, settings.frame_rate, lambda: head_mesh(load_sample_head()))


def _place(
    cascade: Cascade, settings: AnimateSettings, identity: Identity, source: FaceSource, notebook: Notebook
) -> Place | None:
    """What makes faces into whole pictures or larger faces; None where they stay as they are."""
    if settings.is_full_frame:
        return cascade.full_frame(identity, source.images[picture_of(identity.references, source.images)])
    if settings.size == CROP_SIZE:
        return None
    is_of_file = settings.identity is not None
    name = identity.record.title if is_of_file else source.names[picture_of(identity.references, source.images)]
    notebook.add(size_note(identity.references, settings.size, name))
    return cascade.face_at_size(identity, settings.size)


def _write_frames(
    folder: Path,
    frames: Iterator[NDArray[np.uint8]],
    how: FrameSettings,
    sound: FileSound,
    shown: NDArray[np.int64],
    also_take: Callable[[NDArray[np.uint8]], None],
) -> list[NDArray[np.uint8]]:
    """Writes all frames and returns small pictures (h, w, 3) of those to show."""
    wanted, pictures = set(shown.tolist()), []
    with frame_files(folder, how, sound.as_given, sound.survey().sample_rate) as take:
        for number, frame in enumerate(frames):
            take(frame)
            also_take(frame)
            if number in wanted:
                pictures.append(over_background(shrunk(frame, SHEET_SIDE), how.background))
    return pictures


def _write_sheet(
    folder: Path,
    motion: LandmarkMotion,
    recording: Recording,
    pictures: list[NDArray[np.uint8]],
    tags: dict[str, str],
) -> None:
    opening = mouth_opening(motion.landmarks)
    write_contact_sheet(
        folder / "contact_sheet.png",
        motion.frame_times,
        opening,
        recording.peaks,
        MOMENTS_PER_SECOND,
        sheet_frames(opening),
        pictures,
        motion.landmarks,
        tags,
    )


def _write_report(
    folder: Path,
    settings: AnimateSettings,
    image_names: Sequence[str],
    cascade: Cascade,
    identity: Identity | None,
    sound: FileSound,
    frame_count: int,
    tags: dict[str, str],
    clock: StageClock,
    notebook: Notebook,
) -> None:
    report = {
        "speech": settings.speech.name,
        "images": list(image_names),
        "speech_seconds": round(sound.seconds, 3),
        "sound": sound.survey().document(),
        "frames": frame_count,
        "frame_rate": settings.frame_rate.frames_per_second,
        "frames_as": settings.frame_format if settings.has_texture else None,
        "full_frame": settings.is_full_frame,
        "size": settings.size,
        "also_written": sorted(settings.hand_offs.kinds),
        "words": settings.transcript is not None,
        "rigs": [mapping.name for mapping in settings.rigs],
        "seed": settings.seed,
        "controls": asdict(settings.controls),
        "device": cascade.device,
        "weights_version": cascade.weights_version,
        "held_out_psnr_db": identity.record.held_out_psnr if identity else None,
        "seconds_per_stage": {stage: round(seconds, 3) for stage, seconds in clock.seconds.items()},
        "seconds": round(sum(clock.seconds.values()), 3),
        "notes": [{"code": note.code, "about": note.about, "sentence": note.sentence} for note in notebook.notes],
        "synthetic_media": True,
        "metadata": tags,
    }
    (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
