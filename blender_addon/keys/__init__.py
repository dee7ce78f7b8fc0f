"""How motion becomes keys, what becomes of an artist's, and how keys are changed and taken away afterwards."""
