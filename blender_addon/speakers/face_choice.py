"""Says which face is meant, where pictures alone do not: one that was learnt, one of several, or corrected landmarks.

No bpy here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .._shared import errors


@dataclass(frozen=True)
class FaceChoice:
    """What a request says of a face beside its pictures.

    Attributes:
        identity: of a face that was learnt earlier; empty: it is learnt from the pictures.
        name: of that face, for sentences.
        placed: f32 (K, 68, 2) landmarks placed by hand, in pixels of the K pictures, NaN where they are found; or None.
        chosen: f32 (K, 2) a point on the face that is meant, NaN for the largest; or None.
    """

    identity: str = ""
    name: str = ""
    placed: NDArray[np.float32] | None = None
    chosen: NDArray[np.float32] | None = None

    def explained(self, error: errors.SpeechFaceError) -> errors.SpeechFaceError:
        """The failure, in the words of this choice where the learnt face is gone."""
        if not self.identity or error.code is not errors.ErrorCode.UNKNOWN_IDENTITY:
            return error
        return errors.SpeechFaceError(
            f"the learnt face {self.name or self.identity[:8]!r} is gone from the backend; use another, import it from "
            "its file, or set Face to Photos",
            code=error.code,
            detail=error.sentence,
        )


FROM_PICTURES = FaceChoice()
