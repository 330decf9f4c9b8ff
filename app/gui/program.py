"""The window's program: Qt's application, the signals that end it, and one window at a time."""

from __future__ import annotations

import os
import signal
import sys
import threading

from PySide6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler
from PySide6.QtWidgets import QApplication

from app.gui.single import Single
from app.gui.window import Window
from app.problems import DISPLAY_CURE, NO_DISPLAY, Problem
from app.settings import Settings, settings_path


def _say(kind: QtMsgType, _: QMessageLogContext, text: str) -> None:
    """Print what Qt says; where it would end in a crash of its own, say what cures it."""
    print(text, file=sys.stderr)
    if kind == QtMsgType.QtFatalMsg:
        said = f"greenroom: The window cannot be opened: {NO_DISPLAY} {DISPLAY_CURE}"
        print(said, file=sys.stderr, flush=True)
        os._exit(1)


def application() -> QApplication:
    """Qt's application, made once."""
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        return existing
    qInstallMessageHandler(_say)
    made = QApplication(sys.argv[:1])
    made.setApplicationName("Greenroom")
    made.setDesktopFileName("greenroom")
    return made


def run(settings: Settings, problems: list[Problem]) -> int:
    """Show the window until it is closed; see `app.gui.run_window`."""
    qt = application()
    single = Single(settings_path())
    if single.shown_elsewhere():
        print("Greenroom is open already: its window was brought to the front.", file=sys.stderr)
        return 0
    window = Window(settings, problems)
    single.asked.connect(window.come_forward)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: window.close())  # Python handles it at the engine's next report
    window.start()
    window.show()
    status = qt.exec()
    if not window.closed_in_time or threading.active_count() > 1:
        # A driver does not let go, or a runtime is still loading or measuring: native code that goes on while Python
        # takes itself apart ends in a crash. All is closed and saved, so the process simply ends here.
        sys.stdout.flush()
        os._exit(status)
    return status
