"""Experiments on motion, blinks and hearing; each module with a `run` makes one section of the report."""
