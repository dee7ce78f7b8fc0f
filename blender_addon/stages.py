"""Names for people what the backend and the add-on are doing. No bpy here."""

from __future__ import annotations

READING_PHOTOS = "reading photos"
READING_SOUND = "reading sound"
READING_POSES = "reading the poses"
LABELS = {  # stage, as the backend calls it
    "adapt": "Learning the face",
    "blink": "Adding blinks",
    "face": "Finding the face in the photos",
    "fine-tuning": "Learning the face",
    "listening": "Listening to the sound",
    "look": "Finding the face of the rig",
    "motion": "Moving mouth and jaw",
    READING_PHOTOS: "Reading photos",
    READING_POSES: "Reading the poses",
    READING_SOUND: "Reading sound",
    "smoothing": "Smoothing the motion",
    "speech": "Listening to the speech",
    "texture": "Drawing the pictures",
    "words": "Finding the words",
}


def label(stage: str) -> str:
    """What a stage is called in the panel, in English; one that has no name here, as it calls itself."""
    return LABELS.get(stage, stage[:1].upper() + stage[1:])
