"""Tests that the results of a job are taken once, in order and completely, whatever the connection does."""

import msgspec
import numpy as np
import pytest

from shared import protocol
from shared.errors import ErrorCode, NoFaceError, ShapeError, SpeechFaceError
from shared.following import Following

FRAMES = 4


class Line:
    """A connection that notes what is sent over it."""

    def __init__(self):
        self.is_ready = True
        self.is_upload_paused = False
        self.sent = []
        self.cancelled = []
        self.left = None

    def clock(self):
        return 0.0

    def send(self, message):
        self.sent.append(message)

    def upload(self, _message_id):
        return self.left

    def withdraw(self, message_id):
        self.sent.append(f"withdrawn {message_id}")

    def cancel(self, job):
        self.cancelled.append(job)

    @property
    def attached(self):
        return [message.received for message in self.sent if isinstance(message, protocol.Attach)]


@pytest.fixture
def line():
    return Line()


@pytest.fixture
def following(line):
    request = protocol.AnimateRequest(
        job="j1",
        sample_rate=16_000,
        identity="a" * 64,
        rig="oculus",
        speech=np.zeros(1600, np.float32),
        frame_times=np.arange(FRAMES) / 25,
    )
    made = Following(line, request)
    made.step()
    return made


def results(frames=FRAMES, **done):
    points = np.zeros((frames, 68, 2), np.float32)
    one = {"job": "j1"}
    return [
        protocol.LandmarkCurves(
            **one, sequence=1, landmarks=points, canonical=points, frame_times=np.arange(frames) / 25,
            neutral=points[0], crop=np.eye(2, 3, dtype=np.float32),
        ),
        protocol.RigCurves(**one, sequence=2, names=("aa",), weights=np.zeros((frames, 1), np.float32)),
        *(
            protocol.TextureFrames(
                **one, sequence=3 + n, first_frame=2 * n, frames=np.zeros((2, 4, 4, 4), np.uint8)
            )
            for n in range(2)
        ),
        protocol.Done(**one, sequence=5, **{"frame_count": frames, "texture_count": frames, **done}),
    ]  # fmt: skip


def test_each_result_is_taken_once_and_in_order(line, following):
    sent = results()
    assert [following.take(message) for message in (sent[0], sent[0], *sent[1:])] == [sent[0], None, *sent[1:]]
    assert following.is_over
    assert following.texture_count == FRAMES
    assert line.sent == [following.request]
    assert following.take(sent[-1]) is None


def test_messages_of_other_jobs_are_passed_by(following):
    assert following.take(protocol.Progress(job="j2", stage="motion", step=0, steps=1)) is None
    assert following.take(protocol.Failed(job="j2", sequence=1, code=ErrorCode.NO_FACE, sentence="no")) is None


def test_a_new_connection_asks_for_what_is_missing(line, following):
    following.take(results()[0])
    line.is_ready = False
    following.step()
    assert line.attached == []
    line.is_ready = True
    following.step()
    following.step()
    assert line.attached == [1]


def test_results_without_room_are_asked_for_once_there_is(line, following):
    first, rig, *rest = results()
    following.take(first)
    progress = protocol.Progress(job="j1", stage="texture", step=1, steps=2)
    assert following.take(progress, has_room=False) is progress
    assert [following.take(message, has_room=False) for message in (rig, rest[0])] == [None, None]
    assert line.attached == []
    following.go_on()
    assert line.attached == [1]
    assert following.take(rest[1]) is None  # it was on its way before the backend read the request
    assert [following.take(message) for message in (rig, *rest)] == [rig, *rest]
    assert line.attached == [1]
    following.go_on()
    assert line.attached == [1]


def test_a_request_that_never_arrived_is_sent_again_once_for_each_connection(line, following):
    unknown = protocol.Failed(job="j1", code=ErrorCode.UNKNOWN_JOB, sentence="no job j1")
    assert following.take(unknown) is None
    assert line.sent == [following.request, f"withdrawn {following.request.id}", following.request]
    with pytest.raises(SpeechFaceError, match="no job j1"):
        following.take(unknown)
    assert following.is_over


def test_a_refusal_names_no_job(following):
    with pytest.raises(NoFaceError, match="no face"):
        following.take(
            protocol.Failed(parent=following.request.id, code=ErrorCode.NO_FACE, sentence="there is no face")
        )


@pytest.mark.parametrize("has_words", [True, False])
def test_words_are_expected_where_they_were_asked_for(line, following, has_words):
    """An older backend does not know the wish, and ends without them."""
    request = msgspec.structs.replace(following.request, rig="", wants_speech=True, transcript="hi")
    following = Following(line, request)
    first, _, *rest = results()
    words = [protocol.SpokenWords(job="j1", phones=())] if has_words else []
    *sent, last = [msgspec.structs.replace(m, sequence=n) for n, m in enumerate([first, *words, *rest], 1)]
    assert [following.take(message) for message in sent] == sent
    if has_words:
        assert following.take(last) is last
    else:
        with pytest.raises(SpeechFaceError, match="without the words and phones; it is of a release before them"):
            following.take(last)


@pytest.mark.parametrize("left_out", [0, 1, 3])
def test_an_end_without_all_results_is_a_failure(following, left_out):
    kept = [message for number, message in enumerate(results()) if number != left_out]
    with pytest.raises(SpeechFaceError, match="the backend ended"):
        for number, message in enumerate(kept, 1):
            following.take(msgspec.structs.replace(message, sequence=number))


@pytest.mark.parametrize(
    ("number", "error"), [(0, "expected landmarks of 4 frames"), (1, "expected a rig's curves of 4 frames")]
)
def test_curves_of_another_length_are_refused(following, number, error):
    following.take(results()[0])
    with pytest.raises(ShapeError, match=error):
        (following if number else Following(Line(), following.request)).take(results(3)[number])


def test_cancel_takes_back_the_upload_and_is_said_once(line, following):
    following.cancel()
    following.cancel()
    assert line.cancelled == ["j1"]
    assert line.sent[-1] == f"withdrawn {following.request.id}"
    assert following.is_over


def test_the_upload_is_a_stage_of_its_own(line, following):
    assert following.upload is None
    line.left = (3_000_000, 9_500_000)
    assert (following.upload.stage, following.upload.step, following.upload.steps) == ("sending", 3, 9)
    line.is_upload_paused = True
    assert following.upload.stage == "waiting for the backend's disk"
