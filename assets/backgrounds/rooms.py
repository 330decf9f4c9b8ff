"""Rooms behind a person: traced with light, then out of focus as a camera that looks at the person shows them."""

from __future__ import annotations

import cv2
import numpy as np

from assets import furniture
from assets.painting import Floats, Picture, defocus, finish, floats, rgb
from assets.render import Camera, Light, Scene, Shape, Sun, render, shape

_SCALE = 2
"""Rooms are traced at half size: the lens blurs finer detail anyway. `samples` are paths of light a pixel."""


def _develop(
    scene: Scene, camera: Camera, width: int, height: int, *, samples: int, seed: int, blur: float, exposure: float
) -> Picture:
    small = (max(2, width // _SCALE), max(2, height // _SCALE))
    light = cv2.resize(render(scene, camera, *small, samples, seed), (width, height), interpolation=cv2.INTER_CUBIC)
    light = defocus(np.maximum(light, 0), blur * height / 1080)
    return finish(light, np.random.default_rng(seed), exposure=exposure, bloom=0.1, vignette=0.25)


def bookshelf(width: int, height: int, samples: int = 12) -> Picture:
    """A wall of walnut shelves in the light of a window on the left and a lamp on the right."""
    rng = np.random.default_rng(77)
    scene = Scene()
    timber = rgb("#8d6546")
    scene.add(shape("box", (0, 1.4, -0.36), (8, 4, 0.04), rgb("#6b4d36")))
    scene.add(shape("box", (0, -0.05, 1), (12, 0.1, 8), rgb("#7d6a55")))
    scene.add(shape("box", (0, 3.0, 1), (12, 0.1, 8), rgb("#d8d2c6")))
    levels = (0.42, 0.79, 1.14, 1.49, 1.86, 2.22)
    for i, y in enumerate(levels):
        scene.add(shape("box", (0, y - 0.014, -0.17), (7.0, 0.028, 0.34), furniture.wood(timber, 0, i)))
    posts = (-2.62, -1.66, -0.70, 0.26, 1.22, 2.18)
    scene.add(
        *(
            shape("box", (x, 1.4, -0.17), (0.03, 3.0, 0.345), furniture.wood(timber, 1, 20 + i))
            for i, x in enumerate(posts)
        )
    )
    for x in posts[:-1]:
        for y in levels:
            scene.add(*_bay(rng, x + 0.015, y))
    scene.lights += [
        Light(floats([-3.4, 1.9, 2.6]), floats([0.45, 0, 0.75]), floats([0, 0.95, 0]), rgb("#f3efe6") * 30),
        Light(floats([2.3, 2.35, 1.1]), floats([0.22, 0, 0.1]), floats([0, 0.16, 0.1]), rgb("#ffc27e") * 150),
    ]
    camera = Camera((0.30, 1.42, 2.35), (-0.18, 1.36, -0.2), 40)
    return _develop(scene, camera, width, height, samples=samples, seed=3, blur=13, exposure=0.9)


def _bay(rng: np.random.Generator, x: float, y: float) -> list[Shape]:
    """One compartment, 0.93 m wide: books, and now and then something else beside them."""
    choice = rng.random()
    if choice < 0.20:
        left = rng.random() < 0.5
        pot = rgb(str(rng.choice(("#cfc7b8", "#b7643f", "#57636b"))))
        things = furniture.potted(rng, x + (0.14 if left else 0.78), y, -0.14, rng.uniform(0.24, 0.3), pot)
        return things + furniture.books(rng, x + (0.28 if left else 0.01), y, -0.03, 0.63, 0.29)
    if choice < 0.32:
        things = furniture.books(rng, x + 0.01, y, -0.03, 0.55, 0.29)
        vase = rgb(str(rng.choice(("#b7643f", "#e7e0d2", "#3f5d63"))))
        things.append(shape("ball", (x + 0.74, y + 0.085, -0.14), (0.15, 0.17, 0.15), vase))
        things.append(shape("tube", (x + 0.74, y + 0.17, -0.14), (0.055, 0.09, 0.055), vase))
        return things
    if choice < 0.42:
        things = furniture.lying(rng, x + 0.17, y, -0.03)
        art = furniture.hills(int(rng.integers(99)), ("#e9d8bd", "#b8977a", "#6f6a6a", "#39424c"))
        things += furniture.frame(x + 0.46, y + 0.13, -0.12, 0.2, 0.25, art, rgb("#2a221c"))
        return things + furniture.books(rng, x + 0.62, y, -0.03, 0.3, 0.29)
    return furniture.books(rng, x + 0.005, y, -0.03, 0.92, 0.3)


def living(width: int, height: int, samples: int = 16) -> Picture:
    """A living room with the morning sun on its back wall."""
    rng = np.random.default_rng(19)
    scene = Scene(sky=_garden)
    wall = rgb("#dcd6c8")
    scene.add(shape("box", (0.1, -0.05, 0.8), (5.2, 0.1, 6), furniture.boards(rgb("#b08a5f"), 0.14)))
    scene.add(shape("box", (0.1, 2.75, 0.8), (5.2, 0.1, 6), rgb("#eeece6")))
    scene.add(
        shape("box", (0.1, 1.35, -1.65), (5.2, 2.8, 0.1), wall), shape("box", (2.65, 1.35, 0.8), (0.1, 2.8, 6), wall)
    )
    scene.add(shape("box", (0.1, 1.35, 3.75), (5.2, 2.8, 0.1), wall))
    scene.add(*_wall_with_window(-2.25, (0.55, 2.3), (-1.15, 0.45), wall))
    scene.add(shape("box", (0.1, 0.05, -1.59), (5.2, 0.1, 0.02), rgb("#f0eee8")))
    scene.add(*furniture.curtain(-2.08, 0.03, 2.5, -1.5, 0.38, rgb("#ddd5c6"), "z"))
    scene.add(*furniture.curtain(-2.08, 0.03, 2.5, 0.42, 0.4, rgb("#ddd5c6"), "z"))
    scene.add(*furniture.sofa(0.45, -1.14, 2.05, rgb("#5e6f74"), (rgb("#c79b57"), rgb("#e6dfd0"), rgb("#a4583f"))))
    scene.add(*furniture.potted(rng, -1.55, 0.0, -1.05, 1.5, rgb("#c8bfae")))
    scene.add(*furniture.floor_lamp(1.92, -1.15, 1.62))
    first = furniture.hills(4, ("#eadfcb", "#d8b48a", "#b9785a", "#5f5148"))
    second = furniture.hills(9, ("#e7e6dc", "#b9c4b8", "#7d948a", "#46605b"))
    scene.add(*furniture.frame(0.12, 1.55, -1.6, 0.52, 0.7, first, rgb("#2d2a27")))
    scene.add(*furniture.frame(0.78, 1.55, -1.6, 0.52, 0.7, second, rgb("#2d2a27")))
    scene.lights += [
        Light(floats([-2.15, 1.42, -0.35]), floats([0, 0, 0.78]), floats([0, 0.86, 0]), rgb("#dbe8ff") * 5.5),
        Light(floats([1.92, 1.5, -1.15]), floats([0.1, 0, 0]), floats([0, 0, 0.1]), rgb("#ffc98a") * 9),
    ]
    scene.sun = Sun(_unit(-0.80, 0.27, 0.50), rgb("#ffdcae") * 5.0)
    camera = Camera((0.15, 1.3, 2.75), (0.02, 1.22, -1.6), 36)
    return _develop(scene, camera, width, height, samples=samples, seed=5, blur=12, exposure=1.35)


def _garden(directions: Floats) -> Floats:
    """What is seen through a window: bright sky over trees."""
    leaves = 0.16 + 0.05 * np.sin(directions[2] * 23) + 0.03 * np.sin(directions[2] * 61 + 2)
    sky, trees = rgb("#e8f1ff") * 3.2, rgb("#a9bf8a") * 1.3
    return np.where((directions[1] > leaves)[None], sky[:, None], trees[:, None]).astype(np.float32)


def _wall_with_window(x: float, rows: tuple[float, float], span: tuple[float, float], paint: Floats) -> list[Shape]:
    """A wall across x with a window from y rows[0] to rows[1] and z span[0] to span[1], two by three panes."""
    (low, high), (back, front) = rows, span
    middle, deep = (back + front) / 2, front - back
    pieces = [
        shape("box", (x, low / 2, 0.8), (0.2, low, 6), paint),
        shape("box", (x, (high + 2.8) / 2, 0.8), (0.2, 2.8 - high, 6), paint),
        shape("box", (x, 1.35, (back - 2.2) / 2), (0.2, 2.8, 2.2 + back), paint),
        shape("box", (x, 1.35, (front + 3.8) / 2), (0.2, 2.8, 3.8 - front), paint),
    ]
    white = rgb("#f1efea")
    uprights, bars = (back, middle, front), np.linspace(low, high, 4)
    pieces += [shape("box", (x, (low + high) / 2, z), (0.07, high - low, 0.055), white) for z in uprights]
    pieces += [shape("box", (x, float(y), middle), (0.06, 0.05, deep), white) for y in bars]
    pieces.append(shape("box", (x + 0.11, low - 0.01, middle), (0.16, 0.03, deep + 0.1), white))
    return pieces


def _unit(x: float, y: float, z: float) -> Floats:
    direction = floats([x, y, z])
    return np.asarray(direction / np.linalg.norm(direction), np.float32)
