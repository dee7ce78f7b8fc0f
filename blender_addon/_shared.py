"""Imports `shared`, which lies beside the add-on or inside it.

In the repository it is a package beside the add-on. An installed extension may not add a top-level module, so inside
the zip it is a sub-package. Every other module of the add-on imports it from here.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING or __package__ == "blender_addon":
    from shared import (
        arkit,
        assembly,
        backend_keeper,
        backend_process,
        channels,
        chunks,
        endpoint,
        environments,
        errors,
        face_messages,
        files_of_others,
        following,
        head,
        landmarks,
        line,
        motion_controls,
        notes,
        pause,
        protocol,
        timing,
        wire,
    )
    from shared.rig import conversion, detection, head_file, mapping_file, presets
    from shared.rig import mapping as rig_mapping
else:
    from .shared import (
        arkit,
        assembly,
        backend_keeper,
        backend_process,
        channels,
        chunks,
        endpoint,
        environments,
        errors,
        face_messages,
        files_of_others,
        following,
        head,
        landmarks,
        line,
        motion_controls,
        notes,
        pause,
        protocol,
        timing,
        wire,
    )
    from .shared.rig import conversion, detection, head_file, mapping_file, presets
    from .shared.rig import mapping as rig_mapping

__all__ = [
    "arkit",
    "assembly",
    "backend_keeper",
    "backend_process",
    "channels",
    "chunks",
    "conversion",
    "detection",
    "endpoint",
    "environments",
    "errors",
    "face_messages",
    "files_of_others",
    "following",
    "head",
    "head_file",
    "landmarks",
    "line",
    "mapping_file",
    "motion_controls",
    "notes",
    "pause",
    "presets",
    "protocol",
    "rig_mapping",
    "timing",
    "wire",
]
