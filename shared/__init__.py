"""Holds what the add-on and the backend share: landmarks, time, messages, errors.

The add-on (through `blender_addon._shared`) and the backend import it. It imports only the standard library, numpy
and msgspec, and itself only relatively, because it is part of the extension zip.
"""
