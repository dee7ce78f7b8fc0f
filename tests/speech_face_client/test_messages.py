"""Tests what the library makes of a backend's answers: order, losses, failures, patience, interruptions."""

import time

import numpy as np
import pytest

from shared import pause, protocol
from shared.errors import ErrorCode, NoFaceError, SpeechFaceError, ValueRangeError
from shared.rig.mapping import Channel
from speech_face_client import Backend, Cancelled, MotionControls, RigFace, RigMapping, Said, job

PHOTO = np.zeros((8, 9, 3), np.uint8)


def animate(backend, seconds=1.0, **values):
    speech = np.full(round(16_000 * seconds), 0.1, np.float32)
    return backend.animate(speech, sample_rate=16_000, **values)


def kinds(events):
    return [type(event).__name__ for event in events if not isinstance(event, protocol.Progress | protocol.Accepted)]


def test_a_face_and_its_animation_come_in_order(backend, fake):
    identity = backend.adapt(PHOTO, epochs=3, seed=5)
    assert identity.id == "a" * 64
    running = animate(backend, identity=identity, rig="oculus", controls=MotionControls(intensity=1.5), seed=7)
    events = list(running)
    assert kinds(events) == ["LandmarkCurves", "RigCurves", "TextureFrames", "TextureFrames", "TextureFrames", "Done"]
    frames = np.concatenate([event.frames for event in events if isinstance(event, protocol.TextureFrames)])
    np.testing.assert_array_equal(frames, fake.frames(25))
    (asked,) = fake.messages("AnimateRequest")
    assert (asked.intensity, asked.seed, asked.rig, asked.wants_texture) == (1.5, 7, "oculus", True)
    np.testing.assert_array_equal(asked.frame_times, np.arange(25) / 25)
    (learnt,) = fake.messages("AdaptRequest")
    assert (learnt.epochs, learnt.seed) == (3, 5)


def test_the_result_holds_all_of_it(backend, fake):
    fake.has_notes = True
    made = animate(backend, identity="a" * 64, rig="oculus", frame_rate=29.97).result(timeout=60)
    np.testing.assert_array_equal(made.curves.landmarks, fake.landmarks(30))
    np.testing.assert_array_equal(made.frames, fake.frames(30))
    assert len(made.rig.names) == 15
    assert made.rig.weights.shape == (30, 15)
    assert [note.code for note in made.notes] == ["no_speech"]
    np.testing.assert_allclose(made.curves.frame_times, np.arange(30) * 1001 / 30_000)


def test_words_and_phones_come_after_the_curves_where_they_are_wanted(backend, fake):
    running = animate(backend, identity="a" * 64, rig="oculus", transcript="Hello, world!")
    assert kinds(list(running))[:4] == ["LandmarkCurves", "RigCurves", "SpokenWords", "TextureFrames"]
    spoken = running.result(60).spoken
    assert spoken.said_words == [Said("Hello,", 0.0, 0.25, 0.75), Said("world!", 0.5, 0.75, 0.75)]
    assert [phone.text for phone in spoken.said_phones] == ["HH", "AH", "L", "OW"]
    assert animate(backend, transcript="").result(60).spoken.said_words == []
    assert animate(backend).result(60).spoken is None
    wishes = [(asked.wants_speech, asked.transcript) for asked in fake.messages("AnimateRequest")]
    assert wishes == [(True, "Hello, world!"), (True, ""), (False, "")]


def test_frames_that_were_handed_out_are_not_kept(backend):
    running = animate(backend, identity="a" * 64)
    for event in running:
        if isinstance(event, protocol.TextureFrames):
            break
    made = running.result(timeout=60)
    assert made.frames is None
    assert len(made.curves.landmarks) == 25


def test_pictures_have_the_size_that_was_asked_for(backend, fake):
    made = animate(backend, seconds=0.2, identity="a" * 64, size=512).result(timeout=60)
    assert made.frames.shape == (5, 512, 512, 4)
    drawn = backend.render(made.curves.landmarks[:2], "a" * 64, size=1024).result(timeout=60)
    assert drawn.frames.shape == (2, 1024, 1024, 4)
    assert [asked.size for kind in ("AnimateRequest", "RenderRequest") for asked in fake.messages(kind)] == [512, 1024]
    for ask in (lambda: animate(backend, size=300), lambda: backend.render(fake.landmarks(2), "a" * 64, size=300)):
        with pytest.raises(SpeechFaceError, match="size is 300; choose one of 256, 512, 1024"):
            ask()


def test_without_an_identity_the_mean_face_moves(backend, fake):
    made = animate(backend).result(timeout=60)
    assert made.frames is None
    assert made.rig is None
    assert (fake.messages("AnimateRequest")[0].identity, fake.messages("AnimateRequest")[0].wants_texture) == (
        "",
        False,
    )


