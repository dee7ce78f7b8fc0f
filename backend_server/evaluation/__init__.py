"""Runs the networks on held-out clips and reports the figures, for the `evaluate` command.

`run` joins the experiments, each of which makes one section of the report; `page` writes it, `motion` and `faces` hold
the experiments.
"""
