"""The headless commands, one a file: files in, files out, around the cascade. Only `__main__` imports these."""
