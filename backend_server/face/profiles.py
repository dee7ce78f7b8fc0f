"""Follows colour profiles: brings a decoded picture to sRGB, which networks, films and Blender expect.

A phone's photo holds Display P3, a camera's Adobe RGB, one for print CMYK. Read as if they were sRGB, skin looks pale
or wrong. A profile that is damaged or does not fit its picture is ignored, as browsers do.
"""

from __future__ import annotations

import io

from PIL import Image, ImageCms

_SRGB = ImageCms.createProfile("sRGB")
_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # of a picture, by the colour space of its profile


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The image without alpha, of any mode, as RGB in sRGB.

    Args:
        image: as it was decoded.
        profile: its ICC profile; None if it has none, which means sRGB.
    """
    if image.mode == "LAB":
        return _transformed(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))
    source = _opened(profile) if profile else None
    if source is None:
        return image.convert("RGB")
    space = source.profile.xcolor_space.strip()  # pyright: ignore[reportAttributeAccessIssue] (never a file here)
    is_grey, wanted = image.mode in ("1", "L"), _MODES.get(space, "")
    if not (wanted == image.mode or (wanted == "L" and is_grey) or (wanted == "RGB" and image.mode != "CMYK")):
        return image.convert("RGB")
    try:
        made = _transformed(image.convert(wanted), source)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image.convert("RGB")
    return made.convert("L").convert("RGB") if is_grey else made


def _opened(profile: bytes) -> ImageCms.ImageCmsProfile | None:
    """The profile; None if it is damaged, or sRGB itself, which needs no change."""
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        is_srgb = ImageCms.getProfileDescription(opened).startswith("sRGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return None if is_srgb else opened


def _transformed(image: Image.Image, source: ImageCms.ImageCmsProfile) -> Image.Image:
    made = ImageCms.profileToProfile(
        image,
        source,
        _SRGB,
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert made is not None  # only changing in place returns nothing
    return made
