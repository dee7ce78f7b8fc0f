"""Experiments on rendered faces; each module with a `run` makes one section of the report."""
