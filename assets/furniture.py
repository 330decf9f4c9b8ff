"""What rooms are furnished with, and what it is made of. Lengths are metres; x to the right, y up, z to the viewer."""

from __future__ import annotations

import numpy as np

from assets.painting import Floats, rgb
from assets.render import Paint, Shape, shape

_BINDINGS = (
    "#34455a",
    "#7d3a35",
    "#e8dfcc",
    "#41594d",
    "#b79a60",
    "#8f8f88",
    "#f2efe8",
    "#4a4a50",
    "#9a6650",
    "#70899a",
    "#d9cdb4",
    "#5f5163",
    "#b9b5aa",
    "#2c3947",
    "#b9805f",
    "#7b876b",
    "#cfc5b0",
    "#a9b1b3",
    "#e9e4da",
    "#5a4a3f",
)


def wood(colour: Floats, along: int, seed: int = 0) -> Paint:
    """Wood whose grain runs along an axis (0, 1, 2)."""
    phase = np.random.default_rng(seed).uniform(0, 40, 6)
    across = [axis for axis in range(3) if axis != along]

    def paint(points: Floats, half: Floats) -> Floats:
        u, v, w = points[across[0]], points[across[1]], points[along]
        wave = np.sin(3.1 * w + phase[0]) * 0.02 + np.sin(9.7 * w + phase[1]) * 0.004
        rings = np.sin((u + v + wave) * 95 + phase[2]) * 0.5 + np.sin((u * 1.3 + v + wave) * 231 + phase[3]) * 0.3
        fine = np.sin((u + v) * 1100 + 4 * np.sin(14 * w + phase[4])) * 0.25
        tone = 1 + 0.16 * rings + 0.06 * fine + 0.08 * np.sin(2.0 * w + 7 * (u + v) + phase[5])
        return np.asarray(colour[:, None] * tone[None], np.float32)

    return paint


def boards(colour: Floats, wide: float, seed: int = 0) -> Paint:
    """A floor of boards that run along z, each of its own tone."""
    rng = np.random.default_rng(seed)
    tones = rng.uniform(0.78, 1.12, 64).astype(np.float32)
    grain = wood(colour, 2, seed)

    def paint(points: Floats, half: Floats) -> Floats:
        board = np.floor(points[0] / wide)
        piece = np.floor((points[2] + board * 0.73) / 1.4)
        tone = tones[((board * 7 + piece * 13) % 64).astype(int)]
        gap = np.abs(points[0] / wide - board - 0.5) > 0.485
        return np.asarray(grain(points + tone * 3, half) * tone * np.where(gap, 0.35, 1), np.float32)

    return paint


def weave(colour: Floats, thread: float = 0.006, depth: float = 0.18) -> Paint:
    """Cloth, with its threads."""

    def paint(points: Floats, half: Floats) -> Floats:
        u, v, w = (points * (2 * np.pi / thread)).astype(np.float32)
        tone = 1 + depth * (np.sin(u + 0.6 * np.sin(w)) * np.sin(v) + 0.5 * np.sin(w) * np.sin(u))
        return np.asarray(colour[:, None] * tone[None], np.float32)

    return paint


def spine(colour: Floats, band: Floats, seed: int) -> Paint:
    """A book's back: bands, a title in small marks, and the paper seen from above."""
    rng = np.random.default_rng(seed)
    first, second = rng.uniform(0.55, 0.85), rng.uniform(-0.85, -0.5)
    marks = rng.random(64) < 0.62
    low, high = sorted(rng.uniform(-0.35, 0.6, 2))
    title = rng.random() < 0.75

    def paint(points: Floats, half: Floats) -> Floats:
        v, u = points[1] / half[1], points[0] / half[0]
        lines = (np.abs(v - first) < 0.035) | (np.abs(v - second) < 0.035)
        letter = marks[(np.floor(points[1] / 0.007) % 64).astype(int)] & (np.abs(u) < 0.42) & (v > low) & (v < high)
        colours = np.where((lines | (letter & title))[None], band[:, None], colour[:, None])
        worn = 1 + 0.05 * np.sin(points[1] * 180) * np.sin(points[0] * 300) + 0.08 * (np.abs(u) > 0.86)
        page = (np.abs(v) > 0.995) & (np.abs(u) < 0.8)
        return np.asarray(np.where(page[None], rgb("#e9e1cc")[:, None], colours * worn), np.float32)

    return paint


