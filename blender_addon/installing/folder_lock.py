"""Keeps two programs from installing into one folder at the same time. No bpy."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

from .._shared import errors


class FolderLock:
    """A lock that ends with its program, and with the child processes that were given its descriptor.

    Args:
        path: the lock's file, made if missing; it stays.

    Raises:
        SpeechFaceError: another program holds it, or the file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.descriptor = -1
        try:
            self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            if os.name == "nt":
                system = importlib.import_module("msvcrt")
                system.locking(self.descriptor, system.LK_NBLCK, 1)
            else:
                system = importlib.import_module("fcntl")
                system.flock(self.descriptor, system.LOCK_EX | system.LOCK_NB)
        except OSError as error:
            is_held = self.descriptor >= 0
            self.release()
            raise errors.SpeechFaceError(
                f"another Blender is installing into {str(path.parent)!r}; wait until it has ended"
                if is_held
                else f"{str(path.parent)!r} cannot be written ({error.strerror}); choose another Install Folder"
            ) from error

    def release(self) -> None:
        """Lets others take it."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
