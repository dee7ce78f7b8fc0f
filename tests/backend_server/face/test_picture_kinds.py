"""Tests kinds of picture files as phones, cameras, scanners and programs write them, each against its true colours."""

import io
import struct

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from backend_server.face.images import flattened, read_image

HEIGHT, WIDTH = 48, 64
QUARTERS = np.array([[[200, 120, 90], [60, 90, 150]], [[90, 140, 80], [225, 215, 205]]], np.uint8)
COLOURS = QUARTERS.repeat(HEIGHT // 2, 0).repeat(WIDTH // 2, 1)
GREY = COLOURS[..., 1]
ALPHA = np.array([[255, 102], [204, 0]], np.uint8).repeat(HEIGHT // 2, 0).repeat(WIDTH // 2, 1)
RGBA = np.dstack([COLOURS, ALPHA])
SIDEWAYS, UPRIGHT = 6, lambda pixels: np.rot90(pixels, -1)  # EXIF orientation: the camera stood on its right side

# Primaries as columns, relative to D50 (ICC.1:2022), and the curve of sRGB (IEC 61966-2-1).
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
DISPLAY_P3 = np.array([[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]])
ADOBE_RGB = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])
D50 = (0.96420, 1.0, 0.82491)


def encoded(linear):
    x = np.clip(linear, 0, 1)
    return np.rint(255 * np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055))


def in_srgb(colours, primaries, gamma=2.2):
    return encoded((colours / 255) ** gamma @ (np.linalg.inv(SRGB) @ primaries).T)


