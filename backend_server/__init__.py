"""Turns speech into landmark motion and a textured face: the PyTorch half of Speech Face.

Imports `shared` and its libraries; never `bpy` nor `blender_addon`.
"""
