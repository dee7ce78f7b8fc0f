"""Moves head and brows as people do who talk (beyond the paper): from the sound's stress and melody, and by chance."""
