"""Says what a pose of the head is, and how deep the landmarks lie in it."""

from __future__ import annotations

# Turned to the person's right and down, tilted to the person's left shoulder: radians. Moved right and down in the
# picture: distances of the eyes. Nearer: the logarithm of the size.
POSE = ("yaw", "pitch", "roll", "right", "down", "nearer")

# How far behind the mean each landmark lies, in distances of the eyes: means over forty frames of twenty people, as
# MediaPipe's mesh has them, both sides alike.
DEPTHS = (
    0.83, 0.91, 0.90, 0.84, 0.72, 0.48, 0.30, 0.11, 0.05,
    0.11, 0.30, 0.48, 0.72, 0.84, 0.90, 0.91, 0.83,
    0.04, -0.09, -0.20, -0.29, -0.34, -0.34, -0.29, -0.20, -0.09, 0.04,
    -0.31, -0.45, -0.58, -0.66, -0.25, -0.35, -0.37, -0.35, -0.25,
    0.04, -0.07, -0.10, -0.04, -0.08, -0.05, -0.04, -0.10, -0.07, 0.04, -0.05, -0.08,
    -0.04, -0.29, -0.35, -0.37, -0.35, -0.29, -0.04, -0.19, -0.23, -0.23, -0.23, -0.19,
    -0.07, -0.22, -0.27, -0.22, -0.07, -0.19, -0.24, -0.19,
)  # fmt: skip
