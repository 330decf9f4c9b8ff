"""Lights at night, out of focus: a city behind a window, a string of lamps in a garden."""

from __future__ import annotations

import cv2
import numpy as np

from assets.painting import (
    Floats,
    Picture,
    defocus,
    defocus_layer,
    finish,
    fractal,
    gradient,
    lay,
    lay_premultiplied,
    polygon,
    rgb,
    spot,
)

_LAMPS = ("#ffd7a0", "#ffc27a", "#ffe9c8", "#ffb066", "#f4f1e6", "#cfe0ff")
_SIGNS = ("#ff5a4a", "#4fb3ff", "#5affc0", "#ff7ad0", "#ffd24a")


def city(width: int, height: int) -> Picture:
    """A city at blue hour from a high window, with the window's frame."""
    rng = np.random.default_rng(42)
    s = height / 1080
    picture = gradient(width, height, rgb("#0d1c3a"), rgb("#5c5f86"), 1.3)
    picture += spot(width, height, 1.25, 0.66, 1.3, 0.24) * rgb("#ff9a5e") * 0.55
    picture *= 1 + 0.05 * fractal(rng, width, height, 500 * s, 3)[..., None]
    for depth in range(4):
        _towers(picture, rng, depth, s)
    ground = polygon((height, width), [(0, 0.86 * height), (width, 0.84 * height), (width, height), (0, height)])
    lay(picture, rgb("#0a0f1c"), ground * 0.9)
    _avenue(picture, rng, s)
    picture = defocus(picture, 19 * s)
    _frame(picture, s)
    return finish(picture, rng, exposure=1.0, bloom=0.16, vignette=0.3)


def _towers(picture: Floats, rng: np.random.Generator, depth: int, s: float) -> None:
    """One row of towers with their lit windows; depth 0 is the farthest, paled by haze."""
    height, width = picture.shape[:2]
    haze = (0.62, 0.42, 0.22, 0.0)[depth]
    body = rgb("#0b1220") * (1 - haze) + rgb("#54597f") * haze
    x = -0.05 * height
    while x < width:
        wide = rng.uniform(0.05, 0.13) * height * (0.7 + 0.25 * depth)
        rise = min(rng.gamma(2.0, 0.055) * (1.0 + 0.35 * depth), 0.44)
        top = (0.58 - rise + 0.05 * depth) * height
        tower = polygon((height, width), [(x, top), (x + wide, top), (x + wide, height), (x, height)])
        lay(picture, body, tower)
        _windows(picture, rng, (x, top, wide), depth, s)
        if rng.random() < 0.16:  # a warning light on the roof
            _lamp(picture, x + wide / 2, top - 6 * s, 3.2 * s, rgb("#ff3b30") * 40)
        x += wide * rng.uniform(1.02, 1.5)


def _windows(
    picture: Floats, rng: np.random.Generator, tower: tuple[float, float, float], depth: int, s: float
) -> None:
    height = picture.shape[0]
    left, top, wide = tower
    step = (9, 12, 17, 24)[depth] * s
    share = rng.uniform(0.05, 0.22)
    tint = rgb(str(rng.choice(_LAMPS)))
    for y in np.arange(top + step, 0.9 * height, step * 1.15):
        lit_floor = rng.random() < 0.05
        for x in np.arange(left + step * 0.8, left + wide - step * 0.5, step):
            if rng.random() < share * (0.35 + 0.9 * (y / height) ** 2) or (lit_floor and rng.random() < 0.6):
                glow = rng.gamma(1.2, 1.0) * (1.5, 2.6, 4.0, 5.5)[depth]
                colour = tint if rng.random() < 0.75 else rgb(str(rng.choice(_LAMPS)))
                _lamp(picture, x, y, step * 0.27, colour * glow)
    if rng.random() < 0.3:
        _lamp(picture, left + wide / 2, top + 2.5 * step, step * 0.7, rgb(str(rng.choice(_SIGNS))) * 7)


def _avenue(picture: Floats, rng: np.random.Generator, s: float) -> None:
    """A street that comes towards the window: head lamps, tail lamps, street lamps."""
    height = picture.shape[0]
    for _ in range(96):
        near = rng.random() ** 1.6
        y = (0.80 + 0.22 * near) * height
        side = 1 if rng.random() < 0.5 else -1
        x = (1.02 + side * (0.02 + 0.30 * near * rng.uniform(0.3, 1.1)) + 0.1 * near) * height
        colour = rgb("#ffe8c4") * 9 if side < 0 else rgb("#ff2d1e") * 8
        _lamp(picture, x, y, (2.2 + 3.2 * near) * s, colour * rng.uniform(0.5, 1.6))
    for _ in range(60):
        near = rng.random()
        x, y = rng.uniform(-0.05, 1.85) * height, (0.76 + 0.2 * near) * height
        _lamp(picture, x, y, (2.0 + 3.0 * near) * s, rgb("#ffb259") * rng.uniform(5, 22))


