"""Makes one line: listens, animates, writes its files and puts them into its folder in one step."""

from __future__ import annotations

import errno
import hashlib
import platform
import shutil
import traceback
import zlib
from functools import cached_property, lru_cache
from pathlib import Path

import msgspec
import numpy as np
import psutil
import torch
from numpy.typing import NDArray

from backend_server.batch.order import RESULT_NAME, Character, Face, Job, Outcome, Output, Plan, Result
from backend_server.batch.own_folder import publish, unchanged_result
from backend_server.cascade import Cascade
from backend_server.export.arkit_csv import write_arkit_csv
from backend_server.export.frames import FrameSettings, frame_files
from backend_server.export.hand_off import HandOffs, hand_off_frames, write_hand_offs
from backend_server.export.head_mesh import head_mesh
from backend_server.export.images import PREVIEW_BACKGROUND
from backend_server.export.json_curves import write_json_curves
from backend_server.export.landmarks_npz import write_landmarks
from backend_server.export.morphs import MorphAnimation, MorphMesh
from backend_server.export.rig_files import write_rig_files
from backend_server.export.tags import synthetic_tags
from backend_server.files import temporary_name
from backend_server.identities.learning import find_or_learn, open_learnt
from backend_server.identities.pictures import read_source
from backend_server.identities.store import open_store
from backend_server.identity import Identity, load_identity, save_identity
from backend_server.landmark_motion import LandmarkMotion
from backend_server.metrics.landmarks import mouth_opening
from backend_server.processes import is_alive
from backend_server.progress import silent
from backend_server.rig.head import load_sample_head
from backend_server.speech.recording import FileSound, listen
from shared.arkit import SHAPES
from shared.errors import Cancelled, SpeechFaceError
from shared.files_of_others import sha256_of
from shared.notes import Note
from shared.timing import frame_times

VERSION = 1  # counts changes of the code after which all lines are made again
FULL_SCALE = 0.99  # of a moment of 10 ms that is clipped
PLOTTED = 80  # values of the mouth's opening that are kept for the report, at most
FACES_AT_HAND = 8
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


