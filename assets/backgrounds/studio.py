"""Backdrops of a studio: painted canvas, a plaster wall in morning light, layers of paper."""

from __future__ import annotations

import cv2
import numpy as np

from assets.painting import Floats, Picture, defocus, finish, floats, fractal, gradient, lay, polygon, rgb, spot


def canvas(width: int, height: int) -> Picture:
    """A hand-painted backdrop in blue-grey, lit from above left."""
    rng = np.random.default_rng(11)
    s = height / 1080
    tone = 0.5 * fractal(rng, width, height, 300 * s, 2, 0.7) + 0.45 * fractal(rng, width, height, 90 * s, 4, 0.7)
    strokes = fractal(rng, width, height, 70 * s, 3, 0.8)
    strokes = cv2.GaussianBlur(strokes, (0, 0), 16 * s + 0.1, sigmaY=4 * s + 0.1)
    tone += 0.35 * strokes / (strokes.std() + 1e-6)
    light, dark = rgb("#8f9aa2"), rgb("#46515a")
    mix = 1 / (1 + np.exp(-0.42 * tone))[..., None]
    picture = dark * (1 - mix) + light * mix
    lit = 0.16 + 1.25 * spot(width, height, 0.74, 0.42, 0.80, 0.62, 0.85)
    return finish(defocus((picture * lit).astype(np.float32), 4 * s), rng, exposure=1.05, vignette=0.35)


def plaster(width: int, height: int) -> Picture:
    """A warm plaster wall with the light of a window and the shadow of a palm on it."""
    rng = np.random.default_rng(5)
    s = height / 1080
    relief = 0.6 * fractal(rng, width, height, 26 * s, 4, 0.7) + fractal(rng, width, height, 300 * s, 3)
    # Light that grazes the wall shows its relief.
    slope = cv2.Sobel(cv2.GaussianBlur(relief, (0, 0), 2 * s + 0.1), cv2.CV_32F, 1, 0, ksize=3)
    slope /= slope.std() + 1e-6
    colour = rgb("#e2d3c0") * (1 + 0.025 * relief[..., None])
    shade = rgb("#8f93a0") * 0.62 * (0.75 + 0.45 * spot(width, height, 0.5, 0.3, 1.5, 1.1))
    sun = _window(width, height) * (1 - 0.88 * _palm(width, height, rng))
    sun = cv2.GaussianBlur(sun, (0, 0), 7 * s + 0.1)[..., None]
    bounce = 0.10 * rgb("#ffd9a8") * spot(width, height, 1.1, 0.6, 1.0, 0.8)
    light = shade + bounce + sun * rgb("#ffe2b8") * 0.86 * (1 + 0.05 * slope[..., None])
    return finish((colour * light).astype(np.float32), rng, exposure=1.12, vignette=0.2)


def _window(width: int, height: int) -> Floats:
    """Where the sun falls through a window with bars, from the left, float32 in 0–1."""
    lit = np.zeros((height, width), np.float32)
    for column in range(3):
        for row in range(4):
            x, y = 0.38 + 0.37 * column, -0.16 + 0.31 * row
            corners = [(x, y), (x + 0.335, y), (x + 0.335, y + 0.28), (x, y + 0.28)]
            # Slanted rays shear the window, and its far side is larger.
            skewed = [((u + 0.34 * (v - 0.4)) * height, (v * (1 + 0.16 * u) - 0.11 * u) * height) for u, v in corners]
            lit = np.maximum(lit, polygon((height, width), skewed))
    return lit


def _palm(width: int, height: int, rng: np.random.Generator) -> Floats:
    """The shadow of palm leaves, float32 in 0–1."""
    shadow = np.zeros((height, width), np.float32)
    for angle, length in ((-2.75, 0.95), (-2.3, 0.9), (-2.05, 0.62), (-3.15, 0.85), (-3.5, 0.6)):
        shadow = np.maximum(shadow, _frond(width, height, (1.83, 0.98), angle, length, rng))
    return shadow


def _frond(
    width: int, height: int, root: tuple[float, float], angle: float, length: float, rng: np.random.Generator
) -> Floats:
    shape, shadow = (height, width), np.zeros((height, width), np.float32)
    steps = np.linspace(0, 1, 34)
    bend = 0.7 * (1 if np.cos(angle) < 0 else -1)
    heading = angle - bend * steps**1.5
    along = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], axis=1), axis=0) * length / 34 + root
    for i in range(4, 34):
        leaflet = length * 0.36 * np.sin(np.pi * (0.12 + 0.86 * steps[i])) * rng.uniform(0.9, 1.08)
        for side in (-1, 1):
            turn = heading[i] + side * (1.0 - 0.5 * steps[i]) + rng.normal(0, 0.05)
            direction, across = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
            base, wide = along[i], 0.0105 * (1.1 - 0.5 * steps[i])
            points = [base, base + direction * leaflet * 0.35 + across * wide]
            points += [base + direction * leaflet, base + direction * leaflet * 0.35 - across * wide]
            shadow = np.maximum(shadow, polygon(shape, [(x * height, y * height) for x, y in points]))
    stem = np.zeros(shape, np.uint8)
    cv2.polylines(stem, [np.int32(along * height * 16)], False, 255, max(1, round(0.006 * height)), cv2.LINE_AA, 4)
    return np.maximum(shadow, stem.astype(np.float32) / 255)


def paper(width: int, height: int) -> Picture:
    """Waves of cut paper from deep blue to sand, each casting its shadow on the next."""
    rng = np.random.default_rng(23)
    s = height / 1080
    fibre = fractal(rng, width, height, 5 * s + 1, 3, 0.8)
    fibre = cv2.GaussianBlur(fibre, (0, 0), 1.1 * s + 0.1, sigmaY=0.5 * s + 0.1)
    fibre /= fibre.std() + 1e-6
    tints = ["#eef0ea", "#d9e3e1", "#b6cfd3", "#86aebb", "#578a9f", "#33677f", "#1f4a63", "#143247"]
    picture = gradient(width, height, rgb(tints[0]), rgb(tints[0]) * 0.92)
    across = np.linspace(0, width / height, width, dtype=np.float32)
    for layer, tint in enumerate(tints[1:], start=1):
        edge = 0.12 + 0.118 * layer + 0.10 * (across - 0.9) * np.cos(layer * 1.7)
        for wave in range(1, 4):
            edge = edge + 0.062 / wave * np.sin(across * (1.5 + 1.3 * wave) + layer * 2.1 * wave + wave)
        down = np.arange(height, dtype=np.float32)[:, None]
        sheet = np.clip(down - edge[None, :] * height + 0.5, 0, 1).astype(np.float32)
        for sigma, reach, dark in ((30, 16, 0.30), (9, 6, 0.26)):
            moved = cv2.warpAffine(sheet, floats([[1, 0, -0.7 * reach * s], [0, 1, -reach * s]]), (width, height))
            moved[-int(reach * s) - 2 :] = 1
            picture *= 1 - dark * cv2.GaussianBlur(moved, (0, 0), sigma * s + 0.1)[..., None]
        body = rgb(tint) * (1 + 0.16 * spot(width, height, 0.4, 0.1, 1.6, 1.1)) * (1 + 0.022 * fibre[..., None])
        rim = np.clip(1 - np.abs(down - edge[None, :] * height - 1.5 * s) / (1.6 * s + 0.2), 0, 1).astype(np.float32)
        lay(picture, body.astype(np.float32), sheet)
        picture += 0.10 * rim[..., None] * rgb(tint)
    return finish(picture, rng, exposure=0.95, bloom=0.02, vignette=0.18)
