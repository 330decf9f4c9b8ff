"""Painting pictures with light instead of colours: float32 linear RGB without an upper bound, encoded at the end.

Blurring in linear light is what makes a lens blur look like one: a lamp stays bright and becomes a disc.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[Any]
"""Always float32. Not declared so, as numpy's types take the product of such an array and a number for float64."""

Picture = NDArray[np.uint8]
Points = Sequence[tuple[float, float]]

_FRACTION_BITS = 4
"""cv2 takes fractions of a pixel as fixed-point numbers."""


def floats(values: ArrayLike) -> Floats:
    """Numbers as float32."""
    return np.asarray(values, np.float32)


def to_bytes(values: Floats) -> Picture:
    """Values in 0–255 as uint8, contiguous."""
    return np.ascontiguousarray(np.clip(np.round(values), 0, 255), np.uint8)


def rgb(colour: str) -> Floats:
    """A colour such as "#ffcc88" in linear light, float32 (3,)."""
    encoded = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], np.float32) / 255
    return linear(encoded)


def linear(encoded: ArrayLike) -> Floats:
    """sRGB in 0–1 to linear light."""
    c = np.asarray(encoded, np.float32)
    return np.where(c <= 0.04045, c / 12.92, ((np.maximum(c, 0) + 0.055) / 1.055) ** 2.4).astype(np.float32)


def encoded(light: Floats) -> Floats:
    """Linear light to sRGB in 0–1."""
    c = np.clip(light, 0, 1)
    return np.where(c <= 0.0031308, 12.92 * c, 1.055 * c ** (1 / 2.4) - 0.055).astype(np.float32)


def gradient(width: int, height: int, top: Floats, bottom: Floats, power: float = 1.0) -> Floats:
    """A vertical gradient, float32 (height, width, 3)."""
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None] ** power
    return np.ascontiguousarray(np.broadcast_to(top * (1 - down) + bottom * down, (height, width, 3)), np.float32)


def spot(width: int, height: int, x: float, y: float, rx: float, ry: float, power: float = 1.0) -> Floats:
    """A soft spot of light, float32 (height, width, 1) in 0–1; the numbers are parts of the height from its centre."""
    across = (np.arange(width, dtype=np.float32)[None, :] / height - x) / rx
    down = (np.arange(height, dtype=np.float32)[:, None] / height - y) / ry
    return np.exp(-((across**2 + down**2) ** power))[..., None].astype(np.float32)


def fractal(rng: np.random.Generator, width: int, height: int, cell: float, octaves: int, fall: float = 0.5) -> Floats:
    """Cloudy noise, float32 (height, width), mean 0 and deviation 1; `cell` is the largest feature's size in pixels."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        step = max(cell / 2**octave, 1.0)
        small = rng.standard_normal((int(height / step) + 3, int(width / step) + 3)).astype(np.float32)
        whole = cv2.resize(small, None, fx=step, fy=step, interpolation=cv2.INTER_CUBIC)
        y, x = (int(rng.integers(0, max(1, int(step)))) for _ in range(2))
        total += whole[y : y + height, x : x + width] * fall**octave
    return floats((total - total.mean()) / (total.std() + 1e-6))


def polygon(shape: tuple[int, int], points: Points) -> Floats:
    """The coverage of a polygon (in pixels), float32 in 0–1, with smooth edges."""
    mask = np.zeros(shape, np.uint8)
    fixed = np.round(np.asarray(points, np.float64) * (1 << _FRACTION_BITS)).astype(np.int32)
    cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, _FRACTION_BITS)
    return mask.astype(np.float32) / 255


def lay(image: Floats, colour: Floats, coverage: Floats) -> None:
    """Lay a colour, (3,) or (H, W, 3), over the picture in place, as thick as the coverage (H, W) says."""
    image += (colour - image) * coverage[..., None]


def disc(radius: float) -> Floats:
    """The picture of a point through an open aperture: a disc with a faintly brighter rim; its sum is 1."""
    reach = int(np.ceil(radius)) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    distance = np.hypot(x, y)
    kernel = np.clip(radius - distance + 0.5, 0, 1) * (0.85 + 0.3 * np.clip(distance / max(radius, 1), 0, 1) ** 4)
    return floats(kernel / kernel.sum())


def defocus(image: Floats, radius: float) -> Floats:
    """Blur as a lens does, by a disc of this radius in pixels."""
    if radius < 0.6:
        return image
    return np.asarray(cv2.filter2D(image, -1, disc(radius), borderType=cv2.BORDER_REFLECT_101), np.float32)


def defocus_layer(colour: Floats, coverage: Floats, radius: float) -> tuple[Floats, Floats]:
    """Blur a layer with its coverage, colour premultiplied: give both to `lay_premultiplied`."""
    blurred = defocus(np.dstack([colour * coverage[..., None], coverage]), radius)
    return blurred[..., :3], np.clip(blurred[..., 3], 0, 1)


def lay_premultiplied(image: Floats, layer: tuple[Floats, Floats]) -> None:
    """Lay a blurred layer over the picture in place."""
    colour, coverage = layer
    image *= 1 - coverage[..., None]
    image += colour


def finish(
    light: Floats,
    rng: np.random.Generator,
    *,
    exposure: float = 1.0,
    bloom: float = 0.06,
    vignette: float = 0.25,
    grain: float = 0.9,
) -> Picture:
    """Develop the picture: glare of the lens, darker corners, a film's shoulder, grain against banding.

    Returns:
        uint8 BGR (H, W, 3).
    """
    height, width = light.shape[:2]
    light = light * exposure
    # Glare is wide, so a sixteenth of the picture is enough to make it.
    small = cv2.resize(np.minimum(light, 8), (max(1, width // 4), max(1, height // 4)), interpolation=cv2.INTER_AREA)
    glare = cv2.resize(cv2.GaussianBlur(small, (0, 0), max(height / 100, 0.5)), (width, height))
    light = light * (1 - bloom) + glare * bloom
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    light = light * (1 - vignette * np.clip((x**2 + y**2) / 2, 0, 1) ** 1.5)[..., None]
    developed = encoded(_shoulder(light)) * 255
    # Grain of each colour too, else JPEG's rounding shows as patches of another hue in soft grays.
    noise = rng.standard_normal((height, width, 4), dtype=np.float32) * (0.8 * grain)
    return to_bytes((developed + noise[..., :3] + noise[..., 3:])[..., ::-1])


def _shoulder(light: Floats) -> Floats:
    """Unchanged up to 0.6; above, it nears 1 ever more slowly, as film does, so that lamps keep their colour."""
    above = np.maximum(light - 0.6, 0)
    return np.where(light <= 0.6, light, 0.6 + 0.4 * above / (above + 0.4)).astype(np.float32)
