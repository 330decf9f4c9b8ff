"""The bundled background pictures, as `assets/backgrounds/index.toml` lists them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from assets import asset


@dataclass(frozen=True, slots=True)
class Background:
    """A bundled picture: `name` for the settings, `title` for people."""

    name: str
    title: str
    path: Path


@cache
def bundled() -> dict[str, Background]:
    """The bundled pictures by name, in the index's order."""
    index = asset("backgrounds/index.toml")
    entries = tomllib.loads(index.read_text(encoding="utf-8"))["background"]
    return {e["name"]: Background(e["name"], e["title"], index.parent / e["file"]) for e in entries}
