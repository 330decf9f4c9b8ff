"""The room behind the person of the sample clip: a study with much fine detail, so that it shows what a blur does."""

from __future__ import annotations

import numpy as np

from assets import furniture
from assets.painting import Floats, defocus, floats, rgb
from assets.render import Camera, Light, Paint, Scene, Shape, render, shape


def study(width: int, height: int, samples: int) -> Floats:
    """The room as a camera on a desk sees it, linear RGB, float32 (height, width, 3)."""
    rng = np.random.default_rng(31)
    scene = Scene()
    wall = _panels(rgb("#9fb0a8"))
    scene.add(shape("box", (0, -0.05, 0), (5.4, 0.1, 6.4), furniture.boards(rgb("#a9815a"), 0.13)))
    scene.add(shape("box", (0, 2.75, 0), (5.4, 0.1, 6.4), rgb("#eeebe4")))
    scene.add(
        shape("box", (0, 1.35, -2.55), (5.4, 2.8, 0.1), wall), shape("box", (2.65, 1.35, 0), (0.1, 2.8, 6.4), wall)
    )
    scene.add(shape("box", (-2.65, 1.35, 0), (0.1, 2.8, 6.4), rgb("#d9d6cc")))
    scene.add(shape("box", (0, 0.06, -2.485), (5.2, 0.12, 0.02), rgb("#e9e6df")))
    _bookcase(scene, rng, -1.62, -2.5)
    _sideboard(scene, rng, 0.55, -2.5)
    _pictures(scene)
    scene.add(*furniture.potted(rng, 2.12, 0.0, -2.1, 1.7, rgb("#b9654a")))
    scene.add(*furniture.floor_lamp(1.5, -2.05, 1.55))
    scene.add(shape("box", (0.2, 0.006, -1.2), (2.6, 0.012, 1.5), _rug()))
    scene.lights += [
        Light(floats([-2.3, 1.55, 0.4]), floats([0, 0, 0.9]), floats([0, 0.75, 0]), rgb("#eaf1ff") * 21),
        Light(floats([0.5, 2.6, 0.6]), floats([0.5, 0, 0]), floats([0, 0, 0.5]), rgb("#fff0dc") * 4.5),
        Light(floats([1.5, 1.50, -2.05]), floats([0.1, 0, 0]), floats([0, 0, 0.1]), rgb("#ffc98a") * 40),
    ]
    camera = Camera((0.0, 1.22, 0.95), (0.0, 1.27, -2.5), 42)
    # A webcam's lens is small: what is three metres away is only a little softer than the person.
    return defocus(render(scene, camera, width, height, samples, 6), 1.6 * height / 720)


def _panels(colour: Floats) -> Paint:
    """Painted panelling: upright boards up to a rail, plain paint above."""

    def paint(points: Floats, half: Floats) -> Floats:
        along = points[0] if half[0] > half[2] else points[2]
        up = points[1] + half[1]
        groove = (np.abs(along / 0.12 - np.round(along / 0.12)) < 0.045) & (up < 1.02)
        rail = (up > 1.02) & (up < 1.07)
        tone = np.where(groove, 0.55, np.where(rail, 1.12, np.where(up < 1.05, 0.92, 1.0)))
        return np.asarray(colour[:, None] * tone[None], np.float32)

    return paint


def _bookcase(scene: Scene, rng: np.random.Generator, x: float, back: float) -> None:
    """A full bookcase, 1.5 m wide, its middle at x."""
    timber, wide, deep = rgb("#8a6545"), 1.5, 0.3
    middle = back + deep / 2
    scene.add(shape("box", (x, 1.1, back + 0.01), (wide, 2.2, 0.02), furniture.wood(timber * 0.8, 1, 1)))
    levels = (0.08, 0.42, 0.76, 1.08, 1.41, 1.74, 2.08)
    scene.add(
        *(
            shape("box", (x, y - 0.012, middle), (wide, 0.024, deep), furniture.wood(timber, 0, 2 + i))
            for i, y in enumerate(levels)
        )
    )
    sides = (x - wide / 2, x, x + wide / 2)
    scene.add(
        *(
            shape("box", (s, 1.06, middle), (0.026, 2.08, deep), furniture.wood(timber, 1, 12 + i))
            for i, s in enumerate(sides)
        )
    )
    for i, y in enumerate(levels[:-1]):
        for j, left in enumerate(sides[:-1]):
            start = left + 0.02
            if (i, j) == (3, 1):
                scene.add(
                    *furniture.potted(rng, start + 0.16, y, middle, 0.3, rgb("#e5ddcd")),
                    *furniture.books(rng, start + 0.32, y, back + 0.27, 0.38, 0.27),
                )
            elif (i, j) == (4, 0):
                scene.add(*furniture.books(rng, start, y, back + 0.27, 0.45, 0.27), *_globe(start + 0.58, y, middle))
            elif (i, j) == (2, 1):
                scene.add(
                    *furniture.lying(rng, start + 0.16, y, back + 0.26),
                    *furniture.books(rng, start + 0.34, y, back + 0.27, 0.36, 0.27),
                )
            else:
                scene.add(*furniture.books(rng, start, y, back + 0.27, 0.7, 0.28))


