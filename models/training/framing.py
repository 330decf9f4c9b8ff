"""Where what a training picture shows lies in its frame: crops, people put before a room, upright pictures.

Everything works on uint8 BGR pictures and uint8 alphas; a matrix is 2×3, from a picture's pixels to the frame's.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.segmenter import MAX_STRETCH
from models.training.pool import Sample
from models.training.props import extent

Picture = NDArray[np.uint8]
WIDE = 4 / 3
"""A 4:3 camera's picture is stretched so much across to a network's 16:9."""
PADDED = 16 / 9 / MAX_STRETCH
"""The product pads what is less than so many times as wide as high, as an upright phone's picture."""


def warp(picture: Picture, matrix: NDArray[np.float64], size: tuple[int, int], border: int) -> Picture:
    """Warp by a 2×3 matrix (source → destination), averaging where it shrinks much."""
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < 0.6:
        picture = np.asarray(cv2.blur(picture, (round(0.9 / scale),) * 2), np.uint8)
    return np.asarray(cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border), np.uint8)


def place(
    rng: Generator,
    alpha: Picture,
    size: tuple[int, int],
    least_shown: float = 0.0,
    wide: float = 1.0,
    standing: float = 0.0,
) -> NDArray[np.float64]:
    """A matrix that puts a cut-out person into a frame of `size` as a webcam would see them.

    The head's top is in the frame's upper part and the lower edge cuts the body, most times: the cut-out's own lower
    end never floats above the frame's. What is shown of them is at least `least_shown` times as high as wide. `wide`
    stretches them across. `standing` is 0 for somebody near the camera; else all of them is in the frame, at least so
    many parts of it high (at most 0.92).
    """
    width, height = size
    left, top, right, bottom = extent(alpha) or (0, 0, alpha.shape[1], alpha.shape[0])
    shown = rng.uniform(np.clip(least_shown * (right - left) / (bottom - top), 0.3, 1.0), 1.0)
    head_room = (0.36 * rng.random() ** 1.5 - 0.06) * height
    scale = max((height - head_room) / (shown * (bottom - top)), (height - head_room) / (bottom - top) * 1.02)
    scale = min(scale, 2.2 * width / max(1, right - left))
    scale = max(scale, (height - head_room) / (bottom - top) * 1.02)
    angle = np.deg2rad(rng.normal(0, 4))
    flip = -1.0 if rng.random() < 0.5 else 1.0
    stretch = rng.uniform(0.9, 1.12)
    cos, sin = np.cos(angle), np.sin(angle)
    if standing:
        scale = rng.uniform(standing, 0.92) * height / (bottom - top)
        head_room = rng.uniform(0.92, 1.0) * height - scale * (bottom - top)
    elif least_shown:  # of somebody wide nearly all is shown, and a turn would lift their lower corner into the frame
        down = cos * (bottom - top) - abs(sin) * stretch * (right - left) / 2
        scale = max(scale, (height - head_room) / max(down, 0.5 * (bottom - top)))
    linear = np.diag([wide, 1.0]) @ (scale * np.array([[cos, -sin], [sin, cos]]) @ np.diag([flip * stretch, 1.0]))
    centre = np.array([rng.normal(0.5, 0.16) * width, head_room])
    shift = centre - linear @ np.array([(left + right) / 2, top])
    return np.column_stack([linear, shift])


def crop(
    rng: Generator, picture: Picture, size: tuple[int, int], around: Picture | None, wide: float = 1.0
) -> NDArray[np.float64]:
    """A matrix that crops a picture to a frame; with `around`, an alpha, most of its person stays inside.

    `wide` stretches it across.
    """
    width, height = size
    full = max(width / wide / picture.shape[1], height / picture.shape[0])
    # A room may be seen closely, a bed's cover or a curtain filling much of the frame, which then is no clothing.
    scale = full * np.exp(rng.uniform(0.0, 0.9 if around is None else 0.5))
    stretch = rng.uniform(0.88, 1.14)
    flip = -1.0 if rng.random() < 0.5 else 1.0
    angle = np.deg2rad(rng.normal(0, 3)) if rng.random() < 0.5 else 0.0
    cos, sin = np.cos(angle), np.sin(angle)
    linear = np.diag([wide, 1.0]) @ (scale * np.array([[cos, -sin], [sin, cos]]) @ np.diag([flip * stretch, 1.0]))
    box = extent(around) if around is not None else None
    if box:
        # Somewhere near the head, in the frame's upper part.
        target = np.array([rng.uniform(box[0], box[2]), box[1] + (box[3] - box[1]) * rng.uniform(0.0, 0.35)])
        spot = np.array([rng.uniform(0.25, 0.75) * width, rng.uniform(0.1, 0.5) * height])
    else:
        target = np.array([rng.uniform(0.3, 0.7) * picture.shape[1], rng.uniform(0.3, 0.7) * picture.shape[0]])
        spot = np.array([0.5 * width, 0.5 * height])
    shift = spot - linear @ target
    # What lies beyond the picture's border would be its streaks: shift the border out of the frame.
    corners = linear @ (np.array([[0, 1, 0, 1], [0, 0, 1, 1]]) * np.array([picture.shape[1::-1]]).T)
    low, high = corners.min(1) + shift, corners.max(1) + shift
    shift -= np.maximum(low, 0)
    shift += np.maximum(np.array(size) - high, 0)
    return np.column_stack([linear, shift])


def coarsened(frame: Picture, times: float) -> Picture:
    """The frame so many times smaller and enlarged again, each pixel where it was."""
    height, width = frame.shape[:2]
    # A size, no factor: OpenCV rounds the size but maps by the factor itself, and the frame would slip beside its mask.
    small = (max(1, round(width / times)), max(1, round(height / times)))
    return np.asarray(cv2.resize(cv2.resize(frame, small, interpolation=cv2.INTER_AREA), (width, height)), np.uint8)


def padded(rng: Generator, sample: Sample, size: tuple[int, int]) -> tuple[Picture, Picture, slice]:
    """An upright picture, its alpha, and the columns they fill, stretched as far as the product would; else black.

    At least three quarters of it are shown each way, so that no two draws are alike.
    """
    (width, height), (rows, columns) = size, sample.alpha.shape
    share = rng.uniform(0.75, 1.0, 2)
    x, y = (rng.uniform(0, 1 - share) * (columns, rows)).astype(int)
    part = np.s_[y : y + int(share[1] * rows), x : x + int(share[0] * columns)]
    picture, alpha = sample.picture[part], sample.alpha[part]
    inner = min(width, round(MAX_STRETCH * height * picture.shape[1] / picture.shape[0]))
    left = (width - inner) // 2
    inside, flip = slice(left, left + inner), slice(None, None, -1 if rng.random() < 0.5 else 1)
    frame, mask = np.zeros((height, width, 3), np.uint8), np.zeros((height, width), np.uint8)
    frame[:, inside] = cv2.resize(picture, (inner, height), interpolation=cv2.INTER_AREA)[:, flip]
    mask[:, inside] = cv2.resize(alpha, (inner, height), interpolation=cv2.INTER_AREA)[:, flip]
    return frame, mask, inside


def blacken(picture: Picture, inside: slice) -> None:
    """Make the columns outside black, as the product's padding is, whatever a camera's faults put there."""
    picture[:, : inside.start] = 0
    picture[:, inside.stop :] = 0
