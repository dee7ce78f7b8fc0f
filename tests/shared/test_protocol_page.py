import re
from pathlib import Path

import pytest

from shared import protocol, wire
from shared.errors import ErrorCode

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
ENVELOPE = {"id", "parent", "job", "sequence"}


@pytest.mark.parametrize("name", sorted(protocol.MESSAGE_TYPES))
def test_the_page_describes_every_field_and_buffer(name):
    section = re.split(r"\n##+ ", PAGE.split(f"\n### {name}\n")[1])[0]
    kind = protocol.MESSAGE_TYPES[name]
    for field in set(kind.__struct_fields__) - ENVELOPE:
        assert f"`{field}`" in section, field
    for buffer in kind.BUFFERS:
        (line,) = [
            line
            for line in section.splitlines()
            if line.startswith("| buffer") and f"`{buffer.field}`" in line.split(" | ")[0]
        ]
        assert buffer.dtype.replace("|", r"\|") in line
        shape = ", ".join(buffer.size_words)
        assert f"({shape}" in line
        assert ("optional" in line) == buffer.is_optional


def test_the_page_names_every_error_and_the_versions():
    for code in ErrorCode:
        assert f"`{code}`" in PAGE
    assert f"Protocol version **{protocol.PROTOCOL_VERSION}**, wire version **{wire.WIRE_VERSION}**" in PAGE
    for limit in protocol.Limits.__struct_fields__:
        assert f"`{limit}`" in PAGE
