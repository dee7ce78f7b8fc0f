"""Turns one video into one clip of the corpus: sound, face crops, landmarks, ARKit scores.

Runs inside a worker process, which keeps its models from clip to clip. A clip's folder is made under a temporary name
and renamed when it is complete.
"""

from __future__ import annotations

import shutil
import wave
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from backend_server.config import CORPUS_FRAME_RATE, CROP_SIZE, SAMPLE_RATE
from backend_server.data.clip_frames import ClipRefused, read_frames, read_sound
from backend_server.data.neutral import neutral_shape, smooth
from backend_server.face.crop import crop_image, crop_transform, to_crop
from backend_server.face.detector import LARGEST_YAW_DEGREES, SMALLEST_SIDE_PIXELS
from backend_server.face.mesh_points import landmarks_of_mesh, yaw_degrees_of_mesh
from backend_server.face.tracker import FaceTracker
from shared import arkit
from shared.landmarks import POINT_COUNT

SHORTEST_SECONDS = 1.0
MOST_LOST_FRAMES = 0.05  # of a clip's frames; in these few the landmarks are interpolated
JPEG_QUALITY = 95
_LOOK_FOR_OTHERS_EVERY = 15  # frames
_NO_POINTS = np.full((POINT_COUNT, 2), np.nan, np.float32)  # of a frame without a face
_NO_SHAPES = np.full(len(arkit.SHAPES), np.nan, np.float32)


class ClipMaker:
    """Makes clips of the corpus; holds the models; one per process."""

    def __init__(self) -> None:
        self._tracker = FaceTracker(scores_shapes=True)

    def make(self, video: Path, folder: Path, partial: Path) -> None:
        """Makes the clip's folder from a video.

        Args:
            video: the file to read.
            folder: the clip's folder, which must not exist.
            partial: a folder of the same disk to build in; removed if the clip is refused.

        Raises:
            ClipRefused: the video cannot be used; the message says why.
        """
        if (folder / "landmarks.npz").is_file():  # an earlier version's, without ARKit scores
            shutil.rmtree(folder)
        if folder.exists():
            raise ClipRefused(f"{folder} exists but is not a finished clip; move it away")
        shutil.rmtree(partial, ignore_errors=True)
        (partial / "faces").mkdir(parents=True)
        try:
            self._make(video, partial)
            folder.parent.mkdir(parents=True, exist_ok=True)
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _make(self, video: Path, partial: Path) -> None:
        sound, sound_start = read_sound(video)
        times, tracked, shapes = self._track(video, sound_start)
        kept = frames_to_keep(times)
        times, tracked, shapes = times[kept], smooth(tracked[kept]), shapes[kept]
        transform = crop_transform(np.median(tracked, axis=0))
        landmarks = to_crop(tracked, transform)
        is_outside = ((landmarks < 0) | (landmarks > CROP_SIZE - 1)).any(axis=(1, 2))
        if is_outside.mean() > MOST_LOST_FRAMES:
            raise ClipRefused(f"the head leaves the crop in {is_outside.mean():.0%} of its frames")
        written, wanted = 0, set(times.tolist())
        for frame in read_frames(video, sound_start):
            if frame.seconds in wanted:
                written += 1
                _write_jpeg(partial / "faces" / f"{written:04d}.jpg", crop_image(frame.image, transform))
        if written != len(times):
            raise ClipRefused("its pictures differ when it is read a second time")
        _write_wave(partial / "speech.wav", sound)
        np.savez(
            partial / "landmarks.npz",
            frame_times=times,
            landmarks=landmarks,
            neutral=neutral_shape(landmarks, times, sound),
            crop=transform,
        )
        np.savez(partial / "arkit.npz", names=arkit.SHAPES, weights=shapes)

    def _track(
        self, video: Path, sound_start: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.float32]]:
        """Returns times (T,), landmarks (T, 68, 2) in source pixels and ARKit scores (T, 52) of a video's frames."""
        self._tracker.forget()
        times: list[float] = []
        points: list[NDArray[np.float32]] = []
        shapes: list[NDArray[np.float32]] = []
        yaws: list[float] = []
        others: list[bool] = []
        for number, frame in enumerate(read_frames(video, sound_start)):
            if number % _LOOK_FOR_OTHERS_EVERY == 0:
                others.append(self._tracker.shows_others(frame.image))
            face = self._tracker.measure(frame.image)
            times.append(frame.seconds)
            points.append(_NO_POINTS if face is None else landmarks_of_mesh(face.mesh))
            shapes.append(_NO_SHAPES if face is None or face.shapes is None else face.shapes)
            if face is not None:
                yaws.append(abs(yaw_degrees_of_mesh(face.mesh)))
        at, tracked = np.array(times), np.stack(points) if points else np.empty((0, POINT_COUNT, 2), np.float32)
        _refuse_bad_track(at, tracked, yaws, others)
        scores = np.stack(shapes)
        is_lost = np.isnan(tracked[:, 0, 0])
        for lost in np.flatnonzero(is_lost):
            tracked[lost] = _between(tracked, at, is_lost, times[lost])
            scores[lost] = _between(scores, at, is_lost, times[lost])
        return at, tracked, scores