def test_a_rigs_face_is_sent_with_its_mapping(backend, fake):
    own = RigMapping(name="mine", channels=(Channel("A"), Channel("B")))
    face = RigFace(np.ones((68, 2), np.float32), np.full((2, 68, 2), 3, np.float32))
    animate(backend, rig=own, rig_face=face).result(timeout=60)
    (asked,) = fake.messages("AnimateRequest")
    assert asked.mapping == own
    np.testing.assert_array_equal(asked.rig_rest, face.rest)
    np.testing.assert_array_equal(asked.rig_basis, face.basis)
    assert asked.rig_confidence is None


def test_pictures_are_sent_as_bytes_or_as_pixels(backend, fake, tmp_path):
    path = tmp_path / "me.png"
    path.write_bytes(b"the bytes of a file")
    backend.adapt([path, PHOTO])
    (asked,) = fake.messages("AdaptRequest")
    assert asked.files[0].tobytes() == b"the bytes of a file"
    assert asked.images[0].shape == (8, 9, 3)
    assert asked.names == ("picture 1", "me.png")


@pytest.mark.parametrize(
    ("pictures", "sentence"),
    [
        ("none.png", "none.png cannot be read"),
        ([3], "expected paths or arrays as pictures, got int"),
        ([], "has no images"),
    ],
)
def test_what_is_no_picture_is_refused_before_it_is_sent(backend, fake, pictures, sentence):
    with pytest.raises(SpeechFaceError, match=sentence):
        backend.adapt(pictures)
    assert not fake.messages("AdaptRequest")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"wants_texture": True}, "pictures need a face"),
        ({"frame_rate": 0}, "0 frames per second are impossible"),
        ({"rig": "oculos"}, "no rig 'oculos'; did you mean \"oculus\""),
        ({"rig": "{}"}, "the format is"),
        ({"identity": "me"}, "identity = 'me'"),
        ({"frame_times": np.array([0.0, 0.0])}, "must ascend"),
    ],
)
def test_what_cannot_be_is_refused_before_it_is_sent(backend, fake, values, sentence):
    with pytest.raises(SpeechFaceError, match=sentence):
        animate(backend, **values)
    assert not fake.messages("AnimateRequest")


def test_samples_need_their_rate_and_files_have_one(backend, write_wave):
    with pytest.raises(ValueRangeError, match="need their sample_rate"):
        backend.animate(np.zeros(100, np.float32))
    with pytest.raises(ValueRangeError, match="leave sample_rate out"):
        backend.animate(write_wave(np.zeros(100)), sample_rate=16_000)


def test_a_lost_result_is_asked_for(backend, fake):
    fake.drops = {3}
    np.testing.assert_array_equal(animate(backend, identity="a" * 64).result(60).frames, fake.frames(25))
    assert [message.received for message in fake.messages("Attach")] == [2]


def test_an_end_without_the_rigs_curves_is_no_success(backend, fake):
    fake.leaves_out = "RigCurves"
    with pytest.raises(SpeechFaceError, match="without the curves of the rig"):
        animate(backend, rig="oculus").result(60)


def test_the_backends_own_words_come_as_the_narrowest_error(backend, fake):
    fake.fails_with = "image 1 holds no face; choose a photo that shows one"
    running = animate(backend)
    with pytest.raises(NoFaceError, match="holds no face"):
        running.result(60)
    with pytest.raises(NoFaceError, match="holds no face"):  # and again, not an empty result
        next(running)


def test_a_backend_that_refuses_says_why(fake):
    fake.refuses = "this program is too old; update it"
    with pytest.raises(SpeechFaceError, match="too old") as caught:
        Backend.connect(fake.connection_file)
    assert caught.value.code is ErrorCode.VERSION_MISMATCH


def test_no_backend_is_said_in_time(fake, tmp_path):
    with pytest.raises(SpeechFaceError, match=r"not answered for 0 s \(there is no connection file .*none.json"):
        Backend.connect(tmp_path / "none.json", timeout=0.3)
    fake.is_mute = True
    began = time.monotonic()
    with pytest.raises(SpeechFaceError, match="has not answered for 0 s") as caught:
        Backend.connect(fake.connection_file, timeout=0.4)
    assert caught.value.code is ErrorCode.BACKEND_UNREACHABLE
    assert time.monotonic() - began < 2


def test_the_usual_connection_file_is_found(fake, monkeypatch):
    monkeypatch.setenv("SPEECH_FACE_CONNECTION_FILE", str(fake.connection_file))
    with Backend.connect() as backend:
        assert backend.welcome.backend == "fake 1"


def test_a_job_that_takes_longer_goes_on(backend, fake):
    fake.holds = True
    running = animate(backend)
    with pytest.raises(SpeechFaceError, match="it goes on"):
        running.result(timeout=0.2)
    assert not running.is_over
    assert not fake.messages("Cancel")


