"""Animates many lines of speech, each into a folder of its own, on one machine or many."""
