"""Large, clear mouths that lead the sound by a frame or two."""

import bpy

kept = bpy.context.scene.speech_face
character = kept.characters[kept.active_character]

character.silence = 0.8
character.intensity = 1.5
character.smoothing = 0.0
character.lead = 0.05
character.blink_frequency = 1.0
character.blink_duration = 1.0
character.jaw = 1.2
character.lips = 1.3
character.brows = 1.6
character.eyes = 1.1
character.liveliness = 1.2
character.use_blink = True
