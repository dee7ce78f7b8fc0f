import numpy as np
from PIL import Image

from backend_server.data.corpus import Clip, ClipLandmarks
from backend_server.evaluation.page.sheets import LARGEST_BYTES, telling_frames, write_sheet, write_strips


class DrawnClip(Clip):
    """Ten frames: the mouth is widest in 7 and shows teeth in 5, lips are narrow in 3, lids shut in 2, all rests in 4.

    Frame 9 would be the widest of all, but is given to learn from.
    """

    def face(self, frame):
        return np.full((256, 256, 3), 250 if frame == 5 else 40, np.uint8)

    def landmarks(self):
        points = np.zeros((10, 68, 2), np.float32)
        for eye, x in ((36, 80), (42, 150)):
            points[:, eye : eye + 6] = [(x, 100), (x + 9, 95), (x + 18, 95), (x + 26, 100), (x + 18, 105), (x + 9, 105)]
            points[2, eye : eye + 6, 1] = 100
        gaps = np.array([6, 6, 6, 6, 1, 20, 6, 30, 6, 60])
        for frame, gap in enumerate(gaps):
            half = 12 if frame == 3 else 20
            points[frame, 48], points[frame, 54] = (128 - half, 170), (128 + half, 170)
            x = 128 + np.array([-half, -8, 0, 8, half, 8, 0, -8])
            y = 170 + gap * np.array([0, -0.5, -0.5, -0.5, 0, 0.5, 0.5, 0.5])
            points[frame, 60:68] = np.stack([x, y], 1)
        return ClipLandmarks(np.arange(10) / 25, points, points, points[0], np.eye(2, 3, dtype=np.float32))


def test_telling_frames_are_none_of_the_given_ones(tmp_path):
    clip = DrawnClip(tmp_path, "a", "0", "val", 0.4, 10, "")
    assert telling_frames(clip, np.array([9])) == {
        "mouth widest": 7,
        "teeth": 5,
        "lips narrowest": 3,
        "eyes shut": 2,
        "at rest": 4,
    }


def test_a_sheet_of_noise_stays_small(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (4, 256, 256, 3)).astype(np.uint8)
    write_sheet(tmp_path / "sheet.jpg", ["a", "b", "c", "d"], [("first", noise), ("second", noise[:2])], 160)
    assert (tmp_path / "sheet.jpg").stat().st_size <= LARGEST_BYTES
    with Image.open(tmp_path / "sheet.jpg") as sheet:
        assert sheet.width > sheet.height
        assert sheet.getpixel((sheet.width - 40, sheet.height - 40)) == (255, 255, 255)  # no picture there


def test_strips_keep_the_size_of_their_pictures(tmp_path):
    red, blue = (
        np.full((size, 2 * size, 3), colour, np.uint8) for size, colour in ((40, (255, 0, 0)), (70, (0, 0, 255)))
    )
    write_strips(tmp_path / "strips.jpg", [("small", [red, red, red]), ("large", [blue])])
    with Image.open(tmp_path / "strips.jpg") as sheet:
        assert sheet.size == (3 * 80 + 4 * 6, 40 + 70 + 2 * (20 + 6) + 6)
        near = [sheet.getpixel(place) for place in ((15, 30), (250, 50), (15, 95), (135, 150), (200, 120))]
    wanted = [(255, 0, 0), (255, 0, 0), (0, 0, 255), (0, 0, 255), (255, 255, 255)]
    assert np.abs(np.array(near) - wanted).max() < 12  # saved as JPEG


def test_a_larger_file_may_be_asked_for(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (600, 900, 3)).astype(np.uint8)
    sizes = []
    for largest in (100_000, 10_000_000):
        write_strips(tmp_path / "strips.jpg", [("noise", [noise])], largest_bytes=largest)
        sizes.append((tmp_path / "strips.jpg").stat().st_size)
    assert sizes[1] > 1.5 * sizes[0]
