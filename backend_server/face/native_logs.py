"""Hides the log notes of MediaPipe's C++ side, but not its errors.

The libraries write to file descriptor 2 before their logging can be configured. While the filter is open, the
descriptor points at a file; at the end all but the known notes and warnings is passed on.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_CHATTER = re.compile(
    rb"^(?:[IW]\d{4} .*|WARNING: (?:All log messages before absl::InitializeLog|Logging before InitGoogle).*"
    rb"|INFO: (?:Created TensorFlow Lite|\[).*)$"
)


@contextmanager
def filtered_native_logs() -> Iterator[None]:
    """Drops notes and warnings of MediaPipe, absl and LiteRT from stderr; passes all else on at the end."""
    try:
        kept = os.dup(2)
    except OSError:  # no stderr at all, as under pythonw: nothing to filter
        yield
        return
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            caught.seek(0)
            for line in caught:
                if not _CHATTER.match(line.rstrip(b"\r\n")):
                    os.write(2, line)
