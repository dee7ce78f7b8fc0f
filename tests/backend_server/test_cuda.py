"""The same cascade on a GPU: same landmarks, same pictures up to rounding."""

import numpy as np
import pytest
import soundfile
import torch

from backend_server.cascade import Cascade
from backend_server.commands.animate import SAMPLE_SPEECH
from backend_server.face.images import read_image
from backend_server.identities.pictures import portrait_path

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine"),
]

TIMES = np.arange(50) / 25


@pytest.fixture(scope="module")
def cascades():
    return Cascade.load("cpu"), Cascade.load("cuda")


def test_landmarks_are_those_of_the_cpu(cascades):
    speech = soundfile.read(SAMPLE_SPEECH, dtype="float32")[0]
    on_cpu, on_cuda = (cascade.animate(speech, 16_000, TIMES, seed=3).landmarks for cascade in cascades)
    np.testing.assert_allclose(on_cuda, on_cpu, atol=0.05)


@pytest.mark.slow
def test_pictures_are_those_of_the_cpu_and_adapting_works(cascades):
    images = [read_image(portrait_path())]
    frames = []
    for cascade in cascades:
        identity = cascade.adapt(images, epochs=0)
        landmarks = np.repeat(identity.references.neutral_landmarks[None], 3, axis=0)
        frames.append(np.concatenate(list(cascade.render(identity, landmarks))).astype(int))
    assert np.abs(frames[0] - frames[1]).mean() < 1
    assert len(cascades[1].adapt(images, epochs=1).record.losses) >= 1


def test_a_face_that_a_gpu_renders_is_made_larger_too(cascades):
    large = []
    for cascade in cascades:
        identity = cascade.adapt([read_image(portrait_path())], epochs=0)
        landmarks = identity.references.landmarks[:1]
        frame = next(cascade.render(identity, landmarks))[0]
        large.append(cascade.face_at_size(identity, 512).place(frame, landmarks[0]).astype(int))
    assert large[0].shape == (512, 512, 4)
    assert np.abs(large[0] - large[1]).mean() < 1
