"""Speech Face in Blender: a sound strip and photos become moving characters, landmark curves and a talking picture.

May import bpy, aud, mathutils, numpy and `_shared`; zmq only in `client.py`. Never torch, never `backend_server`.
"""

from . import operators, panels, preferences, properties, rig_operators, session, setting_up, setup_operators

_MODULES = (preferences, properties, session, setting_up, operators, setup_operators, rig_operators, panels)


def register() -> None:
    """Registers the add-on; raises when Blender refuses it."""
    for module in _MODULES:
        module.register()


def unregister() -> None:
    """Removes the add-on from Blender and ends its backend."""
    for module in reversed(_MODULES):
        module.unregister()
