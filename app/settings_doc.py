"""Writes `docs/settings.md` from the table of settings: `python -m app.settings_doc > docs/settings.md`."""

from __future__ import annotations

from typing import Any

from app.settings import Option, Settings

INTRODUCTION = """# Settings

Made from the table in `app/settings.py` by `make docs`; do not edit.

The window and `greenroom run` read the same file, `settings.json` in the configuration folder of the platform (Linux:
`~/.config/greenroom`). A flag of the command line holds for that run only. A value that cannot be used is reported and
replaced by its default, and the file as it was is kept beside as `settings.json.broken`.

| setting | flag | default | what it may be | what it does |
|---|---|---|---|---|
"""


def text() -> str:
    """The whole page, Markdown."""
    return INTRODUCTION + "".join(_row(name, option, default) for name, option, default in Settings().items())


def _row(name: str, option: Option, default: Any) -> str:
    shown = " ".join(default) if isinstance(default, tuple) else default
    flag = f"`{option.flag}`" if option.flag else ""
    if isinstance(default, bool):
        shown = "yes" if default else "no"
        flag = flag and f"{flag}, `--no-{name.replace('_', '-')}`"
    # A bar in a pattern would end the table's cell.
    cells = [f"`{name}`", flag, f"`{shown}`" if shown != "" else "", _range(option, default), option.help]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _range(option: Option, default: Any) -> str:
    if option.choices:
        return ", ".join(f"`{choice}`" for choice in option.choices)
    if option.maximum < float("inf"):
        return f"{option.minimum:g} to {option.maximum:g}"
    if isinstance(default, bool):
        return "yes or no"
    return "one or more texts" if isinstance(default, tuple) else "text"


if __name__ == "__main__":
    print(text(), end="")
