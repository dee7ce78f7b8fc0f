"""A drawn face and networks small enough to train within a test."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from backend_server.config import PAPER_TEXTURE, TextureConfig
from backend_server.identity import FaceReferences

SMALL_WARP = TextureConfig(
    channels=(4, 4, 6, 6, 8), encoder_channels=(4, 4, 6, 6, 8), code_size=6, discriminator_channels=(4, 6, 8)
)
SMALL_PAPER = replace(
    PAPER_TEXTURE,
    channels=(4, 4, 8, 8, 8, 8),
    encoder_channels=(4, 4, 8, 8, 8, 8),
    code_size=6,
    discriminator_channels=(4, 4, 4, 8, 8, 8),
)


def _arc(x0, x1, y, height, count):
    x = np.linspace(x0, x1, count)
    return np.stack([x, y + height * np.sin(np.pi * (x - x0) / (x1 - x0))], 1)


def draw_landmarks(mouth=6.0, lids=9.0):
    """A frontal face (68, 2) in the crop; `mouth` and `lids` are the openings in pixels."""

    def eye(left):
        upper = _arc(left, left + 26, 96, -lids / 2, 4)
        lower = _arc(left, left + 26, 96, lids / 2, 4)
        return np.concatenate([upper, lower[2:0:-1]])

    outer = np.concatenate([_arc(104, 152, 178, -7, 7), _arc(104, 152, 178, 7 + mouth, 7)[5:0:-1]])
    inner = np.concatenate([_arc(108, 148, 178, 0, 5), _arc(108, 148, 178, mouth, 5)[3:0:-1]])
    points = [
        _arc(58, 198, 100, 122 + mouth / 2, 17),
        _arc(66, 114, 82, -8, 5),
        _arc(142, 190, 82, -8, 5),
        np.stack([np.full(4, 128.0), np.linspace(96, 132, 4)], 1),
        _arc(112, 144, 142, 5, 5),
        eye(76),
        eye(154),
        outer,
        inner,
    ]
    return np.concatenate(points).astype(np.float32)


@pytest.fixture
def face_landmarks():
    return draw_landmarks


@pytest.fixture
def small_configs():
    return {"warp": SMALL_WARP, "paper": SMALL_PAPER}


def draw_faces(count):
    """Faces with mouths ever wider open, on smooth random skin."""
    random = torch.Generator().manual_seed(0)
    skin = torch.nn.functional.interpolate(torch.rand(1, 3, 9, 9, generator=random), size=(256, 256), mode="bicubic")
    picture = (skin[0].permute(1, 2, 0).clamp(0, 1) * 255).byte().numpy()
    crops, landmarks = [], []
    for k in range(count):
        points = draw_landmarks(mouth=2.0 + 3 * k)
        crop = picture.copy()
        crop[178 : 178 + int(2 + 3 * k), 112:144] = 20
        crops.append(crop)
        landmarks.append(points)
    mattes = np.zeros((count, 256, 256), np.uint8)
    mattes[:, 40:, 40:216] = 255
    crop = np.array([[2, 0, 10], [0, 2, 20]], np.float32)
    return FaceReferences(np.stack(crops), np.stack(landmarks), mattes, crops[0], landmarks[0], crop)


@pytest.fixture
def drawn_faces():
    return draw_faces
