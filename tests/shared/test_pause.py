import pytest

from shared import pause, protocol, wire


class Clock:
    def __init__(self):
        self.now = 50.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def uploads(clock):
    return pause.UploadPause(clock)


def sent(message):
    """A message as it arrives."""
    return wire.decode(wire.encode(message))


def test_a_pause_lasts_until_the_backend_ends_it(uploads):
    assert not uploads.is_on
    assert uploads.take(sent(pause.begin()))
    assert uploads.is_on
    assert uploads.take(sent(pause.end()))
    assert not uploads.is_on


def test_a_pause_ends_by_itself_unless_it_is_asked_for_again(uploads, clock):
    uploads.take(pause.begin())
    clock.now += 2.9
    assert uploads.is_on
    uploads.take(pause.begin())
    clock.now += 2.9
    assert uploads.is_on
    clock.now += 0.2
    assert not uploads.is_on


def test_a_pause_ends_with_the_connection(uploads):
    uploads.take(pause.begin())
    uploads.end()
    assert not uploads.is_on


@pytest.mark.parametrize(
    "message",
    [
        protocol.Pong(),
        protocol.Progress(stage="texture", step=0, steps=1),
        protocol.Progress(job="j1", stage=pause.STAGE, step=0, steps=1),
    ],
)
def test_other_messages_are_no_pause(uploads, message):
    assert not uploads.take(message)
    assert not uploads.is_on
