from typing import NamedTuple

import cv2
import numpy as np
import pytest


class DrawnHead(NamedTuple):
    """A head with strands of hair before a wall, of which everything is known."""

    image: np.ndarray  # u8 (256, 256, 3)
    alpha: np.ndarray  # f32 (256, 256)
    person: np.ndarray  # f32 (256, 256, 3), the person's own colours
    mask: np.ndarray  # f32 (256, 256), what a coarse segmentation would see


@pytest.fixture(scope="session")
def drawn_head() -> DrawnHead:
    rng = np.random.default_rng(3)
    side, fine = 256, 8  # eight by eight samples per pixel: lines half a pixel wide have their true cover
    drawn = np.zeros((side * fine, side * fine), np.uint8)
    cv2.ellipse(drawn, (128 * fine, 140 * fine), (58 * fine, 76 * fine), 0, 0, 360, 255, -1)
    for angle in rng.uniform(np.pi, 2 * np.pi, 110):
        edge = np.array([128 + 54 * np.cos(angle), 140 + 72 * np.sin(angle)])
        bend = angle + rng.normal(0, 0.25)
        tip = edge + rng.uniform(6, 15) * np.array([np.cos(bend), np.sin(bend)])
        ends = (tuple(int(v) for v in point * fine) for point in (edge, tip))
        cv2.line(drawn, *ends, 255, int(rng.integers(4, 11)))
    alpha = cv2.resize(drawn, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    y, x = np.mgrid[:side, :side].astype(np.float32) / side
    grain = cv2.GaussianBlur(rng.normal(0, 1, (side, side)).astype(np.float32), (0, 0), 1.5) * 8
    person = np.stack([70 + 40 * y, 45 + 30 * y, 30 + 15 * x], 2) + grain[..., None]
    wall = np.stack([120 + 40 * x, 190 - 20 * y, 140 + 60 * y], 2)
    cover = alpha[..., None]
    image = np.round(np.clip(cover * person + (1 - cover) * wall, 0, 255)).astype(np.uint8)
    seen = cv2.GaussianBlur(alpha, (0, 0), 4)
    return DrawnHead(image, alpha, person.astype(np.float32), np.clip((seen - 0.5) * 3 + 0.5, 0, 1))
