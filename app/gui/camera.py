"""The camera's card: which one, and mirrored or not."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QFileSystemWatcher, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.capture.naming import find_camera, spec_of
from app.gui import dialogs
from app.gui.controls import LATER_MS, Choice, Name, Switch, tool_button
from app.gui.icons import icon
from app.gui.jobs import Jobs
from app.gui.theme import GRID, colours
from app.gui.wording import HINTS, LABELS, automatic, plain, source_label
from app.problems import Problem, SourceError
from app.settings import Settings
from app.status import Status

if TYPE_CHECKING:  # it imports cv2, which takes a while
    from app.capture.devices import CameraInfo

FILE = "file…"
"""The entry that asks for a file; no source is called so."""

SETTLE_MS = 700
"""Pause after a device file came or went: udev takes a while to make all nodes of a camera and set their group."""


def find_cameras() -> list[CameraInfo]:
    """The cameras of this machine; imported here, in a thread of its own, because cv2 takes a while."""
    from app.capture.devices import list_cameras

    return list_cameras()


def chosen_camera(source: str, cameras: list[CameraInfo]) -> CameraInfo | None:
    """The camera that a source names, though another of its name may have come or gone; None if it is not there."""
    kind, _, which = source.partition(":")
    if kind != "camera" or not which or not cameras:
        return None
    try:
        return find_camera(which, cameras, exact=True)
    except SourceError:
        return None


class Camera(QWidget):
    """Chooses the source.

    Attributes:
        chosen: changes to the settings, as a dictionary.
        failed: a `Problem` for the user.
        look_asked: devices came or went, or the user wants them looked for: cameras and outputs.
    """

    chosen = Signal(dict)
    failed = Signal(object)
    look_asked = Signal()

    def __init__(self, jobs: Jobs) -> None:
        super().__init__()
        self._jobs = jobs
        self._cameras: list[CameraInfo] = []
        self._source = "auto"
        self._running = ""
        self._live = False
        self._asked = 0
        self.source = Choice(plain(LABELS["source"]), HINTS["source"])
        self.source.activated.connect(lambda index: self._picked(self.source.itemData(index)))
        self.again = tool_button("Look for cameras again", "Look for cameras and outputs again (F5).")
        self.again.clicked.connect(self.look_asked)
        self.mirror = Switch("mirror")
        self.mirror.chosen.connect(lambda name, on: self.chosen.emit({name: on}))
        row = QHBoxLayout()
        row.setSpacing(GRID // 2)
        row.addWidget(self.source)
        row.addWidget(self.again)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GRID)
        layout.addWidget(Name(LABELS["source"], self.source, "section"))
        layout.addLayout(row)
        layout.addWidget(self.mirror)
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLE_MS)
        self._settle.timeout.connect(self.look_asked)
        if sys.platform == "linux":
            self._watcher = QFileSystemWatcher(["/dev"], self)
            self._watcher.directoryChanged.connect(lambda _: self._settle.start())

    def refresh(self) -> None:
        """Look for cameras, beside the window."""
        self._asked += 1
        self._jobs.run(find_cameras, partial(self._found, self._asked), self._not_found)

    def _found(self, number: int, cameras: list[CameraInfo]) -> None:
        if number == self._asked:  # an older look, which took longer, knows less
            self.offer(cameras)

    def offer(self, cameras: list[CameraInfo]) -> None:
        """Offer these cameras."""
        self._cameras = cameras
        self._arrange()

    def show_settings(self, settings: Settings) -> None:
        """Show what is chosen."""
        self.mirror.show_value(settings.mirror)
        self.again.setIcon(icon("refresh", colours(self.palette()).muted))
        if settings.source != self._source or not self.source.count():
            self._source = settings.source
            self._arrange()
        self.source.setCurrentIndex(self.source.findData(self._source))

    def show_status(self, settings: Settings, status: Status | None) -> None:
        """Show what the automatic choice is: what runs, which is not always the first of those there are."""
        running, live = automatic(settings, status), status is not None and status.source == "live"
        if (running, live) != (self._running, self._live):
            self._running, self._live = running, live
            self._arrange()

    def _arrange(self) -> None:
        if self.source.view().isVisible():  # the list is open, and what it marks must not move under the hand
            QTimer.singleShot(LATER_MS, self, self._arrange)
            return
        real = [camera for camera in self._cameras if not camera.virtual]
        first = f"Automatic: {self._running or (real[0].name if real else 'sample clip')}"
        ours = chosen_camera(self._source, self._cameras)
        entries = {"auto": first}
        entries |= {self._source if c is ours else spec_of(c, self._cameras): c.name for c in self._cameras}
        entries |= {"clip": source_label("clip"), "pattern": source_label("pattern")}
        entries.setdefault(self._source, source_label(self._source, self._live))
        entries[FILE] = "Video or picture file…"
        if [self.source.itemData(i) for i in range(self.source.count())] != list(entries):
            self.source.clear()
            for source, title in entries.items():
                self.source.addItem(title, source)
        for index, title in enumerate(entries.values()):
            self.source.setItemText(index, title)
        self.source.setCurrentIndex(self.source.findData(self._source))

    def _picked(self, source: str) -> None:
        if source == FILE:
            self.source.setCurrentIndex(self.source.findData(self._source))
            path = dialogs.ask_file(self, "Use a file as camera", dialogs.SOURCES)
            if path is None:
                return
            source = str(path)
        self.chosen.emit({"source": source})

    def _not_found(self, error: Exception) -> None:
        self.failed.emit(Problem("source", f"The cameras could not be listed ({error}).", "Press F5 to try again."))
