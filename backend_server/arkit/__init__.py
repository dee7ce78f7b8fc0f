"""Canonical motion to the 52 blend shapes of ARKit.

Imported by the cascade and the training commands; imports no other stage.
"""
