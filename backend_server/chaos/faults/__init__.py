"""The faults, one kind or family a file. Each module lists its `FAULTS`."""
