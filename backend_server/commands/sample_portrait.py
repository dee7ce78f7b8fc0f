"""Which picture is animated when the user gives none?"""

from __future__ import annotations

from pathlib import Path

import skimage.data


def portrait_path() -> Path:
    """The file of scikit-image's astronaut: Eileen Collins, NASA, public domain, 512 x 512."""
    return Path(skimage.data.__file__).with_name("astronaut.png")
