"""Somebody who speaks to an audience: larger motion."""

import bpy

kept = bpy.context.scene.speech_face
character = kept.characters[kept.active_character]

character.silence = 0.3
character.intensity = 1.25
character.smoothing = 0.0
character.lead = 0.0
character.blink_frequency = 1.0
character.blink_duration = 1.0
character.jaw = 1.0
character.lips = 1.1
character.brows = 1.4
character.eyes = 1.0
character.liveliness = 0.8
character.use_blink = True
