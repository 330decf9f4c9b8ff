"""Views into the panoramas of virtual tours, kept as Marzipano keeps them: six faces of a cube, cut into tiles.

A panorama is a folder `<level>/<face>/<row>/<column>.jpg`, where level 1 is the coarsest and a face one of `FACES`
(marzipano.net/docs.html, "CubeGeometry").
"""

from __future__ import annotations

import re
import subprocess
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
TILE = re.compile(r"\d+ blob (?P<blob>\w+)\t.*/(?P<face>[bdflru])/(?P<row>\d+)/(?P<column>\d+)\.jpg", re.DOTALL)
"""A line of `git ls-tree` that names a tile."""
FACES = "frblud"
"""In the order in which they lie beside each other in an atlas."""
LEVEL = 2
"""Of 1,024 pixels a face, 90° of view: enough for a view of 640; the next one's are often enlarged ones."""
DOWN = 10.0
"""Degrees by which a view looks down: a tour's camera stands higher than a webcam, and sees too little of beds."""


def _git(git: Path, *words: str, given: bytes | None = None) -> bytes:
    return subprocess.run(["git", "--git-dir", git, *words], input=given, capture_output=True).stdout


def _pictures(git: Path, names: list[str]) -> list[Picture] | None:
    """The pictures in objects, read in one go: a process for each of a panorama's tiles would take a second.

    None if one is missing or no picture.
    """
    answer, pictures, at = _git(git, "cat-file", "--batch", given="\n".join(names).encode() + b"\n"), [], 0
    for _ in names:
        end = answer.find(b"\n", at)
        size = answer[at:end].split()[-1]
        if not size.isdigit():  # "missing"
            return None
        file = np.frombuffer(answer[end + 1 : end + 1 + int(size)], np.uint8)
        picture = cv2.imdecode(file, cv2.IMREAD_COLOR)
        if picture is None:
            return None
        pictures.append(np.asarray(picture, np.uint8))
        at = end + int(size) + 2
    return pictures


@lru_cache(maxsize=1)
def read_atlas(git: Path, commit: str, folder: str) -> Picture | None:
    """A panorama's six faces beside each other, uint8 BGR (side, 6 × side, 3); None if a tile is missing or no picture.

    The last one is kept, for a list has a panorama's views one after another.
    """
    listed = b""
    for where in (commit, "HEAD"):  # a shallow clone may lack the commit
        listed = listed or _git(git, "ls-tree", "-r", "-z", where, "--", f"{folder}/{LEVEL}/")
    tiles = {}
    for line in listed.decode(errors="replace").split("\0"):
        if found := TILE.fullmatch(line):
            tiles[found["face"], int(found["row"]), int(found["column"])] = found["blob"]
    across = 1 + max((column for _, _, column in tiles), default=-1)
    order = [(face, row, column) for face in FACES for row in range(across) for column in range(across)]
    if not tiles or any(key not in tiles for key in order):
        return None
    pictures = _pictures(git, [tiles[key] for key in order])
    if pictures is None:
        return None
    faces = [
        np.vstack([np.hstack(pictures[at + across * row : at + across * (row + 1)]) for row in range(across)])
        for at in range(0, len(order), across**2)
    ]
    return np.asarray(np.hstack(faces), np.uint8)


def view(atlas: Picture, yaw: float, field_of_view: float, size: tuple[int, int]) -> Picture:
    """What a camera in the middle of the cube sees, `DOWN` below the horizon.

    Args:
        atlas: from `read_atlas`.
        yaw: degrees to the right of the front face's middle.
        field_of_view: degrees across.
        size: (width, height) of the view.
    """
    width, height = size
    side = atlas.shape[0]
    x = np.tan(np.deg2rad(field_of_view / 2)) * np.linspace(-1, 1, width, dtype=np.float32)
    y = x[-1] * height / width * np.linspace(-1, 1, height, dtype=np.float32)
    right, below = np.meshgrid(x, y)
    pitch, turn = np.deg2rad(DOWN), np.deg2rad(yaw)
    below, ahead = below * np.cos(pitch) + np.sin(pitch), np.cos(pitch) - below * np.sin(pitch)
    right, ahead = right * np.cos(turn) + ahead * np.sin(turn), ahead * np.cos(turn) - right * np.sin(turn)
    far = np.maximum.reduce([abs(right), abs(below), abs(ahead)])
    # Which face each ray meets, and where on it, from -1 to 1: seen from inside, f is ahead, u joins its upper edge.
    meets = [ahead == far, right == far, -ahead == far, -right == far, -below == far, below == far]
    face = np.select(meets, range(6))
    across = np.select(meets, [right, -ahead, -right, ahead, right, right]) / far
    down = np.select(meets, [below, below, below, below, ahead, -ahead]) / far
    # Clipped to the face: what is beside it in the atlas is not what is beside it in the cube.
    at = np.clip((across + 1) / 2 * side - 0.5, 0, side - 1) + face * side
    seen = cv2.remap(
        atlas,
        at.astype(np.float32),
        np.clip((down + 1) / 2 * side - 0.5, 0, side - 1).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(seen, np.uint8)