def profile(kind, space, connection, tags):
    """An ICC profile of version 2."""
    text = b"made by a test\0"
    tags = {"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78), "wtpt": xyz(D50), **tags}
    body, entries = b"", b""
    for name, data in tags.items():
        entries += name.encode() + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4sI", 132 + len(entries) + len(body), b"", 0x02400000)
    head += f"{kind:4}{space:4}{connection:4}".encode() + struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    return (head + xyz(D50)[8:]).ljust(128, b"\0") + struct.pack(">I", len(tags)) + entries + body


def xyz(values):
    return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def curve(gamma):
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def of_primaries(primaries):
    columns = {f"{c}XYZ": xyz(column) for c, column in zip("rgb", primaries.T, strict=True)}
    return profile("mntr", "RGB", "XYZ", {**columns, **{f"{c}TRC": curve(2.2) for c in "rgb"}})


def of_inks():
    """Each of four inks takes a quarter of the lightness and has no colour."""
    straight = bytes(range(256))
    lightness = [255 - round(255 * number.bit_count() / 4) for number in range(16)]
    cells = b"".join(bytes([light, 128, 128]) for light in lightness)
    unit = b"".join(struct.pack(">i", 65536 * (i % 4 == 0)) for i in range(9))
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + unit + straight * 4 + cells + straight * 3
    return profile("prtr", "CMYK", "Lab", {"A2B0": table})


def lightness(level):
    """The grey of a CIE lightness of `level` in 100."""
    return encoded(((level + 16) / 116) ** 3)


def saved(pixels, kind, mode=None, orientation=None, **options):
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image = image.convert(mode) if mode else image
    if orientation:
        exif = Image.Exif()
        exif[0x0112] = orientation
        options["exif"] = exif.tobytes()
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def opencv(suffix, pixels):
    return cv2.imencode(suffix, pixels[..., [2, 1, 0, *range(3, pixels.shape[2])]])[1].tobytes()


def deep(pixels):
    return pixels.astype(np.uint16) * 256 + 77


def palette():
    colours = np.unique(RGBA.reshape(-1, 4), axis=0)
    numbers = (RGBA[:, :, None] == colours).all(-1).argmax(-1).astype(np.uint8)
    image = Image.fromarray(numbers, "P")
    image.putpalette(colours[:, :3].tobytes())
    return saved(image, "PNG", transparency=colours[:, 3].tobytes())


def cyan():
    inks = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    inks[..., 0] = 255
    return Image.fromarray(inks, "CMYK")


def lab():
    source, wanted = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    return ImageCms.profileToProfile(Image.fromarray(COLOURS), source, wanted, outputMode="LAB")


def equal(grey):
    return np.repeat(np.asarray(grey)[..., None], 3, 2)


P3, ADOBE, INKS = of_primaries(DISPLAY_P3), of_primaries(ADOBE_RGB), of_inks()
PREMULTIPLIED = np.rint(RGBA * (np.dstack([equal(ALPHA), np.full_like(ALPHA, 255)]) / 255)).astype(np.uint8)
EXTRA_SAMPLE = struct.pack("<HHI", 338, 3, 1)  # the tag that tells straight alpha (2) from multiplied colours (1)
FLOAT = Image.fromarray(GREY.astype(np.float32) / 255)

# Name: what is in the file, its true pixels, and by how many levels a lossy kind may miss them.
CASES = {
    "png": (lambda: saved(COLOURS, "PNG"), COLOURS, 0),
    "png with alpha": (lambda: saved(RGBA, "PNG"), RGBA, 0),
    "png with an alpha that is full": (lambda: saved(COLOURS, "PNG", "RGBA"), COLOURS, 0),
    "png of a palette with alpha": (palette, RGBA, 0),
    "png, grey": (lambda: saved(GREY, "PNG"), equal(GREY), 0),
    "png, grey with alpha": (
        lambda: saved(Image.merge("LA", [Image.fromarray(x) for x in (GREY, ALPHA)]), "PNG"),
        np.dstack([equal(GREY), ALPHA]),
        0,
    ),
    "png, black and white": (lambda: saved(GREY, "PNG", "1"), None, 0),
    "png, grey, 16 bits": (lambda: saved(Image.fromarray(deep(GREY)), "PNG"), equal(GREY), 0),
    "png, 16 bits": (lambda: opencv(".png", deep(COLOURS)), COLOURS, 0),
    "png, 16 bits with alpha": (lambda: opencv(".png", deep(RGBA)), RGBA, 0),
    "png of Display P3": (lambda: saved(COLOURS, "PNG", icc_profile=P3), in_srgb(COLOURS, DISPLAY_P3), 2),
    "png of Display P3 with alpha": (
        lambda: saved(RGBA, "PNG", icc_profile=P3),
        np.dstack([in_srgb(COLOURS, DISPLAY_P3), ALPHA]),
        2,
    ),
    "png, grey, linear": (
        lambda: saved(GREY, "PNG", icc_profile=profile("mntr", "GRAY", "XYZ", {"kTRC": curve(1)})),
        equal(encoded(GREY / 255)),
        2,
    ),
    "png, grey, 16 bits, linear": (
        lambda: saved(
            Image.fromarray(deep(GREY)), "PNG", icc_profile=profile("mntr", "GRAY", "XYZ", {"kTRC": curve(1)})
        ),
        equal(encoded(GREY / 255)),
        2,
    ),
    "png, grey, with a profile of colours": (
        lambda: saved(GREY, "PNG", icc_profile=P3),
        in_srgb(equal(GREY), DISPLAY_P3),
        2,
    ),
    "png with half a profile": (lambda: saved(COLOURS, "PNG", icc_profile=P3[:200]), COLOURS, 0),
    "png with a profile that is text": (lambda: saved(COLOURS, "PNG", icc_profile=b"no profile"), COLOURS, 0),
    "png with a profile of inks": (lambda: saved(COLOURS, "PNG", icc_profile=INKS), COLOURS, 0),
    "jpeg": (lambda: saved(COLOURS, "JPEG", quality=95), COLOURS, 4),
    "jpeg, turned": (lambda: saved(COLOURS, "JPEG", orientation=SIDEWAYS, quality=95), UPRIGHT(COLOURS), 4),
    "jpeg with broken notes of its camera": (
        lambda: saved(COLOURS, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01", quality=95),
        COLOURS,
        4,
    ),
    "jpeg of Adobe RGB": (
        lambda: saved(COLOURS, "JPEG", icc_profile=ADOBE, quality=95),
        in_srgb(COLOURS, ADOBE_RGB),
        6,
    ),
    "jpeg of inks with their profile": (
        lambda: saved(cyan(), "JPEG", icc_profile=INKS, quality=95),
        equal(np.full_like(GREY, lightness(75))),
        3,
    ),
    "jpeg of inks without a profile": (
        lambda: saved(cyan(), "JPEG", quality=95),
        np.full_like(COLOURS, (0, 255, 255)),
        3,
    ),
    "heic": (lambda: saved(COLOURS, "HEIF", quality=95), COLOURS, 6),
    "heic, turned, of Display P3": (
        lambda: saved(COLOURS, "HEIF", orientation=SIDEWAYS, icc_profile=P3, quality=95),
        UPRIGHT(in_srgb(COLOURS, DISPLAY_P3)),
        8,
    ),
    "heic with alpha": (lambda: saved(RGBA, "HEIF", quality=95), RGBA, 6),
    "avif": (lambda: saved(COLOURS, "AVIF", quality=95), COLOURS, 6),
    "avif, turned": (lambda: saved(COLOURS, "AVIF", orientation=SIDEWAYS, quality=95), UPRIGHT(COLOURS), 6),
    "avif with alpha": (lambda: saved(RGBA, "AVIF", quality=95), RGBA, 6),
    "webp with alpha": (lambda: saved(RGBA, "WEBP", lossless=True, exact=True), RGBA, 0),
    "gif with transparency": (
        lambda: saved(Image.fromarray(np.where(ALPHA < 128, 0, 1).astype(np.uint8), "P"), "GIF", transparency=0),
        None,
        0,
    ),
    "tiff, 16 bits": (lambda: opencv(".tif", deep(COLOURS)), COLOURS, 0),
    "tiff, floats": (lambda: saved(FLOAT, "TIFF"), equal(GREY), 1),
    "tiff multiplied by its alpha": (
        lambda: saved(PREMULTIPLIED, "TIFF").replace(EXTRA_SAMPLE + b"\x02", EXTRA_SAMPLE + b"\x01"),
        RGBA,
        3,
    ),
    "tiff of Lab": (lambda: saved(lab(), "TIFF"), COLOURS, 3),
    "bmp": (lambda: saved(COLOURS, "BMP"), COLOURS, 0),
}
IS_ANYTHING = {
    "png, black and white": lambda read: set(np.unique(read)) == {0, 255} and read.shape[2] == 3,
    "gif with transparency": lambda read: (read[..., 3] == np.where(ALPHA < 128, 0, 255)).all(),
}


def quarters(pixels):
    """The pixels away from the borders of the four fields, where lossy kinds mix colours."""
    field = np.zeros((HEIGHT, WIDTH), bool)
    for top in (0, HEIGHT // 2):
        for left in (0, WIDTH // 2):
            field[top + 8 : top + HEIGHT // 2 - 8, left + 8 : left + WIDTH // 2 - 8] = True
    return pixels[field if pixels.shape[0] == HEIGHT else UPRIGHT(field)].astype(int)


@pytest.mark.parametrize("name", CASES)
def test_a_picture_has_its_true_colours(tmp_path, name):
    write, expected, levels = CASES[name]
    (tmp_path / "picture").write_bytes(write())
    read = read_image(tmp_path / "picture")
    assert read.dtype == np.uint8
    if expected is None:
        assert IS_ANYTHING[name](read)
        return
    assert read.shape == expected.shape
    seen = quarters(expected)[:, 3:] > 0 if expected.shape[2] == 4 else True
    difference = np.abs(quarters(read) - quarters(expected))
    assert difference[:, 3:].max(initial=0) <= levels  # alpha
    assert (difference[:, :3] * seen).max() <= levels
    if "grey" in name:
        assert np.ptp(read[..., :3], axis=2).max() == 0


def test_profiles_change_what_they_are_tested_on():
    """Otherwise a reader that ignores them would pass."""
    for primaries in (DISPLAY_P3, ADOBE_RGB):
        assert np.abs(in_srgb(COLOURS, primaries) - COLOURS).max() > 12


def test_transparent_pixels_are_laid_over_mid_grey():
    laid = flattened(RGBA)
    assert laid.shape == (HEIGHT, WIDTH, 3)
    cover = RGBA[..., 3:] / 255
    np.testing.assert_allclose(laid, cover * COLOURS + (1 - cover) * 128, atol=1)
    assert flattened(COLOURS) is COLOURS
