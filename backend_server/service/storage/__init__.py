"""Keeps jobs and their results on disk, and reads and writes them beside the loop."""
