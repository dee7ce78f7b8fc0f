"""Measures how sharp a picture looks, without another one to compare it with.

The cumulative probability of blur detection (CPBD; Narvekar & Karam 2009, 2011), a column of the paper's tables: the
share of edges at which people would not notice blur.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate, gaussian_filter, sobel
from skimage.feature import canny

from backend_server.metrics.luminance import luminance

Array = NDArray[np.float64]

BLOCK_SIDE = 64  # pixels
EDGE_SHARE = 0.002  # of a block's pixels; a block with more edge pixels than that counts
LOW_CONTRAST = 50  # grey levels; in a block of at most this contrast people tolerate wider edges
NOTICEABLE_WIDTHS = (5.0, 3.0)  # pixels; just noticeable edge width in blocks of low and of high contrast
BETA = 3.6
_SOBEL = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8
_LEAST_SLOPE = 2.0  # grey levels a pixel: the threshold that the authors give their Sobel detector
_CANNY_SIGMA = 2**0.5  # this and the next three as MATLAB's Canny detector chooses them
_CANNY_BELOW = 0.7  # share of the pixels whose gradient lies below the upper threshold
_CANNY_STEPS = 64  # of the gradient, of which the upper threshold is one
_CANNY_LOWER = 0.4  # of the upper threshold


def cpbd(picture: NDArray[np.uint8]) -> float:
    """Share of the edges of a u8 picture (H, W, 3) or (H, W) at which blur is not noticed, in [0, 1].

    Blocks of 64 x 64 pixels that are cut off by the right and the lower border do not count, as in the authors' code.

    Returns:
        1 for a picture whose edges are all sharp; NaN when no block holds an edge.

    Raises:
        ShapeError: the array is not a picture.
    """
    grey = luminance(picture)
    widths, edges = edge_widths(grey), _canny_edges(grey)
    probabilities = []
    for top in range(0, grey.shape[0] - BLOCK_SIDE + 1, BLOCK_SIDE):
        for left in range(0, grey.shape[1] - BLOCK_SIDE + 1, BLOCK_SIDE):
            block = (slice(top, top + BLOCK_SIDE), slice(left, left + BLOCK_SIDE))
            if edges[block].mean() > EDGE_SHARE:
                of_block = widths[block][widths[block] > 0]
                probabilities.append(blur_probability(of_block, float(np.ptp(grey[block]))))
    found = np.concatenate(probabilities) if probabilities else np.empty(0)
    # In whole per cent, as the authors count: an edge of just the noticeable width, 1 - 1/e, is among the sharp ones.
    return float((np.round(100 * found) <= 63).mean()) if len(found) else float("nan")


def blur_probability(widths: Array, contrast: float) -> Array:
    """Probability that people notice blur at edges of these widths: 1 - exp(-(w / w_jnb)^3.6).

    Args:
        widths: pixels, (N,).
        contrast: grey levels between the darkest and the brightest pixel of the block.
    """
    noticeable = NOTICEABLE_WIDTHS[0] if contrast <= LOW_CONTRAST else NOTICEABLE_WIDTHS[1]
    return np.asarray(1 - np.exp(-((widths / noticeable) ** BETA)), np.float64)


def edge_widths(grey: Array) -> Array:
    """Width of each vertical edge of a picture in pixels, (H, W), 0 where there is none (Marziliano et al. 2002).

    The width runs along the row between the local extrema on both sides of the edge, at least one pixel to each. So a
    ramp over n pixels is n wide, and a step, which is one wide, measures 2.

    Args:
        grey: luminance, (H, W), in [0, 255].
    """
    down, across = np.gradient(grey)
    # Within 22.5 degrees of the row, the sectors that the authors measure.
    is_vertical = _edges(grey) & (np.abs(down) < np.tan(np.pi / 8) * np.abs(across))
    return np.where(is_vertical, np.where(across > 0, _span(grey), _span(-grey)), 0.0)


def _canny_edges(grey: Array) -> NDArray[np.bool_]:
    smooth = gaussian_filter(grey, _CANNY_SIGMA, mode="nearest")
    gradient = np.hypot(sobel(smooth, 0), sobel(smooth, 1))
    step = gradient.max() / _CANNY_STEPS
    upper = step * np.ceil(np.quantile(gradient, _CANNY_BELOW) / step) if step else 0.0
    return canny(grey, _CANNY_SIGMA, _CANNY_LOWER * upper, upper, mode="nearest")


def _edges(grey: Array) -> NDArray[np.bool_]:
    """Where the slope along the row is steep, and at its peak along the row, if it points there, or along the column.

    As MATLAB thins the edges of its Sobel detector when asked for vertical ones.
    """
    across, down = correlate(grey, _SOBEL, mode="nearest"), correlate(grey, _SOBEL.T, mode="nearest")
    strength = np.square(across)
    along_row = _peaks(strength) & (np.abs(across) >= np.abs(down) - 1e-9)
    edges = (np.abs(across) > _LEAST_SLOPE) & (along_row | _peaks(strength.T).T)
    inside = np.zeros(grey.shape, bool)
    inside[1:-1, 1:-1] = edges[1:-1, 1:-1]
    return inside


def _peaks(values: Array) -> NDArray[np.bool_]:
    """Where values are at their peak along the rows; of a plateau, its last pixel."""
    margin = 1e-9 * values.max(initial=0.0)  # rounding makes pixels of one plateau differ in the last digits
    peaks = np.zeros(values.shape, bool)
    before, middle, after = values[:, :-2], values[:, 1:-1], values[:, 2:]
    peaks[:, 1:-1] = (middle >= before - margin) & (middle > after + margin)
    return peaks


def _span(grey: Array) -> Array:
    """Pixels from each pixel left and right to where the row stops rising, added up, (H, W)."""
    is_step = np.diff(grey, axis=1) > 0  # (H, W - 1): from pixel c to c + 1
    left, right = _run_lengths(is_step), _run_lengths(is_step[:, ::-1])[:, ::-1]
    span = np.full(grey.shape, 2.0)
    span[:, 2:] += left[:, :-1]
    span[:, :-2] += right[:, 1:]
    return span


def _run_lengths(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many true values in a row end at each place of the last axis, of the shape of `mask`."""
    places = np.arange(1, mask.shape[1] + 1)
    return places - np.maximum.accumulate(np.where(mask, 0, places), axis=1)
