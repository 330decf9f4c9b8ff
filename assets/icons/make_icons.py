"""Makes the icon anew, as SVG, PNG and ICO: python -m assets.icons.make_icons.

A lit door with a person cut out of it. Its lengths are sixteenths of its side, so that edges fall on whole pixels where
the icon is smallest.
"""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from assets.painting import Picture, to_bytes

GREEN_TOP, GREEN_BOTTOM = "#177253", "#0d4735"
LIGHT_TOP, LIGHT_BOTTOM = "#d6ffe2", "#4fe09a"

CORNER = 3.5
DOOR_LEFT, DOOR_RIGHT, DOOR_BOTTOM = 3.0, 13.0, 13.0
DOOR_ROUND = 7.0
"""The height at which the door's sides go over into its half-round top."""
HEAD = (8.0, 6.0, 2.0)
"""Middle and radius."""
SHOULDERS = (8.0, 13.0, 4.0, 4.0)
"""Middle of an ellipse's upper half, and its half axes."""

SIZES = (16, 24, 32, 48, 64, 128, 256)
_DRAWN = 512
"""Drawn at least so large and then shrunk, for smooth edges."""


def svg() -> str:
    """The icon as an SVG file."""
    round_x, (x, y, r), (sx, sy, rx, ry) = (DOOR_RIGHT - DOOR_LEFT) / 2, HEAD, SHOULDERS
    door = (
        f"M{DOOR_LEFT} {DOOR_BOTTOM}V{DOOR_ROUND}A{round_x} {round_x} 0 0 1 {DOOR_RIGHT} {DOOR_ROUND}V{DOOR_BOTTOM}"
        f"H{sx + rx}A{rx} {ry} 0 0 0 {sx - rx} {sy}ZM{x - r} {y}a{r} {r} 0 1 0 {2 * r} 0a{r} {r} 0 1 0 {-2 * r} 0Z"
    )
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" width="256" height="256">
  <title>Greenroom</title>
  <defs>
    <linearGradient id="wall" x2="0" y2="1"><stop stop-color="{GREEN_TOP}"/><stop offset="1" stop-color="{GREEN_BOTTOM}"/></linearGradient>
    <linearGradient id="light" x2="0" y2="1"><stop stop-color="{LIGHT_TOP}"/><stop offset="1" stop-color="{LIGHT_BOTTOM}"/></linearGradient>
  </defs>
  <rect width="16" height="16" rx="{CORNER}" fill="url(#wall)"/>
  <path d="{door}" fill="url(#light)" fill-rule="evenodd"/>
</svg>
"""  # noqa: E501


def draw(size: int) -> Picture:
    """The icon as uint8 BGRA (size, size, 4), straight alpha."""
    large = size * -(-_DRAWN // size)
    y, x = (np.mgrid[:large, :large] + 0.5) * (16 / large)
    inner_x, inner_y = np.abs(x - 8) - (8 - CORNER), np.abs(y - 8) - (8 - CORNER)
    square = np.hypot(np.maximum(inner_x, 0), np.maximum(inner_y, 0)) <= CORNER
    round_x = (DOOR_RIGHT - DOOR_LEFT) / 2
    door = (np.abs(x - 8) <= round_x) & (y <= DOOR_BOTTOM)
    door &= (y >= DOOR_ROUND) | (np.hypot(x - 8, y - DOOR_ROUND) <= round_x)
    head = np.hypot(x - HEAD[0], y - HEAD[1]) <= HEAD[2]
    shoulders = np.hypot((x - SHOULDERS[0]) / SHOULDERS[2], (y - SHOULDERS[1]) / SHOULDERS[3]) <= 1
    lit = door & ~head & ~shoulders
    wall = _gradient(y, 0, 16, GREEN_TOP, GREEN_BOTTOM)
    light = _gradient(y, DOOR_ROUND - round_x, DOOR_BOTTOM, LIGHT_TOP, LIGHT_BOTTOM)
    colour = np.where(lit[..., None], light, wall) * square[..., None]
    fine = np.dstack([colour, square * 255.0]).astype(np.float32)
    small = cv2.resize(fine, (size, size), interpolation=cv2.INTER_AREA)
    small[..., :3] /= np.maximum(small[..., 3:] / 255, 1e-6)
    return to_bytes(small)


def _gradient(y: NDArray[np.float64], top: float, bottom: float, first: str, last: str) -> NDArray[np.float64]:
    a, b = (np.array([int(c[i : i + 2], 16) for i in (5, 3, 1)], np.float64) for c in (first, last))
    t = np.clip((y - top) / (bottom - top), 0, 1)[..., None]
    return a * (1 - t) + b * t


def ico(pictures: dict[int, bytes]) -> bytes:
    """A Windows icon file that holds PNG pictures by their size."""
    offset = 6 + 16 * len(pictures)
    head, body = struct.pack("<3H", 0, 1, len(pictures)), b""
    for size, data in pictures.items():
        side = size % 256  # 256 is written as 0
        head += struct.pack("<4B2H2I", side, side, 0, 0, 1, 32, len(data), offset + len(body))
        body += data
    return head + body


def main() -> None:
    here = Path(__file__).parent
    (here / "greenroom.svg").write_text(svg(), encoding="utf-8")
    pictures = {}
    for size in SIZES:
        _, data = cv2.imencode(".png", draw(size), [cv2.IMWRITE_PNG_COMPRESSION, 9])
        pictures[size] = data.tobytes()
        (here / f"greenroom-{size}.png").write_bytes(pictures[size])
    (here / "greenroom.ico").write_bytes(ico(pictures))


if __name__ == "__main__":
    main()