def frames_to_keep(times: NDArray[np.float64]) -> NDArray[np.int64]:
    """Returns the indices of the frames to train on at 25/s: all, or of a faster video one every 40 ms.

    Raises:
        ClipRefused: the video is slower than 20 frames/s.
    """
    rate = 1 / float(np.median(np.diff(times)))
    if rate < 20:
        raise ClipRefused(f"it has {rate:.1f} frames/s, at least 20 are needed")
    if rate < 1.1 * CORPUS_FRAME_RATE:
        return np.arange(len(times))
    slots = np.arange(times[0], times[-1] + 1e-6, 1 / CORPUS_FRAME_RATE)
    return np.unique(np.abs(times[None] - slots[:, None]).argmin(1))


def _refuse_bad_track(
    times: NDArray[np.float64], tracked: NDArray[np.float32], yaws: list[float], others: list[bool]
) -> None:
    """Raises `ClipRefused` when the video is too short, or shows no face, several, a turned or a small one."""
    length = float(np.ptp(times)) if len(times) else 0.0
    if length < SHORTEST_SECONDS:
        raise ClipRefused(f"it is {length:.2f} s long, at least {SHORTEST_SECONDS:.0f} s are needed")
    is_lost = np.isnan(tracked[:, 0, 0])
    if is_lost.mean() > MOST_LOST_FRAMES:
        raise ClipRefused(f"no face is seen in {is_lost.mean():.0%} of its frames")
    if sum(others) > len(others) / 2:
        raise ClipRefused("it shows several faces")
    if np.median(yaws) > LARGEST_YAW_DEGREES:
        raise ClipRefused(f"the face is turned {np.median(yaws):.0f} degrees to the side")
    side = float(np.median(np.ptp(tracked[~is_lost], axis=1).max(-1)))
    if side < SMALLEST_SIDE_PIXELS:
        raise ClipRefused(f"the face is {side:.0f} pixels large, at least {SMALLEST_SIDE_PIXELS} are needed")


def _between(
    tracked: NDArray[np.float32], times: NDArray[np.float64], is_lost: NDArray[np.bool_], time: float
) -> NDArray[np.float32]:
    """Returns the values at `time` on the line between the nearest frames in which the face was seen."""
    seen = np.flatnonzero(~is_lost)
    after = int(np.searchsorted(times[seen], time))
    low, high = seen[max(after - 1, 0)], seen[min(after, len(seen) - 1)]
    weight = (time - times[low]) / (times[high] - times[low]) if high > low else 0.0
    return np.asarray((1 - weight) * tracked[low] + weight * tracked[high], np.float32)


def _write_jpeg(path: Path, image: NDArray[np.uint8]) -> None:
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        JPEG_QUALITY,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    _, encoded = cv2.imencode(".jpg", image[..., ::-1], options)
    path.write_bytes(encoded.tobytes())


def _write_wave(path: Path, samples: NDArray[np.int16]) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(samples.astype("<i2").tobytes())