def _lamp(picture: Floats, x: float, y: float, radius: float, light: Floats) -> None:
    """Add a small round light, its numbers in pixels."""
    height, width = picture.shape[:2]
    reach = int(radius) + 2
    x0, x1, y0, y1 = int(x) - reach, int(x) + reach + 1, int(y) - reach, int(y) + reach + 1
    if x0 < 0 or y0 < 0 or x1 > width or y1 > height:
        return
    distance = np.hypot(np.arange(x0, x1)[None, :] - x, np.arange(y0, y1)[:, None] - y)
    coverage = np.clip(radius - distance + 0.5, 0, 1)
    # A lamp smaller than a pixel is as bright as one that fills it is large.
    coverage *= radius**2 * np.pi / max(coverage.sum(), 1e-3) if radius < 1 else 1
    picture[y0:y1, x0:x1] += (coverage[..., None] * light).astype(np.float32)


def _frame(picture: Floats, s: float) -> None:
    """The bars of the window and its sill, nearer and so softer at the edge than the eye expects."""
    height, width = picture.shape[:2]
    bars = np.zeros((height, width), np.float32)
    for x in (0.335, 1.435):
        bars = np.maximum(
            bars, polygon((height, width), [(u * height, v * height) for u, v in _box(x, -0.1, 0.026, 1.2)])
        )
    bars = np.maximum(
        bars, polygon((height, width), [(u * height, v * height) for u, v in _box(-0.1, 0.955, 2.0, 0.1)])
    )
    light = gradient(width, height, rgb("#1b1d24"), rgb("#3a2f2a")) * 0.55
    lay_premultiplied(picture, defocus_layer(light, bars, 9 * s))


def _box(x: float, y: float, w: float, h: float) -> list[tuple[float, float]]:
    return [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]


def evening(width: int, height: int) -> Picture:
    """Strings of warm lamps before a dark garden, each as far out of focus as it is away."""
    rng = np.random.default_rng(8)
    s = height / 1080
    picture = gradient(width, height, rgb("#0d1c20"), rgb("#1b1510"), 0.9)
    picture += spot(width, height, 0.5, 0.75, 0.9, 0.5) * rgb("#7a4a22") * 0.35
    picture += spot(width, height, 1.5, 0.2, 0.8, 0.5) * rgb("#1f5a52") * 0.4
    picture *= 1 + 0.10 * cv2.GaussianBlur(fractal(rng, width, height, 400 * s, 2), (0, 0), 40 * s + 0.1)[..., None]
    # Behind everything, lit leaves so far out of focus that they are faint discs over one another.
    far = np.zeros_like(picture)
    for _ in range(260):
        x, y = rng.uniform(-0.1, 1.9) * height, rng.normal(0.62, 0.26) * height
        warm = rgb("#ff9d4d") if rng.random() < 0.7 - 0.4 * (x / height / 1.78) else rgb("#3fae98")
        _lamp(far, x, y, 2.5 * s, warm * rng.gamma(1.2, 7.0))
    picture += defocus(far, 52 * s)
    # Far strings first: the farther from the focus, the larger and fainter the disc.
    for strand, (y0, sag, radius, count, power) in enumerate(
        ((0.16, 0.10, 15, 34, 2.6), (0.34, 0.14, 23, 24, 2.4), (0.02, 0.22, 36, 15, 2.4), (0.60, 0.16, 30, 15, 1.5))
    ):
        layer = np.zeros_like(picture)
        for i in range(count):
            t = (i + rng.normal(0, 0.16)) / (count - 1)
            x = (-0.08 + 1.94 * t) * height
            y = (y0 + 0.05 * strand * (t - 0.5) + sag * 4 * t * (1 - t) + rng.normal(0, 0.006)) * height
            tint = rgb(str(rng.choice(("#ffb765", "#ffc987", "#ff9f4a", "#ffd9a6"))))
            _lamp(layer, x, y, 3.0 * s, tint * power * (radius / 3.0) ** 2 * rng.gamma(4.0, 0.055))
        picture += defocus(layer, radius * s)
    glints = np.zeros_like(picture)
    for _ in range(90):
        x, y = rng.uniform(0.02, 1.76) * height, rng.normal(0.72, 0.16) * height
        tint = rgb(str(rng.choice(("#ff8a3c", "#ffc987", "#5fd0b0", "#ffb765"))))
        _lamp(glints, x, y, 2.0 * s, tint * rng.gamma(1.5, 2.4))
    picture += defocus(glints, 12 * s)
    return finish(picture, rng, exposure=1.05, bloom=0.2, vignette=0.35)
