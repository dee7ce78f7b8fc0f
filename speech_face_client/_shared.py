"""Imports `shared`, which lies beside the library or inside it.

In the repository, and where the backend is installed, it is a package beside the library. A wheel of the library alone
carries it as a sub-package, because a top-level module called `shared` would be in other programs' way.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING or not (Path(__file__).parent / "shared").is_dir():
    from shared import (
        arkit,
        backend_keeper,
        backend_process,
        channels,
        endpoint,
        errors,
        face_messages,
        following,
        health,
        job_list,
        line,
        motion_controls,
        notes,
        protocol,
        timing,
        wire,
    )
    from shared.rig import mapping, mapping_file
else:
    from .shared import (
        arkit,
        backend_keeper,
        backend_process,
        channels,
        endpoint,
        errors,
        face_messages,
        following,
        health,
        job_list,
        line,
        motion_controls,
        notes,
        protocol,
        timing,
        wire,
    )
    from .shared.rig import mapping, mapping_file

__all__ = [
    "arkit",
    "backend_keeper",
    "backend_process",
    "channels",
    "endpoint",
    "errors",
    "face_messages",
    "following",
    "health",
    "job_list",
    "line",
    "mapping",
    "mapping_file",
    "motion_controls",
    "notes",
    "protocol",
    "timing",
    "wire",
]
