"""Turns motion into the channels of any rig."""
