"""Leaves in the sun, before a garden far out of focus."""

from __future__ import annotations

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


def leaves(width: int, height: int) -> Picture:
    """Twigs that hang in from both sides, three layers deep; the middle is left free for the person."""
    rng = np.random.default_rng(61)
    s = height / 1080
    picture = gradient(width, height, rgb("#cfdca0"), rgb("#4f6f3c"), 0.8)
    picture += spot(width, height, 1.25, 0.12, 0.9, 0.6) * rgb("#fff3c4") * 0.9
    picture *= 1 + 0.16 * fractal(rng, width, height, 420 * s, 2)[..., None]
    glints = np.zeros_like(picture)
    for _ in range(150):
        x, y = rng.uniform(-0.05, 1.83) * height, rng.beta(1.3, 2.2) * height
        patch = polygon((height, width), _ring(x, y, 4 * s))
        glints += patch[..., None] * rgb(str(rng.choice(("#f6ffc9", "#c9e88a", "#fff2c0")))) * rng.gamma(1.3, 16)
    picture += defocus(glints, 46 * s)
    for radius, count, size, dark in ((38, 40, 0.20, 0.40), (27, 34, 0.24, 0.62), (17, 22, 0.30, 0.85)):
        colour, coverage = np.zeros_like(picture), np.zeros((height, width), np.float32)
        for side in (-1, 1):
            _bush(colour, coverage, rng, side, count, size, dark)
        lay_premultiplied(picture, defocus_layer(colour, coverage, radius * s))
    return finish(picture, rng, exposure=0.9, bloom=0.18, vignette=0.3)


def _ring(x: float, y: float, radius: float) -> list[tuple[float, float]]:
    return [(x + radius * np.cos(a), y + radius * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 12, endpoint=False)]


def _bush(
    colour: Floats, coverage: Floats, rng: np.random.Generator, side: int, count: int, size: float, dark: float
) -> None:
    """Leaves along twigs that come from the frame's left (-1) or right (1) edge."""
    height, width = coverage.shape
    edge = 0.0 if side < 0 else width / height
    for _ in range(max(1, count // 6)):
        x, y = edge + side * 0.05, rng.uniform(-0.15, 1.05)
        heading = (0 if side < 0 else np.pi) + rng.normal(0.15, 0.5) * (1 if side < 0 else -1)
        for step in range(6):
            x, y = x + 0.062 * np.cos(heading), y + 0.062 * np.sin(heading)
            heading += rng.normal(0, 0.12)
            for turn in (-1, 1):
                length = size * rng.uniform(0.7, 1.1) * (1 - 0.07 * step)
                _leaf(colour, coverage, rng, (x, y), heading + turn * rng.uniform(0.5, 1.1), length, dark)


def _leaf(
    colour: Floats,
    coverage: Floats,
    rng: np.random.Generator,
    foot: tuple[float, float],
    angle: float,
    length: float,
    dark: float,
) -> None:
    """One pointed leaf; its two halves catch the light differently, and its rib is pale."""
    height, width = coverage.shape
    t = np.linspace(0, 1, 14)
    bend = angle + 0.5 * t**1.5 * rng.normal(0.6, 0.3)
    spine = np.array(foot) + np.cumsum(np.stack([np.cos(bend), np.sin(bend)], axis=1), axis=0) * length / 14
    wide = length * rng.uniform(0.17, 0.23) * np.sin(np.pi * t**0.8) ** 0.8
    across = np.stack([-np.sin(bend), np.cos(bend)], axis=1) * wide[:, None]
    base = rgb(str(rng.choice(("#4f8a36", "#6aa144", "#3f7438", "#86b552")))) * dark
    lit = float(rng.uniform(1.2, 2.2))
    for half, light in ((across, lit), (-across, lit * 0.68)):
        outline = [*(spine * height), *((spine + half)[::-1] * height)]
        mask = polygon((height, width), [(float(u), float(v)) for u, v in outline])
        lay(colour, base * light, mask)
        np.maximum(coverage, mask, out=coverage)
    rib = [*(spine * height), *((spine + across * 0.06)[::-1] * height)]
    lay(colour, base * lit * 1.5, polygon((height, width), [(float(u), float(v)) for u, v in rib]))
