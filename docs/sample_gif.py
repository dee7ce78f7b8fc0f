"""Makes docs/sample.gif, the moving picture of the README, from what `python build.py run` wrote.

python build.py run
.venv/bin/python docs/sample_gif.py out docs/sample.gif
"""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from shared.landmarks import SEGMENTS

SIDE = 220  # pixels of each half
STEP = 2  # every second frame: 12.5 a second
COLOURS = 128
BACKGROUND, LINE = (34, 38, 46), (236, 118, 92)


def main(made: Path, gif: Path) -> None:
    """Lays the rendered face beside its landmarks, and writes an endless GIF."""
    curves = np.load(made / "landmarks.npz")
    pictures = []
    for number in range(0, len(curves["landmarks"]), STEP):
        face = np.asarray(Image.open(made / "frames" / f"frame_{number + 1:04}.png").convert("RGBA"), np.float32)
        alpha = face[..., 3:] / 255
        shown = cv2.resize(face[..., :3] * alpha + np.float32(BACKGROUND) * (1 - alpha), (SIDE, SIDE))
        drawn = np.full((SIDE * 4, SIDE * 4, 3), BACKGROUND, np.uint8)
        points = curves["landmarks"][number] * (SIDE * 4 / 256)
        for segment in SEGMENTS:
            line = points[list(segment.points)].round().astype(np.int32)
            cv2.polylines(drawn, [line], segment.is_closed, LINE, 7, cv2.LINE_AA)
        drawn = cv2.resize(drawn, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        pictures.append(Image.fromarray(np.hstack([shown.round().astype(np.uint8), drawn])))
    palette = pictures[0].quantize(COLOURS, dither=Image.Dither.NONE)
    frames = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    rate = json.loads((made / "report.json").read_text("utf-8"))["frame_rate"]
    frames[0].save(gif, save_all=True, append_images=frames[1:], duration=round(1000 * STEP / rate), loop=0)
    sys.stdout.write(f"{gif}: {gif.stat().st_size / 1e6:.2f} MB\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
