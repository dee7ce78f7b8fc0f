"""Finds the face of an image and its 68 landmarks.

MediaPipe's face detector finds faces of any size (`boxes`), its face mesh places 478 points on one of them (`mesh`),
and 68 landmarks are made of these (`mesh_points`).

The paper uses OpenFace and a face segmentation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from backend_server.face.boxes import Box, BoxFinder
from backend_server.face.mesh import FaceMesh
from backend_server.face.mesh_points import landmarks_of_mesh, yaw_degrees_of_mesh
from shared.errors import FaceError, ImageError, NoFaceError
from shared.notes import Note, NoteCode

SMALLEST_SIDE_PIXELS = 64  # of the landmark box; below it the crop would be enlarged more than 2.4 times
LARGEST_YAW_DEGREES = 45.0  # beyond it the far eye and mouth corner are hidden
_STEADY = 0.008  # of the face's side: in other cuts a mesh on a face moves at most 0.005, a false one at least 0.012
_OTHER_CUTS = ((0.12, 1.15), (-0.12, 0.9), (0.0, 1.3))  # moved to the right and enlarged, of the face's side
_MESH_CONTEXT = 2.2  # side of the picture handed to the face mesh over the side of the detected box
_MESH_SIDE_PIXELS = 768  # larger faces are reduced to this before the face mesh, whose input is 256 pixels

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Face:
    """One face of an image.

    Attributes:
        landmarks: f32 (68, 2), image pixels.
        face_count: faces seen in the image.
        yaw_degrees: turn about the vertical, positive towards the person's left.
        mesh: f32 (478, 3), image pixels.
        movement: f32 (68,), how far each landmark moves, over the face's side, when the face is cut out differently.
        notes: what the user should know of it.
    """

    landmarks: NDArray[np.float32]
    face_count: int
    yaw_degrees: float
    mesh: NDArray[np.float32]
    movement: NDArray[np.float32]
    notes: tuple[Note, ...] = ()

    @property
    def side_pixels(self) -> float:
        """The larger side of the box around the landmarks."""
        return float(np.ptp(self.landmarks, axis=0).max())


class _Sighting(NamedTuple):
    """A mesh (478, 3) in pixels of the image, how many faces were seen, and how far landmarks move between cuts.

    `moves` (cuts, 68, 2) is over the face's side.
    """

    mesh: NDArray[np.float32]
    face_count: int
    moves: NDArray[np.float32]

    @property
    def unsteadiness(self) -> float:
        """How far the landmarks move on average: little on a face."""
        return float(np.abs(self.moves).mean())


class FaceDetector:
    """Finds the face of single images; make one per process and close it, or use it in a `with` statement."""

    def __init__(self) -> None:
        self._boxes = BoxFinder()
        self._mesh = FaceMesh(is_video=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Frees the models; the detector cannot be used afterwards."""
        self._boxes.close()
        self._mesh.close()

    def detect(self, image: Image) -> Face:
        """Returns the largest face of `image` u8 (H, W, 3); `notes` mention others.

        Raises:
            ImageError: the array is not an image.
            NoFaceError: no face is seen.
            FaceError: the face is under 64 pixels or in profile.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
            raise ImageError(f"An image must be 8-bit RGB (H, W, 3), got {image.dtype} of shape {image.shape}.")
        for find in (self._boxes.find, self._boxes.find_small):
            upright, upside_down = self._look(image, 0, find), self._look(image, 2, find)
            # Models for upright faces also see some in an upside-down one, sometimes with a higher score.
            for seen in (upright, upside_down), (self._look(image, turns, find) for turns in (1, 3)):
                faces = [face for face in seen if face is not None]
                if faces and (best := min(faces, key=lambda face: face.unsteadiness)).unsteadiness < _STEADY:
                    return _checked(best)
            if upright is not None:
                return _checked(upright)
        raise NoFaceError(
            "no face was found in the picture; use a well-lit picture of a face that looks at the camera."
        )

    def places(self, image: Image, *, may_lie: bool = True) -> list[Box]:
        """Where faces may be in `image` u8 (H, W, 3), also such that are too small for `detect`, the largest first.

        Faces that stand upright; if there is none and they may lie or hang, those that do.
        """
        for turns in (0, 2, 1, 3) if may_lie else (0,):
            turned = np.ascontiguousarray(np.rot90(image, turns))
            boxes = self._boxes.find(turned) or self._boxes.find_small(turned)
            for _ in range(turns):
                boxes = [box._replace(x=turned.shape[0] - 1 - box.y, y=box.x) for box in boxes]
                turned = np.rot90(turned, -1)
            if boxes:
                return boxes
        return []

    def _look(self, image: Image, quarter_turns: int, find: Callable[[Image], list[Box]]) -> _Sighting | None:
        """Looks for the largest face after turning the picture; the mesh found lies in the picture as it was."""
        turned = np.ascontiguousarray(np.rot90(image, quarter_turns))
        boxes = find(turned)
        mesh = self._first_mesh(turned, boxes)
        if mesh is None:
            return None
        moves = self._moves(turned, mesh)
        for _ in range(quarter_turns):  # back: each turn took (x, y) to (y, width - 1 - x) of the picture before it
            mesh[:, :2] = np.stack([turned.shape[0] - 1 - mesh[:, 1], mesh[:, 0]], axis=1)
            turned = np.rot90(turned, -1)
        return _Sighting(mesh, len(boxes), moves)

    def _first_mesh(self, image: Image, boxes: list[Box]) -> NDArray[np.float32] | None:
        """Places the mesh on the largest face where one is found."""
        return next((mesh for box in boxes if (mesh := self._mesh_in(image, box)) is not None), None)

    def _moves(self, image: Image, mesh: NDArray[np.float32]) -> NDArray[np.float32]:
        """How far the landmarks move, over the face's side, when the face is cut out differently: (cuts, 68, 2)."""
        landmarks = landmarks_of_mesh(mesh)
        x, y = landmarks.mean(0)
        side = float(np.ptp(landmarks, axis=0).max())
        moves = []
        for shift, scale in _OTHER_CUTS:
            other = self._mesh_in(image, Box(x + shift * side, y, scale * side, 1.0))
            moves.append(np.full_like(landmarks, 0.5 * side) if other is None else landmarks_of_mesh(other) - landmarks)
        return np.asarray(moves, np.float32) / side

    def _mesh_in(self, image: Image, box: Box) -> NDArray[np.float32] | None:
        """Places the mesh on the face in `box`: cut out with some surroundings, at a size that suits the face mesh."""
        side = max(8.0, box.side * _MESH_CONTEXT)
        scale = min(1.0, _MESH_SIDE_PIXELS / side) if side > 192 else 192 / side
        size = round(side * scale)
        corner = np.array([box.x, box.y]) - side / 2
        matrix = np.array([[1 / scale, 0, corner[0]], [0, 1 / scale, corner[1]]])
        if scale < 0.8:  # only what is cut out is blurred
            low = np.clip(corner.astype(int) - 8, 0, (image.shape[1] - 1, image.shape[0] - 1))
            high = np.maximum(low + 1, (corner + side).astype(int) + 8)
            part = image[low[1] : high[1], low[0] : high[0]]
            image = np.asarray(cv2.GaussianBlur(part, (0, 0), 0.4 / scale), np.uint8)
            matrix[:, 2] -= low
        cut = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        mesh = self._mesh.find(np.asarray(cut, np.uint8))
        if mesh is None:
            return None
        return (mesh / scale + (*corner, 0.0)).astype(np.float32)


def _checked(seen: _Sighting) -> Face:
    count = seen.face_count
    movement = np.linalg.norm(seen.moves, axis=-1).mean(0)
    yaw = yaw_degrees_of_mesh(seen.mesh)
    face = Face(landmarks_of_mesh(seen.mesh), count, yaw, seen.mesh, movement, _notes(count))
    if face.side_pixels < SMALLEST_SIDE_PIXELS:
        raise FaceError(
            f"the face is {face.side_pixels:.0f} pixels large, at least {SMALLEST_SIDE_PIXELS} are needed; "
            "use a larger picture or one taken from closer."
        )
    if abs(face.yaw_degrees) > LARGEST_YAW_DEGREES:
        raise FaceError(
            f"the face is turned {abs(face.yaw_degrees):.0f} degrees to the side, at most {LARGEST_YAW_DEGREES:.0f} "
            "can be animated; use a picture that looks towards the camera."
        )
    return face


def _notes(face_count: int) -> tuple[Note, ...]:
    if face_count < 2:
        return ()
    sentence = f"the picture shows {face_count} faces, and the largest was taken; cut the picture to the right one"
    return (Note(NoteCode.SEVERAL_FACES, sentence),)