def test_cancel_ends_the_iteration_and_tells_the_backend(backend, fake):
    fake.holds = True
    running = animate(backend)
    for event in running:
        if isinstance(event, protocol.Progress):
            assert (event.stage, event.step, event.steps) == ("waiting for a test", 3, 10)
            running.cancel()
    assert running.is_over
    assert [message.job for message in fake.messages("Cancel")] == [running.id]
    with pytest.raises(Cancelled):
        running.result()
    running.cancel()
    assert len(fake.messages("Cancel")) == 1


def test_a_job_that_somebody_else_cancels_is_no_empty_result(backend, fake):
    fake.holds = True
    running = animate(backend)
    next(running)
    fake.tell(protocol.Cancelled(job=running.id, sequence=1))
    with pytest.raises(Cancelled, match="by another program"):
        running.result(60)


def test_leaving_the_block_cancels_what_has_not_ended(fake):
    fake.holds = True
    with Backend.connect(fake.connection_file) as backend:
        jobs = [animate(backend), animate(backend)]
    assert {message.job for message in fake.messages("Cancel")} == {job.id for job in jobs}


def test_ctrl_c_while_a_face_is_learnt_cancels_it(backend, fake):
    fake.holds = True

    def interrupt(_progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backend.adapt(PHOTO, on_progress=interrupt)
    assert len(fake.messages("Cancel")) == 1


def test_ctrl_c_between_arrival_and_note_loses_nothing(backend, fake, monkeypatch):
    running = animate(backend, identity="a" * 64)
    take = job.Job.take
    seen = []

    def interrupted(self, message):
        seen.append(message)
        if isinstance(message, protocol.TextureFrames) and len(seen) < 100:
            seen.extend(range(100))
            raise KeyboardInterrupt
        take(self, message)

    monkeypatch.setattr(job.Job, "take", interrupted)
    with pytest.raises(KeyboardInterrupt):
        running.result(60)
    np.testing.assert_array_equal(running.result(60).frames, fake.frames(25))
    assert [message.received for message in fake.messages("Attach")] == [1]


def test_results_that_nobody_fetches_wait_at_the_backend(backend, fake, monkeypatch):
    monkeypatch.setattr(job, "MOST_WAITING_BYTES", 1)
    patient, other = animate(backend, identity="a" * 64), animate(backend, identity="a" * 64)
    assert len(other.result(60).frames) == 25
    assert patient._waiting_bytes <= 10 * 256 * 256 * 4  # one message more than is allowed
    np.testing.assert_array_equal(patient.result(60).frames, fake.frames(25))
    assert fake.messages("Attach")


def test_an_upload_shows_its_megabytes_and_pauses_when_asked(backend, fake):
    fake.is_slow = True
    running = backend.animate(np.full(3_000_000, 0.1, np.float32), sample_rate=16_000, frame_times=np.arange(25) / 25)
    stages = []
    for event in running:
        if not isinstance(event, protocol.Progress):
            continue
        stages.append(event.stage)
        if event.stage == "sending" and pause.STAGE not in stages:
            fake.tell(pause.begin())
            fake.is_slow = False
        if event.stage == pause.STAGE:
            assert event.steps == 12
            fake.tell(pause.end())
    assert {"sending", pause.STAGE} <= set(stages)
    assert fake.messages("AnimateRequest")[0].speech.nbytes == 12_000_000


def test_a_program_that_was_silent_for_long_gets_its_results(backend, fake):
    """The backend forgets it, and says so at the next message."""
    fake.holds = True
    running = animate(backend)
    next(running)
    fake.holds = False
    fake.results[running.id] = list(fake._numbered(fake._work(fake.messages("AnimateRequest")[0])))
    fake.tell(protocol.Failed(code=ErrorCode.UNKNOWN_CLIENT, sentence="say Hello"))
    assert len(running.result(60).curves.landmarks) == 25
    assert len(fake.messages("Hello")) == 2


def test_a_lost_backend_is_given_up_and_can_be_tried_again(fake):
    fake.holds = True
    with Backend.connect(fake.connection_file, patience=0.5) as backend:
        running = animate(backend)
        next(running)
        fake.is_mute = True
        with pytest.raises(SpeechFaceError, match="has not answered") as caught:
            list(running)
        assert caught.value.code is ErrorCode.BACKEND_UNREACHABLE
        fake.is_mute = fake.holds = False
        fake.results[running.id] = list(fake._numbered(fake._work(fake.messages("AnimateRequest")[0])))
        deadline = time.monotonic() + 30
        while not running.is_over:  # each try has patience anew
            try:
                list(running)
            except SpeechFaceError:
                assert time.monotonic() < deadline
        assert len(running.result(60).curves.landmarks) == 25


def test_status_of_a_mute_backend_is_an_error_in_time(backend, fake):
    fake.is_mute = True
    with pytest.raises(SpeechFaceError, match=r"not answered within 0\.3 s"):
        backend.status(timeout=0.3)
