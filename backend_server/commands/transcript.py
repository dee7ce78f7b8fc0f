"""Reads the transcript of a sound from the command line: the text itself, or the name of a file that holds it."""

from __future__ import annotations

import os
from pathlib import Path

from shared.errors import ValueRangeError


def read_transcript(given: str) -> str:
    """The text of a transcript.

    Args:
        given: the text, or the path of a text file; what ends in .txt is always a path.

    Raises:
        ValueRangeError: the file cannot be read, or it holds no words.
    """
    is_file = given.lower().endswith(".txt") or os.path.isfile(given)  # noqa: PTH113 (Path fails on names too long)
    try:
        text = Path(given).read_text("utf-8-sig") if is_file else given
    except FileNotFoundError as error:
        raise ValueRangeError(
            f"there is no transcript {given!r}; correct the path, or write the text itself"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ValueRangeError(f"the transcript {given!r} cannot be read as UTF-8 text: {error}") from error
    if not any(map(str.isalnum, text)):
        raise ValueRangeError(f"the transcript {given!r:.80} holds no words; write what is said")
    return text
