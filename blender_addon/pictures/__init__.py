"""Rendered faces: their files, the plane that shows them, and how they are seen."""
