import numpy as np

from backend_server.chaos.chunk_mutation import spoilt_chunks
from backend_server.chaos.messages import valid_message
from shared import wire
from shared.assembly import Assembler
from shared.errors import MessageError


def outcome(chunks):
    """What a fresh assembler says of the chunks: the end of its sentence, "whole" or "unfinished"."""
    assembler, whole = Assembler(), None
    try:
        for chunk in chunks:
            whole = assembler.take(chunk) or whole
        return "unfinished" if whole is None else type(wire.decode(whole)).__name__
    except MessageError as error:
        return error.sentence


def test_chunks_are_spoilt_in_every_way_and_some_are_left():
    random = np.random.default_rng(0)
    outcomes = [outcome(spoilt_chunks(wire.encode(valid_message(random)), random)) for _ in range(800)]
    for part in ("checksum", "was due", "its first chunks did not arrive", "cannot be read", "parts", "too large"):
        assert any(part in said for said in outcomes), part
    assert sum(said in ("Ping", "Hello", "AnimateRequest", "LandmarkCurves") for said in outcomes) > 10


def test_the_same_seed_gives_the_same_chunks():
    first, second = (
        spoilt_chunks(wire.encode(valid_message(np.random.default_rng(5))), np.random.default_rng(6)) for _ in range(2)
    )
    assert [len(chunk) for chunk in first] == [len(chunk) for chunk in second]
