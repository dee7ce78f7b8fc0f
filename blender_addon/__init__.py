"""Speech Face in Blender: a sound strip and photos become moving characters, landmark curves and a talking picture.

May import bpy, aud, mathutils, numpy and `_shared`; zmq only in `client.py`. Never torch, never `backend_server`.
"""

from . import (
    cast_operators,
    editing_operators,
    landmark_drag,
    landmark_operators,
    landmark_overlay,
    landmark_panel,
    learnt_face_operators,
    learnt_faces,
    operators,
    panels,
    photo_drag,
    photo_operators,
    photo_overlay,
    photo_panel,
    picture_places,
    preferences,
    preview_operators,
    properties,
    rig_operators,
    session,
    setting_up,
    setup_operators,
    shape_presets,
    view_colours,
    words,
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
