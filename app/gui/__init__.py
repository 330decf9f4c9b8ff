"""The window: the only folder that imports Qt, and only once a window is asked for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.problems import Problem
    from app.settings import Settings

_CV2_SETS = ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR")
"""What importing opencv-python sets in the environment: folders of a Qt of its own, whose plugins cannot be loaded."""


def forget_cv2_qt() -> None:
    """Undo what importing cv2 does to Qt's environment; a path that the user set is kept."""
    for name in _CV2_SETS:
        if f"{os.sep}cv2{os.sep}qt" in os.environ.get(name, ""):
            del os.environ[name]


def run_window(settings: Settings, problems: list[Problem]) -> int:
    """Show the window until it is closed.

    Args:
        settings: what to start with; the window saves the changes made in it.
        problems: what was wrong with the settings' file, shown in the window.

    Returns:
        The process's exit status.
    """
    forget_cv2_qt()
    from app.gui.program import run

    return run(settings, problems)
