"""The weights of ARKit's 52 shapes, and landmarks, on the rigs that characters have.

Imports `shared` and numerical libraries alone.
"""
