"""Speech Face in Blender: sound strip and photos in, landmark curves and a talking picture out.

May import bpy, aud, mathutils, numpy and `_shared`; zmq only in `client.py`. Never torch, never `backend_server`.
"""

from . import operators, panels, preferences, properties, session

_MODULES = (preferences, properties, session, operators, panels)


def register() -> None:
    """Makes the add-on known to Blender; raises when it cannot."""
    for module in _MODULES:
        module.register()


def unregister() -> None:
    """Takes the add-on out of Blender and ends its backend."""
    for module in reversed(_MODULES):
        module.unregister()
