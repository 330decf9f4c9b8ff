"""Makes the bundled background pictures anew: python -m assets.backgrounds.make_backgrounds [NAME …]."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import cv2

from assets.backgrounds import garden, lights, rooms, studio
from assets.painting import Picture

Maker = Callable[[int, int], Picture]

MAKERS: dict[str, Maker] = {
    "bookshelf": rooms.bookshelf,
    "living": rooms.living,
    "canvas": studio.canvas,
    "plaster": studio.plaster,
    "paper": studio.paper,
    "leaves": garden.leaves,
    "city": lights.city,
    "evening": lights.evening,
}
"""Each picture's maker, from width and height to uint8 BGR; the names are those of index.toml."""

SIZE = (1920, 1080)
ENCODING = (cv2.IMWRITE_JPEG_QUALITY, 85, cv2.IMWRITE_JPEG_CHROMA_QUALITY, 93, cv2.IMWRITE_JPEG_OPTIMIZE, 1)
"""Below, soft gradients show steps, first in colour; above, files grow and nothing more can be seen."""


def main(names: list[str]) -> None:
    for name in names or MAKERS:
        picture = MAKERS[name](*SIZE)
        _, data = cv2.imencode(".jpg", picture, ENCODING)
        Path(__file__).with_name(f"{name}.jpg").write_bytes(data.tobytes())
        print(f"{name}.jpg: {data.size / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
