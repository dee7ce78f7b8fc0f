# pyright: reportInvalidTypeForm=false
"""Stores in each scene where the characters have their 68 landmarks, as they were found and as artists corrected them.

Every character that was looked at keeps its own; `face_landmarks` reads and writes them.
"""

from __future__ import annotations

import bpy
from bpy.props import CollectionProperty, FloatProperty, FloatVectorProperty, IntProperty, PointerProperty


class SPEECHFACE_Landmark(bpy.types.PropertyGroup):
    """One landmark. `name` is what people call it: "left mouth corner"."""

    object: PointerProperty(name="Mesh", description="The mesh on which it lies", type=bpy.types.Object)
    vertex: IntProperty(name="Vertex", description="The vertex at which it lies", min=0)
    found_object: PointerProperty(description="The mesh on which it was found", type=bpy.types.Object)
    found_vertex: IntProperty(description="The vertex at which it was found", min=0)
    found_place: FloatVectorProperty(description="Where in the world that vertex was then", size=3)
    confidence: FloatProperty(description="How sure the finding was", min=0, max=1)


class SPEECHFACE_FaceMesh(bpy.types.PropertyGroup):
    """A mesh on which landmarks lie."""

    object: PointerProperty(type=bpy.types.Object)
    vertex_count: IntProperty(description="How many vertices it had when landmarks were put on it")


class SPEECHFACE_Face(bpy.types.PropertyGroup):
    """The landmarks of one character."""

    character: PointerProperty(description="The object that was picked as the character", type=bpy.types.Object)
    landmarks: CollectionProperty(type=SPEECHFACE_Landmark)
    meshes: CollectionProperty(type=SPEECHFACE_FaceMesh)
    projection: FloatVectorProperty(
        description="Rows (2, 3) that make displacements in the world those of a picture from the front", size=6
    )
    active_landmark: IntProperty(name="Active Landmark", min=0)


CLASSES = (SPEECHFACE_Landmark, SPEECHFACE_FaceMesh, SPEECHFACE_Face)