def _globe(x: float, y: float, z: float) -> list[Shape]:
    def seas(points: Floats, half: Floats) -> Floats:
        land = np.sin(points[0] * 47 + 1) + np.sin(points[1] * 39) + np.sin(points[2] * 43 + 2 * np.sin(points[1] * 30))
        return np.where((land > 0.5)[None], rgb("#c9b27a")[:, None], rgb("#3f6f8c")[:, None]).astype(np.float32)

    brass = rgb("#a88850")
    return [
        shape("tube", (x, y + 0.01, z), (0.11, 0.02, 0.11), brass),
        shape("tube", (x, y + 0.04, z), (0.015, 0.06, 0.015), brass),
        shape("ball", (x, y + 0.15, z), (0.17, 0.17, 0.17), seas),
    ]


def _sideboard(scene: Scene, rng: np.random.Generator, x: float, back: float) -> None:
    """A low painted sideboard with an oak top, books and a vase on it."""
    # Painted, since the person's orange sleeve before brown wood is more than a small network can tell apart.
    painted, deep = rgb("#35525c"), 0.42
    middle = back + deep / 2
    things = [
        shape("box", (x, 0.43, middle), (1.5, 0.54, deep), painted * 0.8),
        shape("box", (x, 0.71, middle), (1.54, 0.02, deep + 0.02), furniture.wood(rgb("#b08258"), 0, 40)),
    ]
    for side in (-0.5, 0.0, 0.5):
        knob = (x + side + 0.19, 0.48, middle + deep / 2 + 0.016)
        things.append(shape("box", (x + side, 0.44, middle + 0.008), (0.488, 0.5, deep), painted))
        things.append(shape("tube", knob, (0.02, 0.1, 0.02), rgb("#b0904f")))
    things += [shape("tube", (x + side, 0.08, middle), (0.04, 0.16, 0.04), rgb("#3a332c")) for side in (-0.68, 0.68)]
    vase = rgb("#d8d2c4")
    things += [
        shape("ball", (x - 0.52, 0.86, middle), (0.2, 0.28, 0.2), vase),
        shape("tube", (x - 0.52, 1.0, middle), (0.08, 0.08, 0.08), vase),
    ]
    scene.add(*things)
    scene.add(
        *furniture.lying(rng, x + 0.02, 0.72, middle + 0.08),
        *furniture.books(rng, x + 0.2, 0.72, middle + 0.08, 0.36, 0.26),
    )


def _pictures(scene: Scene) -> None:
    """Framed pictures in a loose group on the wall."""
    dark, oak = rgb("#26231f"), rgb("#a98358")
    sets = (
        (-0.52, 1.78, 0.42, 0.56, 3, ("#eadfcb", "#d8b48a", "#b9785a", "#5f5148"), dark),
        (0.02, 1.94, 0.5, 0.4, 12, ("#dfe6ea", "#9fb4c0", "#5f7f92", "#2f4a5c"), oak),
        (0.02, 1.47, 0.36, 0.44, 21, ("#f0e4d0", "#d99a6c", "#8c4f43", "#3f2c33"), dark),
        (0.58, 1.74, 0.5, 0.66, 27, ("#e7e6dc", "#b9c4b8", "#7d948a", "#46605b"), oak),
        (1.08, 1.9, 0.34, 0.44, 33, ("#efe7da", "#c7b3a0", "#907a70", "#4a4246"), dark),
    )
    for x, y, wide, high, seed, colours, rim in sets:
        scene.add(*furniture.frame(x, y, -2.5, wide, high, furniture.hills(seed, colours), rim))


def _rug() -> Paint:
    ground, stripe = rgb("#a8503f"), rgb("#e3d3b8")

    def paint(points: Floats, half: Floats) -> Floats:
        diamonds = np.abs(np.mod(points[0], 0.3) - 0.15) + np.abs(np.mod(points[2], 0.3) - 0.15)
        line = (np.abs(diamonds - 0.12) < 0.02) | (np.abs(np.abs(points[0]) - half[0] + 0.1) < 0.02)
        return np.where(line[None], stripe[:, None], ground[:, None]).astype(np.float32)

    return paint
