"""Files that Greenroom ships: backgrounds, icons, the sample clip. Their licences are in README.md beside this."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).resolve().parent


def asset(relative: str) -> Path:
    """The path of a shipped file, e.g. "clips/sample.mp4".

    Raises:
        FileNotFoundError: it is missing, so the installation is damaged; the text says how to repair it.
    """
    path = _FOLDER / relative
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing, which Greenroom ships. Install Greenroom again, or, in a clone of its repository, "
            f"restore the file with: git checkout -- assets/{relative}"
        )
    return path
