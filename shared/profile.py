"""Warns of secrets in places that other users of a Windows machine may read.

File modes have no effect there: what keeps other users out is the folder of the user's profile. On other systems the
modes of files and folders are checked instead.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

LOG = logging.getLogger(__name__)

_warned: set[Path] = set()


def warn_outside_profile(folder: Path) -> None:
    """Logs a warning, once, when a folder on Windows lies outside the user's profile.

    Args:
        folder: that holds or will hold something secret; it may be missing.
    """
    if sys.platform != "win32":
        return
    named = (os.environ.get("LOCALAPPDATA"), os.environ.get("APPDATA"))  # an administrator may have moved them
    own = [place.resolve() for place in (Path.home(), *(Path(name) for name in named if name))]
    place = folder.resolve()
    if any(place.is_relative_to(home) for home in own) or _warned.intersection((place, *place.parents)):
        return
    _warned.add(place)
    LOG.warning(
        "the folder %s is outside your profile %s, so other users of this machine may read the keys, sounds and faces "
        "in it; choose a place in your profile, or close the folder to them in its properties",
        folder,
        own[0],
    )
