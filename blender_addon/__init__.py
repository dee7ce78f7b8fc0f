"""Speech Face in Blender: a sound strip and photos become moving characters, landmark curves and a talking picture.

May import bpy, aud, mathutils, numpy and `_shared`; zmq only in `client.py`. Never torch, never `backend_server`.
"""

from . import operators, panels, preferences, properties, session, shape_presets, words
from .installing import setting_up, setup_operators
from .keys import editing_operators
from .pictures import picture_places, view_colours
from .rigs import landmark_drag, landmark_operators, landmark_overlay, landmark_panel, preview_operators, rig_operators
from .speakers import (
    cast_operators,
    learnt_face_operators,
    learnt_faces,
    photo_drag,
    photo_operators,
    photo_overlay,
    photo_panel,
)

_MODULES = (
    preferences,
    properties,
    session,
    setting_up,
    operators,
    setup_operators,
    cast_operators,
    editing_operators,
    rig_operators,
    preview_operators,
    landmark_operators,
    landmark_drag,
    landmark_overlay,
    landmark_panel,
    photo_operators,
    photo_drag,
    photo_overlay,
    photo_panel,
    learnt_faces,
    learnt_face_operators,
    picture_places,
    view_colours,
    shape_presets,
    panels,
    words,
)


def register() -> None:
    """Registers the add-on; raises when Blender refuses it."""
    for module in _MODULES:
        module.register()


def unregister() -> None:
    """Removes the add-on from Blender and ends its backend."""
    for module in reversed(_MODULES):
        module.unregister()
