import dataclasses

import pytest

from shared import protocol
from shared.errors import ValueRangeError
from shared.motion_controls import RANGES, UNTOUCHED, MotionControls


def test_every_control_has_a_range_a_field_of_the_request_and_a_default_that_is_off():
    names = [field.name for field in dataclasses.fields(MotionControls)]
    assert names == list(RANGES)
    defaults = dict(
        zip(
            protocol.AnimateRequest.__struct_fields__[::-1],
            protocol.AnimateRequest.__struct_defaults__[::-1],
            strict=False,
        )
    )
    for name in names:
        assert RANGES[name].least <= getattr(UNTOUCHED, name) <= RANGES[name].most
        assert defaults[name] == getattr(UNTOUCHED, name)


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("beyond", [-0.001, 0.001, float("nan")])
def test_values_out_of_range_are_refused_with_their_name(name, beyond):
    edge = RANGES[name].least if beyond < 0 else RANGES[name].most
    assert getattr(MotionControls(**{name: edge}), name) == edge
    with pytest.raises(ValueRangeError, match=f"the {name.replace('_', ' ')} is"):
        MotionControls(**{name: edge + beyond})
