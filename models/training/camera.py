"""Light, and a camera's faults: what happens to a whole training picture. All on uint8 BGR (h, w, 3)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


def light(rng: Generator, picture: Picture, strength: float) -> Picture:
    """Exposure, contrast, gamma and colour cast, by one table per channel."""
    ramp = np.arange(256, dtype=np.float32) / 255
    gain = np.exp(rng.normal(0, 0.22 * strength))
    gamma = np.exp(rng.normal(0, 0.28 * strength))
    offset = rng.normal(0, 0.04 * strength)
    table = np.empty((256, 3), np.float32)
    for channel in range(3):
        table[:, channel] = np.clip(ramp**gamma * gain * np.exp(rng.normal(0, 0.07 * strength)) + offset, 0, 1) * 255
    toned: Picture = np.asarray(cv2.LUT(picture, table.astype(np.uint8).reshape(1, 256, 3)), np.uint8)
    if rng.random() < 0.3:
        grey = cv2.cvtColor(cv2.cvtColor(toned, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        share = rng.uniform(-0.3, 0.8)
        toned = np.asarray(cv2.addWeighted(toned, 1 - share, grey, share, 0), np.uint8)
    return toned


def falloff(rng: Generator, size: tuple[int, int]) -> NDArray[np.float32]:
    """Uneven light: a smooth ramp over the frame, as from a window or a screen, about 1, (h, w, 1)."""
    width, height = size
    corners = np.exp(rng.normal(0, 0.35, (2, 2))).astype(np.float32)
    return np.asarray(cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)[..., None]


def dim(rng: Generator, picture: Picture) -> Picture:
    """Too little light, with the noise and the colour cast of a camera that makes up for it, or too much."""
    values = picture.astype(np.float32)
    if rng.random() < 0.3:
        return np.clip(values * np.float32(rng.uniform(1.3, 1.9)), 0, 255).astype(np.uint8)
    values *= np.float32(rng.uniform(0.18, 0.5))
    values += rng.standard_normal(picture.shape, np.float32) * np.float32(rng.uniform(1, 5))
    values *= np.exp(rng.normal(0, 0.15, 3)).astype(np.float32) * np.float32(rng.uniform(1.0, 2.5))
    return np.clip(values, 0, 255).astype(np.uint8)


def flatten(rng: Generator, picture: Picture) -> Picture:
    """What strong noise reduction and crushed blacks leave: no texture, dark hair and clothes of one colour."""
    smooth = np.asarray(cv2.bilateralFilter(picture, 7, rng.uniform(20, 70), rng.uniform(2, 5)), np.uint8)
    black = rng.uniform(0, 45)
    table = np.clip((np.arange(256, dtype=np.float32) - black) * (255 / (255 - black)), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(smooth, table), np.uint8)


def painted(rng: Generator, picture: Picture, alpha: Picture | None) -> Picture:
    """Patches of a few colours for all texture and shading; with an alpha, uint8 (h, w), only of who is there."""
    patches = cv2.medianBlur(picture, 2 * int(rng.integers(2, 6)) + 1)
    step = rng.uniform(25, 70)
    offset = rng.uniform(0, step)
    table = (np.floor((np.arange(256, dtype=np.float32) + offset) / step) + 0.5) * step - offset
    patches = cv2.LUT(patches, np.clip(table, 0, 255).astype(np.uint8))
    if alpha is None:
        return np.asarray(patches, np.uint8)
    share = alpha[..., None] * np.float32(1 / 255)
    return np.rint(share * patches + (1 - share) * picture).astype(np.uint8)


def spoil(rng: Generator, picture: Picture, sharpened: float, sharpness: tuple[float, float]) -> Picture:
    """What a webcam does to a picture: defocus or motion blur or too much sharpness, noise, compression.

    `sharpened` is the share of pictures that are sharpened, at most 0.72, and `sharpness` by how much at least and at
    most: so many times what a blur of one pixel takes away is added.
    """
    draw = rng.random()
    if draw < 0.2:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.2)), np.uint8)
    elif draw < 0.28:
        length = int(rng.integers(2, 6))
        kernel = (1, length) if rng.random() < 0.3 else (length, 1)
        picture = np.asarray(cv2.blur(picture, kernel), np.uint8)
    elif draw < 0.28 + sharpened:
        least, most = sharpness
        amount = least if least == most else rng.uniform(least, most)
        soft = cv2.GaussianBlur(picture, (0, 0), 1.0)
        picture = np.asarray(cv2.addWeighted(picture, 1 + amount, soft, -amount, 0), np.uint8)
    if rng.random() < 0.5:
        sigma = rng.uniform(1, 12)
        noise = rng.standard_normal(picture.shape, np.float32) * np.float32(sigma)
        if rng.random() < 0.3:
            noise = np.asarray(cv2.blur(noise, (2, 2)), np.float32) * 2
        picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        quality = int(rng.integers(25, 90))
        jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        picture = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)
    return picture
