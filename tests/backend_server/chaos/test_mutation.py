import numpy as np

from backend_server.chaos.messages import types_without_maker, valid_message
from backend_server.chaos.mutation import LONG_TEXT, mutate
from shared import wire
from shared.errors import MessageError
from shared.protocol import MESSAGE_TYPES


def mutants(seed, count):
    random = np.random.default_rng(seed)
    return [mutate(wire.encode(valid_message(random)), random) for _ in range(count)]


def test_every_type_of_message_is_made_and_is_valid():
    assert types_without_maker() == set()
    random = np.random.default_rng(0)
    seen = {type(wire.decode(wire.encode(valid_message(random)))).__name__ for _ in range(500)}
    assert seen == set(MESSAGE_TYPES)


def test_the_same_seed_gives_the_same_bytes():
    assert [m.how for m in mutants(3, 50)] == [m.how for m in mutants(3, 50)]
    assert mutants(3, 50) != mutants(4, 50)


def test_all_kinds_of_change_reach_the_types_behind_the_checksums():
    reached = {}
    for mutant in mutants(1, 3000):
        try:
            wire.decode(mutant.parts)
        except MessageError as error:
            reached.setdefault(mutant.how, set()).add("checksum" in error.sentence)
        else:
            reached.setdefault(mutant.how, set()).add(None)
    behind = {"header field", "content field", "text", "buffer entry", "buffer values", "depth", "no JSON"}
    assert behind <= set(reached)
    assert all(False in reached[how] for how in behind)
    assert reached["untouched"] == {None}
    assert True in reached["bytes"]


def test_long_texts_are_put_into_every_text_field():
    sizes = {}
    for mutant in mutants(2, 5000):
        sizes[mutant.field] = max(sizes.get(mutant.field, 0), sum(len(part) for part in mutant.parts[:3]))
    for field in ("dtype", "client", "sentence", "backend", "stage", "job", "type", "version"):
        assert sizes[field] > LONG_TEXT, field
