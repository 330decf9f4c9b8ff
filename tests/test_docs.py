"""What the documents say is what the program does."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from app import settings_doc
from app.cli import _parser

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "models" / "cards").glob("*.md")])


def test_the_settings_page_is_made_from_the_table() -> None:
    written = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert written == settings_doc.text(), "run `make docs`"


def commands() -> list[str]:
    """Every `greenroom …` line in a code block of the documents."""
    found = []
    for document in DOCUMENTS:
        for block in re.findall(r"```(?:sh|console)?\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL):
            lines = block.replace("\\\n", " ").splitlines()
            found += [line.split("#")[0].strip() for line in lines if re.match(r"(\.venv/bin/)?greenroom ", line)]
    return sorted(set(found))


PICTURES = sorted([*(ROOT / "docs").rglob("*.png"), *(ROOT / "models" / "cards").glob("*.png")])


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.name)
def test_the_documents_pictures_are_whole(picture: Path) -> None:
    """A PNG that was cut off while it was written lacks its last chunk, and viewers show half of it or nothing."""
    content = picture.read_bytes()
    assert content.startswith(b"\x89PNG") and content.endswith(b"IEND\xaeB`\x82")


@pytest.mark.parametrize("command", commands())
def test_the_documents_commands_are_understood(command: str) -> None:
    arguments = shlex.split(command)[1:]
    try:
        _parser().parse_args(arguments)
    except SystemExit as stop:
        assert stop.code == 0, command


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_documents_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://")):
            assert (document.parent / target).exists(), f"{document.name} → {target}"
