"""One desktop for all tests of this folder, and a background for the camera."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from desktop import Desktop
from scene import write_background

SIZE = (640, 480)
"""Small, so that a busy machine without a graphics card keeps up."""


@pytest.fixture(scope="session")
def desktop() -> Iterator[Desktop]:
    with Desktop() as running:
        yield running


@pytest.fixture(scope="session")
def background(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video whose pictures tell their numbers."""
    path = tmp_path_factory.mktemp("background") / "numbers.mkv"
    write_background(path, *SIZE)
    return path
