"""Somebody who speaks quietly: smaller motion, rest in pauses, fewer blinks."""

import bpy

kept = bpy.context.scene.speech_face
character = kept.characters[kept.active_character]

character.silence = 0.6
character.intensity = 0.8
character.smoothing = 0.04
character.lead = 0.0
character.blink_frequency = 0.7
character.blink_duration = 1.0
character.jaw = 1.0
character.lips = 1.0
character.brows = 1.0
character.eyes = 1.0
character.liveliness = 0.15
character.use_blink = True
