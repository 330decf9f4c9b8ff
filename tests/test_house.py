"""Who may import whom, and what every module must keep."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TRAINING = ("models/architectures", "models/training")


def modules(folder: str) -> Iterator[Path]:
    yield from (ROOT / folder).rglob("*.py")


def imports(path: Path) -> set[str]:
    """Full names of all modules a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def belongs(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


RULES = [
    ("models", ("app", "backends"), ()),
    ("backends", ("app", "models"), ()),
    ("app", ("PySide6",), ("app/gui",)),
    ("backends", ("PySide6",), ()),
    ("models", ("PySide6",), ()),
    ("app", ("torch", "models.training", "models.architectures"), ()),
    ("backends", ("torch",), ()),
    ("models", ("torch", "models.training", "models.architectures"), (*TRAINING, "models/evaluation")),
    ("app", ("app.gui",), ("app/gui", "app/cli.py")),
]


@pytest.mark.parametrize(("folder", "forbidden", "except_for"), RULES)
def test_who_imports_whom(folder: str, forbidden: tuple[str, ...], except_for: tuple[str, ...]) -> None:
    checked = 0
    for path in modules(folder):
        relative = path.relative_to(ROOT).as_posix()
        if relative.startswith(except_for):
            continue
        checked += 1
        wrong = {name for name in imports(path) for package in forbidden if belongs(name, package)}
        assert not wrong, f"{relative} must not import {sorted(wrong)}"
    assert checked


def test_core_runs_without_qt_and_torch() -> None:
    """Importing the whole core in a fresh interpreter loads neither Qt nor torch."""
    core = [
        path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
        for folder in ("app", "backends")
        for path in modules(folder)
        if "gui" not in path.parts and path.name != "__main__.py"
    ]
    script = (
        "import importlib, sys\n"
        f"for name in {core!r}: importlib.import_module(name)\n"
        "loaded = [n for n in ('PySide6', 'torch', 'tensorflow') if n in sys.modules]\n"
        "sys.exit(', '.join(loaded) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
