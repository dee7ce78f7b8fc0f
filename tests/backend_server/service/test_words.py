"""Words and phones come over the wire where they are wanted, and again after a restart of the service."""

import numpy as np

from shared import protocol
from shared.speech_messages import Said

PAUSE_IN_TEXTURE = 8
FACE = (np.zeros((4, 4, 3), np.uint8),)
HELLO = [Said("Hello,", 0.0, 0.25, 0.5), Said("world!", 0.5, 0.75, 0.5)]


def kinds(messages):
    return [type(message).__name__ for message in messages if message.sequence]


def test_words_come_after_the_curves(service, animate):
    client = service.client()
    request = animate(rig="oculus", wants_speech=True, transcript="Hello, world!", references=FACE)
    got = client.finish(client.send(request).job)
    assert kinds(got) == ["LandmarkCurves", "RigCurves", "SpokenWords", "TextureFrames", "Done"]
    spoken = next(message for message in got if isinstance(message, protocol.SpokenWords))
    assert spoken.said_words == HELLO
    assert [phone.text for phone in spoken.said_phones] == ["AA"]
    assert kinds(client.finish(client.send(animate()).job)) == ["LandmarkCurves", "Done"]


def test_words_are_kept_and_sent_again_after_a_restart(new_service, animate):
    service = new_service()
    client = service.client()
    wish = {"wants_speech": True, "transcript": "Hello, world!"}
    request = client.send(animate(frames=70, seed=PAUSE_IN_TEXTURE, references=FACE, **wish))
    received = max(message.sequence for message in client.until(protocol.TextureFrames, job=request.job))
    assert received == 3
    service.kill()
    service.go()
    service.start()
    again = service.client()
    again.send(protocol.Attach(job=request.job))
    got = again.finish(request.job)
    assert [message.sequence for message in got if message.sequence] == list(range(1, 9))
    assert [message.said_words for message in got if isinstance(message, protocol.SpokenWords)] == [HELLO]
    frames = np.concatenate([m.frames for m in got if isinstance(m, protocol.TextureFrames)])[:, 0, 0, 0]
    assert frames.tolist() == list(range(70))
