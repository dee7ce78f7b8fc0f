"""Writes results as files for other programs. Pure functions of arrays; knows no network and no service."""
