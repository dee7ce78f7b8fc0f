"""A cascade for the real service that gives the same known numbers as the FakeBackend of the add-on's tests."""

import os
import signal
import threading
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np

from backend_server.chaos.light_cascade import LightJudge
from backend_server.identity import FaceReferences, Identity, IdentityRecord, rows

DIES, WAITS, CRAWLS = 7, 8, 9  # seeds


def neutral():
    x, y = np.meshgrid(np.linspace(60, 190, 17), np.linspace(90, 220, 4))
    return np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)


class Cascade:
    device = "cpu"
    weights_version = "0123456789ab"

    @classmethod
    def load(cls, device):
        return cls()

    def adapt(self, images, landmarks, *, epochs, seed, progress, **_):
        for epoch in range(epochs):
            progress("fine-tuning", epoch, epochs)
        picture = np.zeros((256, 256, 3), np.uint8)
        references = FaceReferences(
            crops=picture[None],
            landmarks=neutral()[None],
            mattes=picture[None, ..., 0],
            foreground=picture,
            neutral_landmarks=neutral(),
            crop=np.eye(2, 3, dtype=np.float32),
        )
        record = IdentityRecord(
            learnt_at=datetime.now(UTC),
            weights_version=self.weights_version,
            image_count=len(images),
            epochs=epochs,
            losses=(),
            held_out_psnr=None,
            neutral=rows(references.neutral_landmarks),
            crop=rows(references.crop),
        )
        return Identity(references, {}, record)

    def result_judge(self, landmarks):
        return LightJudge()

    def animate(self, speech, sample_rate, frame_times, identity, *, seed, progress, **_):
        progress("speech", 0, 2)
        self.pause = 0.2 if seed == CRAWLS else 0.0
        if seed == DIES:
            os.kill(os.getpid(), signal.SIGKILL)
        step = 0
        while seed == WAITS:
            progress("speech", step, 100_000)
            step += 1
            threading.Event().wait(0.01)
        index = np.arange(len(frame_times))
        moved = np.stack([np.sin(index / 3), 0.5 * index], axis=1)
        landmarks = (neutral() + moved[:, None]).astype(np.float32)
        return SimpleNamespace(
            frame_times=frame_times,
            canonical=landmarks,
            landmarks=landmarks,
            neutral=neutral(),
            crop=np.eye(2, 3, dtype=np.float32),
            head=np.zeros((len(landmarks), 6), np.float32),
            still=landmarks,
            notes=(),
            spoken=None,
        )

    def render(self, identity, landmarks, progress):
        """Frames whose every byte is the frame's number (modulo 256)."""
        numbers = np.round(2 * (landmarks[:, 0, 1] - neutral()[0, 1])).astype(np.uint8)
        for first in range(0, len(landmarks), 8):
            progress("texture", first, len(landmarks))
            threading.Event().wait(self.pause)
            part = numbers[first : first + 8]
            yield np.broadcast_to(part[:, None, None, None], (len(part), 256, 256, 4))
