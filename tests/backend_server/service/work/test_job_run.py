from contextlib import nullcontext
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_server.cascade import Cascade
from backend_server.face.result import ResultJudge
from backend_server.service.work import job_run
from backend_server.service.work.expectation import FRAMES_PER_MESSAGE
from shared import wire
from shared.errors import ImageError
from shared.head import turned
from shared.protocol import AdaptRequest, AnimateRequest, LandmarkCurves, Progress, TextureFrames


@given(sizes=st.lists(st.integers(0, 9), max_size=12), size=st.integers(1, 8))
def test_chunks_are_cut_again_without_loss(sizes, size):
    frames = np.arange(sum(sizes), dtype=np.uint8)[:, None]
    cut = list(job_run.rechunk(iter(np.split(frames, np.cumsum(sizes)[:-1])), size)) if sizes else []
    assert [len(c) for c in cut[:-1]] == [size] * (len(cut) - 1)
    np.testing.assert_array_equal(np.concatenate([frames[:0], *cut]), frames)


# anew, and again after curves (and those of a rig) and two messages of pictures
@pytest.mark.parametrize(("received", "before"), [(0, 1), (3, 1), (4, 2), (1, 2)])
def test_steps_of_the_texture_count_each_frame_once(received, before):
    total = 4 * FRAMES_PER_MESSAGE
    sent = []

    class Line:
        send = sent.append

        def raise_if_cancelled(self, job):
            pass

    class PlayedCascade:
        def result_judge(self, landmarks):
            return nullcontext(
                SimpleNamespace(
                    watch=lambda chunks, first: chunks,
                    notes=lambda: (),
                    looked_at_before=lambda first: np.zeros(0, int),
                )
            )

        def render(self, identity, landmarks, progress):
            for done in range(0, len(landmarks), 8):
                progress("texture", done + 8, len(landmarks))
                yield np.zeros((8, 2, 2, 4), np.uint8)

    run = job_run.JobRun(PlayedCascade(), None, Line(), "job", received)
    count, _ = run._render(None, np.zeros((total, 68, 2), np.float32), before)
    assert count == total
    steps = [(message.step, message.steps) for message in sent if isinstance(message, Progress)]
    assert steps[-1] == (total, total)
    assert all(step <= of == total for step, of in steps)
    frames = [message.first_frame for message in sent if isinstance(message, TextureFrames)]
    size = FRAMES_PER_MESSAGE
    assert frames == list(range(max(0, received - before) * size, total, size))
    sequences = [message.sequence for message in sent if isinstance(message, TextureFrames)]
    assert sequences == [1 + before + first // size for first in frames]


def adapted_from(monkeypatch, *files, names=()):
    """The pictures from which a request with one picture and these files learns."""
    sources = []

    def learn(run, store, source, epochs, seed):
        sources.append(source)
        return SimpleNamespace(error=None, identity=SimpleNamespace(record=None), is_found=False)

    monkeypatch.setattr(job_run.JobRun, "_learn", learn)
    run = job_run.JobRun(None, None, None, "job", received=1)
    arrays = tuple(np.frombuffer(file, np.uint8) for file in files)
    run.adapt(AdaptRequest(images=(np.zeros((20, 30, 3), np.uint8),), files=arrays, names=names))
    return sources[0]


def test_image_files_are_read_and_come_after_the_images(monkeypatch):
    colours = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)
    file = cv2.imencode(".png", colours[..., ::-1])[1].tobytes()
    source = adapted_from(monkeypatch, file, names=("painted", "photo.png"))
    assert [image.shape for image in source.images] == [(20, 30, 3), (16, 24, 3)]
    np.testing.assert_array_equal(source.images[1], colours)
    assert source.names == ("painted", "photo.png")


@pytest.mark.parametrize(("names", "name"), [((), "image 1"), (("painted", "photo.png"), "photo.png")])
def test_a_file_that_is_no_image_is_named(monkeypatch, names, name):
    with pytest.raises(ImageError, match=f"{name} is not an image that this program can read"):
        adapted_from(monkeypatch, b"this is no image", names=names)


@pytest.mark.parametrize("received", [0, 3, 5])  # anew, and again after some and after all messages of pictures
def test_notes_of_the_result_are_those_of_all_frames_also_when_a_job_goes_on(received):
    total = 4 * FRAMES_PER_MESSAGE
    landmarks = np.zeros((total, 68, 2), np.float32)
    landmarks[:, 66, 1] = landmarks[:, 0, 0] = np.arange(total)  # the mouth opens from frame to frame
    rendered = []

    class Judge(ResultJudge):
        """Notes each frame that it is shown, by the number that its pixels hold."""

        def look(self, number, frame):
            assert frame[0, 0, 0] == number
            looked_at.append(number)

        def notes(self):
            return tuple(sorted(looked_at))

    class PlayedCascade:
        def result_judge(self, landmarks):
            return Judge(landmarks)

        def render(self, identity, landmarks, progress):
            rendered.extend(landmarks[:, 0, 0].astype(int))
            for first in range(0, len(landmarks), 8):
                numbers = landmarks[first : first + 8, 0, 0].astype(np.uint8)
                yield np.broadcast_to(numbers[:, None, None, None], (len(numbers), 2, 2, 4))

    looked_at = []
    line = SimpleNamespace(send=lambda _: None, raise_if_cancelled=lambda _: None)
    count, notes = job_run.JobRun(PlayedCascade(), None, line, "job", received)._render(None, landmarks, before=1)
    assert count == total
    assert list(notes) == np.linspace(0, total - 1, 8).round().astype(int).tolist()
    first = max(0, received - 1) * FRAMES_PER_MESSAGE
    assert rendered == [*(number for number in notes if number < first), *range(first, total)]


@pytest.mark.parametrize("liveliness", [0.0, 0.5])
def test_the_head_is_told_where_it_may_turn(liveliness):
    sent = []
    line = SimpleNamespace(send=sent.append, raise_if_cancelled=lambda _: None)
    run = job_run.JobRun(Cascade.load("cpu"), None, line, "job", 0)
    speech = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    request = AnimateRequest(
        job="job",
        sample_rate=16_000,
        speech=speech,
        frame_times=np.arange(20) / 25,
        wants_texture=False,
        liveliness=liveliness,
    )
    run.animate(request)
    curves = wire.decode(wire.encode(next(message for message in sent if isinstance(message, LandmarkCurves))))
    if not liveliness:
        assert curves.head is curves.still is None
        return
    assert curves.head.shape == (20, 6)
    np.testing.assert_allclose(turned(curves.still, curves.neutral, curves.head), curves.landmarks, atol=1e-3)
    assert np.abs(curves.still - curves.landmarks).max() > 1