def books(rng: np.random.Generator, x: float, y: float, z: float, width: float, tallest: float) -> list[Shape]:
    """A row of books from x to x + width, standing on y, with their backs at z; some lean, some lie."""
    row: list[Shape] = []
    at, end = x, x + width
    while at < end - 0.02:
        thick = float(np.clip(rng.gamma(6, 0.0052), 0.014, 0.062))
        tall = float(tallest * np.clip(rng.normal(0.8, 0.1), 0.55, 0.98))
        if rng.random() < 0.03:
            at += rng.uniform(0.04, 0.12)
            continue
        if rng.random() < 0.022 and end - at > 0.3:
            row += lying(rng, at + 0.12, y, z)
            at += 0.26
            continue
        if at + thick > end:
            break
        lean = float(rng.uniform(0.06, 0.16)) if rng.random() < 0.07 else 0.0
        deep = float(rng.uniform(0.15, 0.2))
        back = z - float(rng.uniform(0.0, 0.022))
        x_at = at + thick / 2 + tall / 2 * np.sin(lean)
        row.append(
            shape(
                "box",
                (x_at, y + tall / 2 * np.cos(lean), back - deep / 2),
                (thick, tall, deep),
                _binding(rng),
                roll=-lean,
            )
        )
        at += thick + tall * np.sin(lean) + 0.0015
    return row


def lying(rng: np.random.Generator, x: float, y: float, z: float) -> list[Shape]:
    """A small pile of lying books around x."""
    pile, top = [], y
    for _ in range(int(rng.integers(2, 5))):
        thick = float(rng.uniform(0.02, 0.045))
        # Lying, a book's back is its long side to the viewer: the same paint, turned by a quarter.
        pile.append(
            shape(
                "box",
                (x + rng.normal(0, 0.006), top + thick / 2, z - 0.09),
                (thick, rng.uniform(0.19, 0.24), 0.17),
                _binding(rng),
                roll=np.pi / 2,
                yaw=rng.normal(0, 0.05),
            )
        )
        top += thick
    return pile


def _binding(rng: np.random.Generator) -> Paint:
    colour = rgb(str(rng.choice(_BINDINGS))) * float(rng.uniform(0.8, 1.1))
    band = rgb("#c8ab6c") if colour.mean() < 0.25 else colour * 0.35
    return spine(np.minimum(colour, 0.85).astype(np.float32), band, int(rng.integers(1 << 30)))


def potted(rng: np.random.Generator, x: float, y: float, z: float, size: float, pot: Floats) -> list[Shape]:
    """A plant with upright, arching leaves in a pot; `size` is its whole height."""
    high, wide = size * 0.3, size * 0.32
    things = [
        shape("tube", (x, y + high / 2, z), (wide, high, wide), pot),
        shape("tube", (x, y + high * 0.97, z), (wide * 0.92, 0.012, wide * 0.92), rgb("#2c2118")),
    ]
    for i in range(22):
        around, out = i * 2.39996 + rng.normal(0, 0.15), rng.uniform(0.12, 0.85)
        length = size * rng.uniform(0.42, 0.72) * (1.1 - 0.3 * out)
        green = rgb("#3f6b3a") * rng.uniform(0.6, 1.3) + rgb("#8fae5a") * rng.uniform(0, 0.25)
        foot = np.array([x, y + high, z])
        direction = np.array([np.sin(around) * np.sin(out), np.cos(out), np.cos(around) * np.sin(out)])
        # A leaf in two pieces, the outer one bent down.
        middle = foot + direction * length * 0.34
        things.append(_leaf(middle, around, out, length * 0.72, size * 0.085, green))
        bent = out + 0.55
        tip = np.array([np.sin(around) * np.sin(bent), np.cos(bent), np.cos(around) * np.sin(bent)])
        things.append(
            _leaf(foot + direction * length * 0.62 + tip * length * 0.2, around, bent, length * 0.5, size * 0.07, green)
        )
    return things


def _leaf(centre: Floats, around: float, out: float, length: float, wide: float, green: Floats) -> Shape:
    return shape("ball", tuple(centre), (wide, length, 0.008), np.asarray(green, np.float32), yaw=around, pitch=out)


