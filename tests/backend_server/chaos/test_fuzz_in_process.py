import pytest

from backend_server.chaos import fuzz_in_process as module
from backend_server.chaos.fuzz_in_process import fuzz_in_process
from backend_server.service.intake import Arrival
from shared import wire
from shared.errors import Cancelled, MessageError


def test_messages_are_taken_or_refused_and_progress_is_told():
    steps = []
    counts = fuzz_in_process(250, 5, lambda *step: steps.append(step))
    numbers = counts.numbers
    assert numbers["injections"] == 250
    assert numbers["completed"] > 10
    assert numbers["failed with a reason"] > 100
    assert numbers["LOST"] == 0
    assert steps[0] == ("fuzz", 0, 250)
    assert steps[-1] == ("fuzz", 250, 250)


def test_a_desk_that_falls_is_found(monkeypatch):
    def careless(parts, version):
        try:
            return Arrival(wire.decode(parts), parts)
        except MessageError:
            raise RuntimeError("what nobody thought of") from None

    monkeypatch.setattr(module, "read", careless)
    counts = fuzz_in_process(60, 0)
    assert counts.numbers["SERVER DEAD"] > 20
    assert "RuntimeError" in counts.examples["SERVER DEAD"][0]


def test_it_can_be_cancelled():
    def cancel(stage, step, steps):
        if step:
            raise Cancelled

    with pytest.raises(Cancelled):
        fuzz_in_process(1000, 0, cancel)
