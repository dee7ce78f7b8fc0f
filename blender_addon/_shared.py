"""Imports `shared`, which lies beside the add-on or inside it.

In the repository it is a package beside the add-on. An installed extension may not add a top-level module, so inside
the zip it is a sub-package. Every other module of the add-on imports it from here.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING or __package__ == "blender_addon":
    from shared import (
        assembly,
        backend_keeper,
        backend_process,
        channels,
        chunks,
        endpoint,
        errors,
        following,
        landmarks,
        line,
        motion_controls,
        notes,
        pause,
        protocol,
        timing,
        wire,
    )
else:
    from .shared import (
        assembly,
        backend_keeper,
        backend_process,
        channels,
        chunks,
        endpoint,
        errors,
        following,
        landmarks,
        line,
        motion_controls,
        notes,
        pause,
        protocol,
        timing,
        wire,
    )

__all__ = [
    "assembly",
    "backend_keeper",
    "backend_process",
    "channels",
    "chunks",
    "endpoint",
    "errors",
    "following",
    "landmarks",
    "line",
    "motion_controls",
    "notes",
    "pause",
    "protocol",
    "timing",
    "wire",
]
