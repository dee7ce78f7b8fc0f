"""Says what one generation is made from and how, for `job`. No bpy here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ._shared import motion_controls, protocol
from .speakers.face_choice import FROM_PICTURES, FaceChoice


@dataclass(frozen=True)
class JobRequest:
    """The inputs and settings of one generation.

    Attributes:
        speech: samples f32 (S,), mono, beyond [-1, 1] where the sound is. Empty: only landmarks of `mesh` are found.
        sample_rate: Hz.
        frame_times: f64 (T,) seconds within `speech`.
        images: u8 (H, W, 3 or 4) each, of one face.
        files: u8 (N,) each, the bytes of image files of the same face; 1 to 20 in all, or none for the mean face.
        names: of the images, then of the files, for sentences.
        epochs: of fine-tuning.
        seed: of blinks and head; the face is learnt with the same seed always, so that it is found again.
        wants_blink: whether the eyes blink.
        wants_texture: whether pictures are rendered.
        size: of the pictures, pixels a side, one of `protocol.FACE_SIZES`.
        controls: how the motion is shaped.
        rig: the mapping of a character in JSON, or empty.
        mesh: vertices f32 (V, 3) and triangles i32 (F, 3) of a character whose names say nothing; its landmarks are
            found first, and `on_landmarks` tells the rig.
        face: what the channels of `rig` do to the face, where its landmarks are known already.
        landmarks: f32 (T, 68, 2) pixels of the crop, if only pictures of these are wanted.
        choice: which face is meant, beside the pictures.
        wants_speech: whether words and phones are told.
        transcript: what is said in `speech`; empty: only phones are told.
        looks_at_photos: whether only the faces in the pictures are looked for.
    """

    speech: NDArray[np.float32]
    sample_rate: int
    frame_times: NDArray[np.float64]
    images: tuple[NDArray[np.uint8], ...] = ()
    files: tuple[NDArray[np.uint8], ...] = ()
    names: tuple[str, ...] = ()
    epochs: int = 10
    seed: int = 0
    wants_blink: bool = True
    wants_texture: bool = True
    size: int = protocol.FACE_SIZES[0]
    controls: motion_controls.MotionControls = motion_controls.UNTOUCHED
    rig: str = ""
    mesh: tuple[NDArray[np.float32], NDArray[np.int32]] | None = None
    face: protocol.RigFace | None = None
    landmarks: NDArray[np.float32] | None = None
    choice: FaceChoice = FROM_PICTURES
    looks_at_photos: bool = False
    wants_speech: bool = False
    transcript: str = ""
