"""Runs the shipped cascade on held-out clips and reports what the metrics say, for the `evaluate` command."""