class LineMaker:
    """The networks of one worker, which makes one line after the other on one thread.

    Args:
        plan: what holds for every line.
        owner: the process that gives out the lines; once it has ended, nothing is put into place any more, as another
            may have begun to give them out again. None where the worker ends with its owner.
    """

    def __init__(self, plan: Plan, owner: psutil.Process | None = None) -> None:
        torch.set_num_threads(1)  # the workers share the cores
        self._plan, self._owner = plan, owner
        self._identity = lru_cache(FACES_AT_HAND)(load_identity)

    @cached_property
    def _cascade(self) -> Cascade:
        return Cascade.load(self._plan.device)

    def ready(self) -> str:
        """Loads the networks; why that cannot be, or why nothing could be written, is returned, else nothing."""
        if not self._plan.inside.is_dir():
            where = f"{platform.node()} does not see the folder {self._plan.out}"
            return f"{where}; give one with --out that all machines share"
        try:
            self._cascade  # noqa: B018 (loads it)
        except SpeechFaceError as error:
            return error.sentence
        return ""

    def learn(self, character: Character, is_rendered: bool) -> Face:
        """Finds or learns a character's face and keeps it for all workers; why it cannot be stands in the result."""
        try:
            if character.identity is not None:
                learning = open_learnt(self._cascade, Path(character.identity))
            else:
                landmarks = Path(character.landmarks) if character.landmarks else None
                epochs = character.epochs if is_rendered else 0
                learning = find_or_learn(
                    self._cascade,
                    open_store() if epochs else None,
                    read_source([Path(image) for image in character.images], landmarks),
                    epochs=epochs,
                    seed=self._plan.seed,
                    progress=silent,
                )
            path = self._plan.inside / "faces" / f"{learning.identity.record.identity}.safetensors"
            save_identity(path, learning.identity)
        except SpeechFaceError as error:
            return Face(sentence=error.sentence)
        return Face(learning.identity.record.identity, str(path), learning.notes)

    def make(self, job: Job) -> Outcome:
        """Makes a line, unless its folder holds the same already; a failure is told in the outcome and costs no more.

        A failed line leaves nothing behind, and what an earlier run made of it stays.
        """
        try:
            return self._make(job)
        except SpeechFaceError as error:
            return Outcome(job.line, "failed", sentence=error.sentence, detail=error.detail)
        except OSError as error:
            return Outcome(job.line, "failed", sentence=self._os_sentence(job, error))
        except Exception as error:  # noqa: BLE001 (whatever one line does to a library, the others go on)
            sentence = f"it failed inside Speech Face ({type(error).__name__}: {error}); please report this"
            return Outcome(job.line, "failed", sentence=sentence, detail=traceback.format_exc())

    def _os_sentence(self, job: Job, error: OSError) -> str:
        if error.errno in _DISK_FULL:
            return f"the disk of {self._plan.out} is full; free some space and run again with --resume"
        where = error.filename or job.line.audio
        return f"{where} cannot be read or written ({error.strerror or error}); mend that and run again with --resume"

    def _make(self, job: Job) -> Outcome:
        line, place = job.line, Path(self._plan.out) / job.line.id
        audio_sha256 = sha256_of(Path(line.audio))
        key = self._key(job, audio_sha256)
        if result := unchanged_result(place, key):
            return Outcome(line, "unchanged", result)
        staging = temporary_name(self._plan.inside / "work" / line.id)
        staging.mkdir(parents=True)
        try:
            result = self._write(staging, job, key, audio_sha256)
            if self._owner is not None and not is_alive(self._owner):
                raise Cancelled
            kept = publish(staging, place)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return Outcome(line, "done", result, kept=tuple(kept))

    def _key(self, job: Job, audio_sha256: str) -> str:
        face = job.face.id if job.face else ""
        made_from = (
            *(VERSION, self._cascade.weights_version, audio_sha256, job.line.id),
            *(job.line.language, job.line.outputs, face, self._plan.frame_rate, self._plan.seed),
            msgspec.structs.replace(
                job.character, images=(), identity=None, landmarks=None
            ),  # the face stands for these
        )
        return hashlib.sha256(msgspec.json.encode(made_from)).hexdigest()

    def _write(self, folder: Path, job: Job, key: str, audio_sha256: str) -> Result:
        line, character, rate = job.line, job.character, self._plan.frame_rate
        seed = (self._plan.seed + zlib.crc32(line.id.encode())) % 2**32  # not all lines blink alike
        sound = FileSound(Path(line.audio))
        recording = listen(sound)
        identity = self._identity(Path(job.face.file)) if job.face else None
        times = frame_times(recording.seconds, rate)
        motion = self._cascade.animate_recording(
            recording, times, identity, seed=seed, blink=character.blink, controls=character.controls
        )
        for name, gain in character.gains.items():
            motion.arkit[:, SHAPES.index(name)] *= gain
        motion.arkit.clip(0, 1, out=motion.arkit)
        tags = synthetic_tags(self._cascade.weights_version, seed)
        self._write_motion(folder, job, motion, tags)
        notes = motion.notes
        if line.frame_format and identity:
            how = FrameSettings(line.frame_format, rate.exact, PREVIEW_BACKGROUND, tags)
            notes += self._render(folder, how, line.hand_offs, sound, motion, identity)
        files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
        result = Result(
            id=line.id,
            key=key,
            character=character.name,
            language=line.language,
            audio_sha256=audio_sha256,
            weights_version=self._cascade.weights_version,
            seed=seed,
            seconds=round(recording.seconds, 3),
            frames=len(times),
            clipped=_share(recording.peaks >= FULL_SCALE),
            silent=_share(recording.presence(times) < 0.5),
            confidence=None if motion.confidence is None else round(motion.confidence, 3),
            opening=_plotted(mouth_opening(motion.canonical)),
            notes=(*(job.face.notes if job.face else ()), *notes),
            files={name: sha256_of(path) for name, path in files.items()},
        )
        (folder / RESULT_NAME).write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")
        return result

    def _write_motion(self, folder: Path, job: Job, motion: LandmarkMotion, tags: dict[str, str]) -> None:
        times, rate = motion.frame_times, self._plan.frame_rate.exact
        if Output.CURVES in job.line.outputs:
            write_json_curves(folder / "curves.json", rate, times, motion.landmarks, motion.neutral, tags, motion.head)
        if Output.ARKIT in job.line.outputs:
            write_arkit_csv(folder / "arkit.csv", times, motion.arkit)
        if Output.LANDMARKS in job.line.outputs:
            whose = motion.canonical, motion.landmarks, motion.neutral, motion.crop
            write_landmarks(folder / "landmarks.npz", times, *whose, tags, motion.head)
        if Output.RIG in job.line.outputs:
            write_rig_files(folder, job.character.rig, motion.arkit, times, rate, tags)
        animation = MorphAnimation(SHAPES, motion.arkit, times, rate, tags, motion.head)
        write_hand_offs(folder, job.line.hand_offs, animation, self._plan.frame_rate, _sample_mesh)

    def _render(
        self,
        folder: Path,
        how: FrameSettings,
        hand_offs: HandOffs,
        sound: FileSound,
        motion: LandmarkMotion,
        identity: Identity,
    ) -> tuple[Note, ...]:
        """Writes the pictures; returns what is wrong with them."""
        with (
            self._cascade.result_judge(motion.landmarks) as judge,
            frame_files(folder, how, sound.as_given, sound.survey().sample_rate) as take,
            hand_off_frames(folder, hand_offs, len(motion.frame_times), how) as also_take,
        ):
            for faces in judge.watch(self._cascade.render(identity, motion.landmarks)):
                for face in faces:
                    take(face)
                    also_take(face)
        return tuple(judge.notes())


@lru_cache(1)
def _sample_mesh() -> MorphMesh:
    return head_mesh(load_sample_head())


def _share(is_so: NDArray[np.bool_]) -> float:
    return round(float(is_so.mean()), 4)


def _plotted(opening: NDArray[np.floating]) -> tuple[float, ...]:
    """The opening (T,) at no more than `PLOTTED` times, the widest around each, so that no peak is lost."""
    starts = np.unique(np.arange(min(len(opening), PLOTTED)) * len(opening) // min(len(opening), PLOTTED))
    return tuple(np.round(np.maximum.reduceat(opening, starts), 3).tolist())
