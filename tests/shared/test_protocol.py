import numpy as np
import pytest

from shared import protocol, wire
from shared.errors import ErrorCode, MessageError
from shared.rig.mapping import Channel, RigMapping
from shared.rig.mapping_file import format_mapping

SPEECH = np.zeros(16_000, np.float32)
IMAGE = np.zeros((4, 4, 3), np.uint8)
TIMES = np.arange(25) / 25.0


def animate(**changes):
    values = {"sample_rate": 16_000, "speech": SPEECH, "frame_times": TIMES, **changes}
    return protocol.AnimateRequest(**values)


def adapt(**changes):
    return protocol.AdaptRequest(**{"images": (IMAGE,), **changes})


def render(**changes):
    landmarks = np.tile(np.linspace(20, 230, 136, dtype=np.float32).reshape(68, 2), (3, 1, 1))
    for place, value in changes.pop("places", {}).items():
        landmarks[place] = value
    return protocol.RenderRequest(**{"identity": "a" * 64, "landmarks": landmarks, **changes})


def stripe():
    return np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (1, 20_000_000, 3))


def huge_image():
    return np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (8193, 8193, 3))


def curves_of_a_rig(**values):
    return protocol.RigCurves(**{"names": ("aa", "oh"), "weights": np.zeros((2, 2), np.float32), **values})


def spoken(**values):
    times, sure = np.array([[0.0, 0.5], [0.5, 1.0]]), np.ones(2, np.float32)
    return protocol.SpokenWords(**{"words": ("hi", "Bob"), "word_times": times, "word_confidence": sure, **values})


