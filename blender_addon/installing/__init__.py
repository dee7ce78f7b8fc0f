"""The backend: found, installed, checked and removed from Blender."""
