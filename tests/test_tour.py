"""Views into virtual tours, on a cube whose every pixel says in which direction it lies."""

from __future__ import annotations

import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.training import tour
from models.training.gather import Source, find_picture

SIDE, TILE = 256, 128
AHEAD = {  # for each face: what lies ahead, to the right and below where one looks at it
    "f": ((0, 0, 1), (1, 0, 0), (0, 1, 0)),
    "r": ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    "b": ((0, 0, -1), (-1, 0, 0), (0, 1, 0)),
    "l": ((-1, 0, 0), (0, 0, 1), (0, 1, 0)),
    "u": ((0, -1, 0), (1, 0, 0), (0, 0, 1)),
    "d": ((0, 1, 0), (1, 0, 0), (0, 0, -1)),
}


def _face(name: str) -> np.ndarray:
    """A face whose colour is its direction's unit vector, from -1…1 to 0…255."""
    at = (np.arange(SIDE) + 0.5) / SIDE * 2 - 1
    across, down = np.meshgrid(at, at)
    ahead, right, below = (np.array(vector) for vector in AHEAD[name])
    ray = ahead + across[..., None] * right + down[..., None] * below
    ray /= np.linalg.norm(ray, axis=-1, keepdims=True)
    return np.rint((ray + 1) * 127.5).astype(np.uint8)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository with one panorama, as Marzipano cuts it."""
    for name in AHEAD:
        face = _face(name)
        for row in range(SIDE // TILE):
            for column in range(SIDE // TILE):
                place = tmp_path / f"tiles/0-hall/{tour.LEVEL}/{name}/{row}/{column}.jpg"
                place.parent.mkdir(parents=True, exist_ok=True)
                tile = face[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE]
                cv2.imwrite(str(place), tile, [cv2.IMWRITE_JPEG_QUALITY, 100])
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "a tour"]):
        subprocess.run([*git, *words], check=True)
    tour.read_atlas.cache_clear()
    return tmp_path / ".git"


@pytest.mark.parametrize("yaw", [0, 45, 90, 200, 315])
def test_a_view_looks_where_it_says(clone: Path, yaw: int) -> None:
    picture, why = find_picture(clone, Source("a/b", "HEAD", "tiles/0-hall", yaw=yaw))
    assert picture is not None, why
    height, width = picture.shape[:2]
    seen = picture.astype(np.float32) / 127.5 - 1
    turn, down = np.deg2rad(yaw), np.deg2rad(tour.DOWN)
    middle = np.sin(turn) * np.cos(down), np.sin(down), np.cos(turn) * np.cos(down)
    assert np.allclose(seen[height // 2, width // 2], middle, atol=0.04)
    # A camera's rays part evenly across its picture: the corners' lie as far from the middle's on all sides.
    corners = [float(seen[y, x] @ np.array(middle)) for y in (0, -1) for x in (0, -1)]
    assert max(corners) - min(corners) < 0.04
    # Neighbours lie in neighbouring directions: no face is turned, mirrored or swapped.
    assert np.abs(np.diff(seen, axis=0)).max() < 0.08
    assert np.abs(np.diff(seen, axis=1)).max() < 0.08


def test_a_view_goes_down_and_to_the_right(clone: Path) -> None:
    picture, _ = find_picture(clone, Source("a/b", "HEAD", "tiles/0-hall", yaw=0))
    assert picture is not None
    assert picture[180, 600, 0] > picture[180, 40, 0] + 60  # x grows to the right
    assert picture[340, 320, 1] > picture[20, 320, 1] + 60  # y grows downwards


def test_a_tour_that_lacks_a_tile_is_no_picture(clone: Path) -> None:
    assert find_picture(clone, Source("a/b", "HEAD", "tiles/1-attic", yaw=0)) == (None, "no whole panorama")
    work = clone.parent
    subprocess.run(["git", "-C", work, "rm", "-q", f"tiles/0-hall/{tour.LEVEL}/u/0/1.jpg"], check=True)
    subprocess.run(
        ["git", "-C", work, "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "lost"], check=True
    )
    tour.read_atlas.cache_clear()
    assert find_picture(clone, Source("a/b", "HEAD", "tiles/0-hall", yaw=0)) == (None, "no whole panorama")


def test_what_else_lies_in_a_tour_does_no_harm(clone: Path) -> None:
    """A name that is not ASCII, a file beside the tiles; and a tile that is none, as large files' pointers are."""
    work, level = clone.parent, f"tiles/0-hall/{tour.LEVEL}"
    commit = ["git", "-C", str(work), "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "more"]
    subprocess.run(["git", "-C", work, "mv", "tiles/0-hall", "tiles/0-café"], check=True)
    level = level.replace("hall", "café")
    (work / level / "f/0/Thumbs.db").write_bytes(b"thumbs")
    subprocess.run(["git", "-C", work, "add", "."], check=True)
    subprocess.run(commit, check=True)
    tour.read_atlas.cache_clear()
    picture, why = find_picture(clone, Source("a/b", "HEAD", "tiles/0-café", yaw=0))
    assert picture is not None, why
    (work / level / "f/0/0.jpg").write_text("version https://git-lfs.github.com/spec/v1\n")
    subprocess.run([*commit[:-2], "-qam", "pointers"], check=True)
    tour.read_atlas.cache_clear()
    assert find_picture(clone, Source("a/b", "HEAD", "tiles/0-café", yaw=0)) == (None, "no whole panorama")