def frame(x: float, y: float, z: float, width: float, height: float, art: Paint, rim: Floats) -> list[Shape]:
    """A framed picture on a wall at z, its middle at x, y."""
    edge = 0.022
    return [
        shape("box", (x, y, z + 0.010), (width, height, 0.02), rim),
        shape("box", (x, y, z + 0.014), (width - 2 * edge, height - 2 * edge, 0.02), rgb("#efece4")),
        shape("box", (x, y, z + 0.016), (width * 0.66, height * 0.70, 0.02), art),
    ]


def hills(seed: int, colours: tuple[str, ...]) -> Paint:
    """A picture of hills at different distances."""
    phase = np.random.default_rng(seed).uniform(0, 6, (8, 2))
    tints = [rgb(colour) for colour in colours]

    def paint(points: Floats, half: Floats) -> Floats:
        u, v = points[0] / half[0], points[1] / half[1]
        result = np.broadcast_to(tints[0][:, None], points.shape).astype(np.float32)
        for i, tint in enumerate(tints[1:]):
            ridge = 0.55 - 0.42 * i + 0.16 * np.sin(2.1 * u + phase[i, 0]) + 0.07 * np.sin(5 * u + phase[i, 1])
            result = np.where((v < ridge)[None], tint[:, None], result)
        return result

    return paint


def curtain(x: float, low: float, high: float, z: float, width: float, colour: Floats, along: str = "x") -> list[Shape]:
    """A curtain in folds, hung along x or z from its corner at x, z."""
    folds = max(2, round(width / 0.055))
    step = width / folds
    things = []
    for i in range(folds):
        at, off = (i + 0.5) * step, 0.018 * (-1) ** i
        centre = (x + at, (low + high) / 2, z + off) if along == "x" else (x + off, (low + high) / 2, z + at)
        size = (step * 1.35, high - low, 0.05) if along == "x" else (0.05, high - low, step * 1.35)
        things.append(shape("tube", centre, size, weave(colour, 0.004, 0.08)))
    return things


def sofa(x: float, z: float, width: float, cloth: Floats, cushions: tuple[Floats, ...]) -> list[Shape]:
    """A sofa with its back to the wall, its middle at x, z, with loose cushions."""
    cover = weave(cloth)
    things = [shape("box", (x, 0.24, z), (width, 0.26, 0.84), cover)]
    for side in (-1, 1):
        things.append(shape("box", (x + side * (width / 2 - 0.07), 0.42, z), (0.16, 0.42, 0.84), cover))
        things.append(shape("ball", (x + side * (width / 2 - 0.07), 0.62, z), (0.18, 0.1, 0.86), cover))
        seat = x + side * (width - 0.32) / 4
        things.append(shape("box", (seat, 0.42, z + 0.06), ((width - 0.34) / 2, 0.13, 0.68), cover))
        things.append(shape("box", (seat, 0.66, z - 0.28), ((width - 0.36) / 2, 0.42, 0.17), cover, pitch=-0.12))
        things.append(shape("ball", (seat, 0.86, z - 0.30), ((width - 0.3) / 2, 0.14, 0.19), cover))
    for i, colour in enumerate(cushions):
        at = x - width * 0.36 + i * width * (0.19 if i < 2 else 0.33)
        cloth_here = weave(colour, 0.01)
        turned = {"pitch": -0.28, "roll": 0.18 * (-1) ** i}
        at_z = z - 0.07 + 0.02 * i
        # A pillow: a ball that fills a thin square, whose corners stand out.
        things.append(shape("ball", (at, 0.68, at_z), (0.46, 0.46, 0.24), cloth_here, **turned))
        things.append(shape("box", (at, 0.68, at_z), (0.39, 0.39, 0.09), cloth_here, **turned))
    return things


def floor_lamp(x: float, z: float, height: float) -> list[Shape]:
    """A lamp on a pole; its shade glows."""
    brass = rgb("#9a7b4a")
    return [
        shape("tube", (x, 0.015, z), (0.28, 0.03, 0.28), brass),
        shape("tube", (x, height / 2, z), (0.022, height, 0.022), brass),
        shape("tube", (x, height, z), (0.38, 0.26, 0.38), rgb("#efe2c8"), glow=rgb("#ffd9a0") * 0.75),
    ]