def many_channels():
    channels = tuple(Channel(f"key {number}") for number in range(500))
    return format_mapping(RigMapping(name="many", channels=channels))


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (animate(sample_rate=0), "sample_rate = 0"),
        (animate(sample_rate=192_001), "sample_rate = 192001"),
        (animate(seed=-1), "seed = -1"),
        (animate(seed=2**32), "seed = 4294967296"),
        (animate(silence=1.01), "silence = 1.01"),
        (animate(intensity=3.5), "intensity = 3.5"),
        (animate(smoothing=-0.01), "smoothing = -0.01"),
        (animate(lead=-0.3), "lead = -0.3"),
        (animate(blink_gain=-0.1), "blink_gain = -0.1"),
        (animate(blink_gain=float("nan")), "blink_gain = None"),
        (animate(blink_frequency=0.0), "blink_frequency = 0.0"),
        (animate(blink_duration=5.0), "blink_duration = 5.0"),
        (animate(identity="../../etc/passwd"), "identity = '../../etc/passwd'"),
        (animate(wants_blink=1), "wants_blink = 1"),
        (animate(speech=SPEECH[:0]), r"speech must be of shape \(S=0\), got \(0,\)"),
        (animate(speech=SPEECH.astype(np.float64)), "speech must be of dtype <f4, got <f8"),
        (animate(speech=np.full(4, np.nan, np.float32)), "not finite"),
        (animate(frame_times=TIMES[::-1]), "ascend"),
        (animate(frame_times=np.array([np.inf])), "must lie within"),
        (animate(identity="a" * 64, references=(IMAGE,)), "not both"),
        (animate(size=300), "size is 300; choose one of 256, 512, 1024"),
        (animate(size=-256), "size = -256"),
        (render(size=2048), "size is 2048; choose one of 256, 512, 1024"),
        (animate(rig="oculos"), "no rig 'oculos'; did you mean \"oculus\""),
        (animate(rig="../presets/arkit"), "no rig '../presets/arkit'"),
        (animate(rig="/etc/passwd.json"), "no rig '/etc/passwd.json'"),  # a name, never a path
        (animate(rig='{"format": "speech_face.rig", "version": 9}'), "the version is 9 and this release reads 1"),
        (animate(wants_speech=True, transcript="a" * 100_001), "transcript = 'aaa"),
        (animate(transcript="hi"), "of use only with wants_speech"),
        (spoken(words=("hi",)), "2 times and 2 confidences for 1 words"),
        (spoken(word_confidence=None), "2 times and 0 confidences for 2 words"),
        (spoken(phones=("AA",)), "0 times and 0 confidences for 1 phones"),
        (spoken(word_times=np.array([[0.0, 0.5], [0.5, np.nan]])), "times of the words are not finite"),
        (spoken(word_times=np.array([[0.0, 0.5], [0.5, 0.4]])), "end before they begin"),
        (render(identity=""), "pictures need a face that was learnt"),
        (render(landmarks=np.zeros((3, 66, 2), np.float32)), r"\(T=3, 68, 2\), got \(3, 66, 2\)"),
        (render(places={(1, 62, 0): np.nan}), r"landmark 62 \(inner_lips_02\) of frame 1 has no place"),
        (render(places={(2, 8, 1): np.inf}), r"landmark 8 \(jaw_08\) of frame 2 has no place"),
        (render(places={(2, 8): (4000, 90)}), r"landmark 8 \(jaw_08\) of frame 2 lies at \(4000, 90\), far outside"),
        (render(places={1: 7.0}), "the landmarks of frame 1 lie on one line or point"),
        (curves_of_a_rig(names=("aa",)), "1 names for 2 channels"),
        (adapt(epochs=201), "epochs = 201"),
        (adapt(images=()), "send at least one"),
        (adapt(files=(IMAGE,)), r"file_0 must be of shape \(N\), got \(4, 4, 3\)"),
        (adapt(files=(IMAGE.ravel(),), names=("a",)), "1 names for 2 images"),
        (adapt(images=(IMAGE[..., 0],)), r"image_0 must be of shape \(H, W, 3 or 4\), got \(4, 4\)"),
        (adapt(landmarks=np.zeros((2, 68, 2), np.float32)), "landmarks of 2 images for 1"),
        (adapt(landmarks=np.zeros((1, 66, 2), np.float32)), r"\(K=1, 68, 2\), got \(1, 66, 2\)"),
        (adapt(landmarks=np.full((1, 68, 2), np.inf, np.float32)), "finite, or NaN"),
        (adapt(chosen=np.zeros((2, 2), np.float32)), "chosen faces of 2 images for 1"),
        (adapt(chosen=np.array([[np.nan, 3]], np.float32)), "must be finite, or NaN where none"),
        (protocol.FindPhotoLandmarks(), "send at least one"),
        (protocol.Cancel(job="a b"), "job = 'a b'"),
        (protocol.Progress(stage="s", step=-1, steps=1), "step = -1"),
        (protocol.Failed(code="no_such_code", sentence=""), "code = 'no_such_code'"),
    ],
)
def test_values_out_of_range_are_refused_with_their_name(message, sentence):
    with pytest.raises(MessageError, match=sentence):
        wire.encode(message)


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (animate(speech=np.broadcast_to(np.float32(0), (8000 * 3602,)), sample_rate=8000), "sound of 3602 s"),
        (animate(frame_times=np.arange(432_001) / 250.0), "432001 frames"),
        (animate(frame_times=np.arange(431_000) / 120.0, rig=many_channels()), "500 channels of a rig over 431000"),
        (adapt(images=(IMAGE,) * 21), "21 images are too many"),
        (adapt(images=(IMAGE,) * 11, files=(IMAGE.ravel(),) * 10), "21 images are too many"),
        (adapt(images=(huge_image(),)), "8193 x 8193 pixels"),
        (adapt(images=(stripe(),)), "20000000 x 1 pixels; send at most 32768 pixels along a side"),
    ],
)
def test_more_than_the_limits_is_refused(message, sentence):
    with pytest.raises(MessageError, match=sentence) as caught:
        message.check()
        wire.encode(message)
    assert caught.value.code is ErrorCode.TOO_LARGE


def test_the_longest_sound_its_motion_and_twenty_photos_fit_into_messages():
    assert protocol.MAX_STRIP_SECONDS * 48_000 * SPEECH.itemsize < protocol.MAX_PART_BYTES
    assert protocol.MAX_IMAGE_COUNT * 48 * 2**20 * 3 < protocol.MAX_MESSAGE_BYTES
    curves = protocol.MAX_FRAME_COUNT * 68 * 2 * 4  # bytes of one of the two buffers
    assert curves < protocol.MAX_PART_BYTES
    assert 2 * curves + protocol.MAX_FRAME_COUNT * 8 < protocol.MAX_MESSAGE_BYTES


def test_messages_are_frozen_and_have_their_own_id():
    ping = protocol.Ping()
    with pytest.raises(AttributeError):
        ping.job = "x"
    assert len({protocol.new_id() for _ in range(100)}) == 100
    assert ping.id != protocol.Ping().id


def test_the_last_message_of_a_job(messages):
    assert {name for name, m in messages.items() if protocol.is_last(m)} == {"Done", "Failed", "Cancelled"}
    assert set(messages) == set(protocol.MESSAGE_TYPES)
