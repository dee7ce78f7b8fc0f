"""Where in an image is the face, and where are its 68 landmarks?

MediaPipe's models, which travel inside its wheel: Face Detection finds faces of any size, Face Mesh places 478 points
on one of them, of which 68 landmarks are made (`mesh_points`). The paper uses OpenFace and a face segmentation.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Self

import cv2
import mediapipe as mp
import numpy as np
from numpy.typing import NDArray

from backend_server.face.mesh_points import landmarks_of_mesh, yaw_degrees_of_mesh
from backend_server.face.native_logs import filtered_native_logs
from shared.errors import FaceError, ImageError, NoFaceError

SMALLEST_SIDE_PIXELS = 64  # of the landmark box; below it the crop would be blown up more than 2.4 times
LARGEST_YAW_DEGREES = 45.0  # beyond it the far eye and mouth corner are hidden
_MESH_CONTEXT = 2.2  # side of the picture handed to Face Mesh over the side of the detected box
_MESH_SIDE_PIXELS = 768  # larger faces are reduced to this before Face Mesh, whose input is 256 pixels
_TILE_SIDE_PIXELS = 320  # the search for small faces in a large image ends at tiles of this size

Image = NDArray[np.uint8]

_BLANK = np.zeros((64, 64, 3), np.uint8)


class Box(NamedTuple):
    """A detected face in image pixels: its centre and the larger side of its box."""

    x: float
    y: float
    side: float


@dataclass(frozen=True)
class Face:
    """One face of an image.

    Attributes:
        landmarks: f32 (68, 2), image pixels.
        face_count: faces seen in the image.
        yaw_degrees: turn about the vertical, positive towards the person's left.
        note: a sentence for the user, or empty.
    """

    landmarks: NDArray[np.float32]
    face_count: int
    yaw_degrees: float
    note: str = ""

    @property
    def side_pixels(self) -> float:
        """The larger side of the box around the landmarks."""
        return float(np.ptp(self.landmarks, axis=0).max())


class FaceMesh:
    """MediaPipe Face Mesh with refined lips and lids; close it, or use it in a `with` statement.

    Args:
        is_video: each image follows the one before, so the face is looked for where it was.
    """

    def __init__(self, *, is_video: bool) -> None:
        self._has_seen_face = False
        with filtered_native_logs():
            self._solution = mp.solutions.face_mesh.FaceMesh(  # pyright: ignore[reportAttributeAccessIssue]
                static_image_mode=not is_video,
                max_num_faces=1,
                refine_landmarks=True,  # without it closed lips stay open and blinks are shallow
            )
            self._solution.process(_BLANK)  # the models load, and note it, beside the constructor

    def find(self, image: Image) -> NDArray[np.float32] | None:
        """Returns the mesh (478, 3) in pixels of `image` (z in the same scale), or None without a face."""
        result = self._process(np.ascontiguousarray(image)).multi_face_landmarks
        if not result:
            return None
        height, width = image.shape[:2]
        mesh = np.array([(p.x, p.y, p.z) for p in result[0].landmark], np.float32)
        # MediaPipe counts from the edge of the image, this program from the centre of the first pixel.
        return (mesh * (width, height, width) - (0.5, 0.5, 0.0)).astype(np.float32)

    def forget(self) -> None:
        """Ends a video: the next image is not taken as following the last."""
        with filtered_native_logs():
            self._solution.reset()
            self._solution.process(_BLANK)

    def close(self) -> None:
        """Frees the model."""
        self._solution.close()

    def _process(self, image: Image):  # noqa: ANN202 (MediaPipe's result has no type)
        if self._has_seen_face:
            return self._solution.process(image)
        with filtered_native_logs():  # there is one more note at the first face
            result = self._solution.process(image)
        self._has_seen_face = bool(result.multi_face_landmarks)
        return result


class BoxFinder:
    """MediaPipe Face Detection at both its ranges, and in tiles when neither sees a face in a large image."""

    def __init__(self) -> None:
        with filtered_native_logs():
            self._ranges = [
                mp.solutions.face_detection.FaceDetection(  # pyright: ignore[reportAttributeAccessIssue]
                    model_selection=selection, min_detection_confidence=0.6
                )
                for selection in (0, 1)  # faces within 2 m, within 5 m
            ]
            for detection in self._ranges:
                detection.process(_BLANK)

    def find(self, image: Image) -> list[Box]:
        """Returns the distinct faces of `image`, the largest first."""
        boxes = self._find_whole(image)
        tile = max(image.shape[:2]) // 2
        while not boxes and tile >= _TILE_SIDE_PIXELS:
            boxes = self._find_in_tiles(image, tile)
            tile //= 2
        return boxes

    def close(self) -> None:
        """Frees the models."""
        for detection in self._ranges:
            detection.close()

    def _find_whole(self, image: Image) -> list[Box]:
        height, width = image.shape[:2]
        small = _reduced(image, 1024)
        boxes: list[Box] = []
        for detection in self._ranges:
            found = detection.process(np.ascontiguousarray(small)).detections or []
            for face in found:
                box = face.location_data.relative_bounding_box
                side = max(box.width * width, box.height * height)
                boxes.append(Box((box.xmin + box.width / 2) * width, (box.ymin + box.height / 2) * height, side))
        return _distinct(boxes)

    def _find_in_tiles(self, image: Image, tile: int) -> list[Box]:
        boxes: list[Box] = []
        for top in range(0, max(1, image.shape[0] - tile // 2), tile // 2):
            for left in range(0, max(1, image.shape[1] - tile // 2), tile // 2):
                found = self._find_whole(image[top : top + tile, left : left + tile])
                boxes += [Box(box.x + left, box.y + top, box.side) for box in found]
        return _distinct(boxes)


class FaceDetector:
    """Finds the face of single images; make one a process and close it, or use it in a `with` statement."""

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
        """Returns the largest face of `image` u8 (H, W, 3); `note` says so when there are others.

        Raises:
            ImageError: the array is not an image.
            NoFaceError: no face is seen.
            FaceError: the face is under 64 pixels or in profile.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
            raise ImageError(f"An image must be 8-bit RGB (H, W, 3), got {image.dtype} of shape {image.shape}.")
        boxes = self._boxes.find(image)
        for box in boxes:
            mesh = self._mesh_in(image, box)
            if mesh is not None:
                return _checked(mesh, len(boxes))
        mesh = self._mesh.find(_reduced(image, _MESH_SIDE_PIXELS)) if not boxes else None
        if mesh is None:
            raise NoFaceError(
                "No face was found in the image; use a well-lit picture of a face that looks at the camera."
            )
        return _checked(mesh * (max(image.shape[:2]) / max(_reduced(image, _MESH_SIDE_PIXELS).shape[:2])), 1)

    def _mesh_in(self, image: Image, box: Box) -> NDArray[np.float32] | None:
        """Places the mesh on the face in `box`: cut out with some surroundings, at a size that suits Face Mesh."""
        side = max(8.0, box.side * _MESH_CONTEXT)
        scale = min(1.0, _MESH_SIDE_PIXELS / side) if side > 192 else 192 / side
        size = round(side * scale)
        corner = np.array([box.x, box.y]) - side / 2
        matrix = np.array([[1 / scale, 0, corner[0]], [0, 1 / scale, corner[1]]])
        source = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.4 / scale), np.uint8) if scale < 0.8 else image
        cut = cv2.warpAffine(source, matrix, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        mesh = self._mesh.find(np.asarray(cut, np.uint8))
        if mesh is None:
            return None
        return (mesh / scale + (*corner, 0.0)).astype(np.float32)


def _checked(mesh: NDArray[np.float32], face_count: int) -> Face:
    note = f"The image shows {face_count} faces; the largest was taken." if face_count > 1 else ""
    face = Face(landmarks_of_mesh(mesh), face_count, yaw_degrees_of_mesh(mesh), note)
    if face.side_pixels < SMALLEST_SIDE_PIXELS:
        raise FaceError(
            f"The face is {face.side_pixels:.0f} pixels large, at least {SMALLEST_SIDE_PIXELS} are needed; "
            "use a larger picture or one taken from nearer."
        )
    if abs(face.yaw_degrees) > LARGEST_YAW_DEGREES:
        raise FaceError(
            f"The face is turned {abs(face.yaw_degrees):.0f} degrees to the side, at most {LARGEST_YAW_DEGREES:.0f} "
            "can be animated; use a picture that looks nearer to the camera."
        )
    return face


def _reduced(image: Image, side: int) -> Image:
    """Returns `image` with its larger side at most `side` pixels."""
    scale = side / max(image.shape[:2])
    if scale >= 1:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _distinct(boxes: list[Box]) -> list[Box]:
    """Keeps one of the boxes that show the same face, the largest first."""
    kept: list[Box] = []
    for box in sorted(boxes, key=lambda b: -b.side):
        if all(np.hypot(box.x - k.x, box.y - k.y) > k.side / 2 for k in kept):
            kept.append(box)
    return kept
