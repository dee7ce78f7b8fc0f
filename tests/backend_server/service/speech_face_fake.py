"""A cascade whose behaviour the seed of a test chooses; the worker process of the tests imports it."""

import os
import signal
import threading
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from backend_server.chaos.light_cascade import LightFaceAtSize, LightJudge
from backend_server.identity import FaceReferences, Identity, IdentityRecord, rows
from backend_server.speech.spoken import Spoken
from shared.errors import SoundError
from shared.notes import Note, NoteCode
from shared.speech_messages import Said

FAST, SLOW, STUCK, DIE, DIE_ONCE, BROKEN, BAD_SOUND, NO_MEMORY, PAUSE_IN_TEXTURE, WAIT, NOTED, HUNGRY = range(12)
MEAN_FACE = np.zeros((68, 2), np.float32)


def folder():
    return Path(os.environ["SPEECH_FACE_FAKE_DIR"])


def is_first(name):
    """Whether this is the first call with that name, over all processes."""
    try:
        (folder() / name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def wait_for(name, progress, stage):
    """Goes on reporting until the test has put a file there."""
    step = 0
    while not (folder() / name).exists():
        progress(stage, step, 100_000)
        step += 1
        threading.Event().wait(0.005)


def use_up_memory():
    """Leaves no memory for anything that comes after, not even for the message that says so."""
    import resource

    limit = resource.RLIMIT_AS
    resource.setrlimit(limit, (2**20, resource.getrlimit(limit)[1]))
    hoard = []
    for size in (2**20, 2**12, 2**6):
        try:
            while True:
                hoard.append(bytearray(size))
        except MemoryError:
            continue
    raise MemoryError(hoard)


def said(transcript):
    """A word each half second."""
    words = [Said(word, place / 2, place / 2 + 0.25, 0.5) for place, word in enumerate(transcript.split())]
    return Spoken(tuple(words), (Said("AA", 0.0, 0.5, 1.0),))


class Judge(LightJudge):
    """Sees what tests expect it to see."""

    def notes(self):
        return (Note(NoteCode.LIPS_ELSEWHERE, "the lips are elsewhere"),)


class FakeCascade:
    device = "cpu"
    weights_version = "0123456789ab"
    seed = FAST  # of the last animation

    @classmethod
    def load(cls, device):
        if device == "missing":
            raise SoundError("cannot read the weights file nowhere")
        if device == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        return cls()

    def adapt(self, images, landmarks, *, epochs, seed, progress, **_):
        is_first(f"adapted-{len(images)}-{epochs}-{seed}-{os.getpid()}")
        for epoch in range(epochs):
            progress("fine-tuning", epoch, epochs)
        crop = np.zeros((256, 256, 3), np.uint8)
        references = FaceReferences(
            crops=crop[None],
            landmarks=MEAN_FACE[None],
            mattes=crop[None, ..., 0],
            foreground=crop,
            neutral_landmarks=MEAN_FACE + len(images),
            crop=np.eye(2, 3, dtype=np.float32),
        )
        record = IdentityRecord(
            learnt_at=datetime.now(UTC),
            weights_version=self.weights_version,
            image_count=len(images),
            epochs=epochs,
            losses=tuple(1.0 / (e + 1) for e in range(epochs)),
            held_out_psnr=30.0 if landmarks is None else None,
            neutral=rows(references.neutral_landmarks),
            crop=rows(references.crop),
        )
        return Identity(references, {}, record)

    def result_judge(self, landmarks):
        return Judge()

    def animate(self, speech, sample_rate, frame_times, identity, *, seed, blink, controls, transcript, progress):
        progress("speech", 0, 2)
        match seed:
            case 1:
                wait_for("never", progress, "speech")
            case 2:
                threading.Event().wait(60)
            case 3:
                os.kill(os.getpid(), signal.SIGKILL)
            case 4 if is_first("died"):
                os.kill(os.getpid(), signal.SIGKILL)
            case 5:
                raise RuntimeError("what nobody thought of")
            case 6:
                raise SoundError("the sound is silent; choose another strip")
            case 7:
                raise MemoryError
            case 9:
                wait_for("go", progress, "speech")
            case 11:
                use_up_memory()
        progress("motion", 1, 2)
        landmarks = np.zeros((len(frame_times), 68, 2), np.float32)
        landmarks[:, 0, 0] = np.arange(len(frame_times))
        self.seed = seed
        neutral = MEAN_FACE if identity is None else identity.references.neutral_landmarks
        return SimpleNamespace(
            frame_times=frame_times,
            canonical=landmarks * controls.intensity + controls.lead,
            landmarks=landmarks,
            neutral=neutral,
            arkit=np.full((len(frame_times), 52), 0.25, np.float32),
            crop=np.eye(2, 3, dtype=np.float32),
            notes=(Note(NoteCode.NO_SPEECH, "nobody speaks"),) if seed == NOTED else (),
            spoken=None if transcript is None else said(transcript),
        )

    def face_at_size(self, identity, size):
        return LightFaceAtSize(size)

    def render(self, identity, landmarks, progress):
        """Frames whose every byte is the frame's number, in chunks of 5."""
        count = len(landmarks)
        for first in range(0, count, 5):
            if PAUSE_IN_TEXTURE in (self.seed, landmarks[first, 1, 0]) and landmarks[first, 0, 0] >= 40:
                wait_for("go", progress, "texture")
            progress("texture", first, count)
            numbers = landmarks[first : first + 5, 0, 0].astype(np.uint8)
            yield np.broadcast_to(numbers[:, None, None, None], (len(numbers), 64, 64, 4))
        progress("texture", count, count)
