"""What both sides of the wire agree on: landmarks, time, messages, errors.

May be imported by the add-on (through `blender_addon._shared`) and by the backend. Imports only the
standard library, numpy and msgspec, and only relatively, because it travels inside the extension zip.
"""
