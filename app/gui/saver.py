"""Saves the settings beside the window: soon after a change, not at every step of a slider, and never out of order."""

from __future__ import annotations

import threading

from PySide6.QtCore import QObject, QTimer, Signal

from app import settings as settings_file
from app.gui.jobs import Jobs
from app.problems import Problem, SettingsError
from app.settings import Settings

DELAY_MS = 400
"""Pause after the last change before it is written: longer than between two steps of a slider, soon enough that a
power cut loses nothing one remembers doing."""


class Saver(QObject):
    """Keeps the settings' file up to date.

    Attributes:
        saved: after each try: None, or the `Problem` that kept it from being written.
    """

    saved = Signal(object)

    def __init__(self, jobs: Jobs) -> None:
        super().__init__()
        self._jobs = jobs
        self._lock = threading.Lock()
        self._wanted: Settings | None = None  # set in the window's thread only
        self._written: Settings | None = None  # set under the lock only
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY_MS)
        self._timer.timeout.connect(lambda: self._jobs.run(self._write, self.saved.emit, self._failed))

    def keep(self, settings: Settings) -> None:
        """Save these settings soon."""
        self._wanted = settings
        self._timer.start()

    def flush(self) -> None:
        """Save what is not saved yet, now.

        Raises:
            SettingsError: the folder cannot be written to, or the disk is full.
        """
        self._timer.stop()
        self._write()

    def _write(self) -> None:
        with self._lock:  # the newest is taken and written in one go, so an older one never comes after it
            settings = self._wanted
            if settings is not None and settings is not self._written:
                settings_file.save(settings)
                self._written = settings  # only now: what could not be written is still to be saved

    def _failed(self, error: Exception) -> None:
        if isinstance(error, SettingsError):
            self.saved.emit(error.problem)
        else:
            self.saved.emit(
                Problem("settings", f"The settings could not be saved ({error!r}).", "They hold until you quit.")
            )
