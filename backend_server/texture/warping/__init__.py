"""Moves reference pictures: where each pixel comes from, from which picture, and how several become one."""
