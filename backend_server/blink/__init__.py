"""G_B: noise to blinks on the canonical face (Sections 3.2 and 4.2).

Imported by the cascade and the training commands; imports no other stage.
"""
