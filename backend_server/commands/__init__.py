"""Runs the commands, one per file: they read files, use the cascade, and write files. Only `__main__` imports them."""
