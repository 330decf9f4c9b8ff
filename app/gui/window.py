"""The window: the parts in their places, and every change of a setting on its one way.

A part tells what the user chose as a dictionary of settings; `Window.change` makes new settings of it, shows them in
all parts, gives them to the engine and has them saved. The engine tells what is happening, and the window shows it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray, QEvent, QMimeData, QSize, Qt, QTimer
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QGuiApplication,
    QIcon,
    QKeyEvent,
    QKeySequence,
    QShortcut,
)
from PySide6.QtWidgets import QApplication, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from app.gui import dialogs
from app.gui.advanced import Advanced
from app.gui.call import Call
from app.gui.camera import Camera
from app.gui.controls import Keyboard, Name, Push, card, label
from app.gui.effects import Effects
from app.gui.engine import AnyPipeline, Engine, real_pipeline
from app.gui.header import Header
from app.gui.jobs import Jobs
from app.gui.memory import Memory
from app.gui.preview import Preview
from app.gui.report import Report
from app.gui.saver import Saver
from app.gui.stage import Alarm, Stage
from app.gui.theme import GRID, apply_theme
from app.gui.wording import badge, details_line, figures_line, is_grave, is_published, pill, status_line
from app.problems import Problem, SettingsError
from app.settings import NETWORK_SETTINGS, Settings
from app.status import Status
from assets import asset

SMALLEST, FIRST_SIZE = QSize(880, 560), QSize(1280, 800)
"""Logical pixels: the smallest leaves half a laptop's screen to the call, the first fits on any laptop."""

PANEL_WIDTH = 388
"""The right side: three thumbnails, their gaps, the card's margins and room for the scroll bar."""

MOVED_MS = 500
"""Pause after the window was moved before its place is remembered."""


class Window(QWidget):
    """Greenroom's window.

    Args:
        settings: what to start with.
        problems: what was wrong with the settings' file.
        make_pipeline: what runs the way of a frame; tests give a fake.
    """

    def __init__(
        self,
        settings: Settings,
        problems: list[Problem],
        make_pipeline: Callable[[Settings], AnyPipeline] = real_pipeline,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.status: Status | None = None
        self._steady: tuple[Problem, ...] = ()
        self._noted = list(problems)
        self._engine_problem: Problem | None = None
        self._save_problem: Problem | None = None
        self.closed_in_time = True
        self._manual: dialogs.HelpDialog | None = None
        self.jobs, self.engine = Jobs(self), Engine(make_pipeline, settings)
        self.saver = Saver(self.jobs)
        self._moved = QTimer(self)
        self._moved.setSingleShot(True)
        self._moved.setInterval(MOVED_MS)
        self.header, self.alarm, self.preview, self.report = Header(), Alarm(), Preview(), Report()
        self.call, self.camera = Call(self.jobs), Camera(self.jobs)
        self.effects, self.advanced = Effects(self.jobs), Advanced(self.jobs)
        self.stage = Stage(self.preview, self.report, self.call)
        self.setWindowTitle("Greenroom")
        self.setWindowIcon(QIcon(str(asset("icons/greenroom.svg"))))
        self.setMinimumSize(SMALLEST)
        self.setAcceptDrops(True)
        self._lay_out()
        self._connect()
        self._bind_keys()
        self._restore()
        self._dress()
        self._show_all()
        self.preview.setFocus()  # so that no control looks chosen before the keyboard is used

    def start(self) -> None:
        """Start what runs beside the window."""
        self.engine.start()
        self.camera.refresh()
        self.call.refresh()
        self.advanced.refresh()
        self.effects.refresh()

    def come_forward(self) -> None:
        """Show the window before all others: the program was started once more."""
        self.setWindowState(self.windowState() & ~Qt.WindowState.WindowMinimized)
        self.show()
        self.raise_()
        self.activateWindow()

    def change(self, changes: dict[str, Any]) -> None:
        """Make these changes to the settings, everywhere."""
        try:
            settings = self.settings.replace(**changes)
        except SettingsError as error:
            self.note(error.problem)
            return
        if settings == self.settings:
            self._show_all()
            return
        dress = settings.theme != self.settings.theme
        self.settings = settings
        # What the user did anew is not wrong any more; if it is, it will be said again.
        self._noted = [problem for problem in self._noted if not _touched(problem.part, changes)]
        self.engine.configure(settings)
        self.saver.keep(settings)
        if dress:
            self._dress()
        self._show_all()

    def note(self, problem: Problem) -> None:
        """Show a problem until it is dismissed or the user does that part anew."""
        if problem not in self._noted:
            self._noted.append(problem)
        self._show_report()

    def problems(self) -> tuple[Problem, ...]:
        """All that is wrong now, most important first."""
        running = self._steady
        own = [problem for problem in (self._engine_problem, self._save_problem) if problem]
        return tuple(dict.fromkeys((*own, *running, *self._noted)))

    def _lay_out(self) -> None:
        panel = QWidget()
        column = QVBoxLayout(panel)
        column.setContentsMargins(0, 0, GRID + GRID // 2, GRID // 2)
        column.setSpacing(GRID + GRID // 2)
        for title, part in (("", self.camera), ("Background", self.effects)):
            frame, inside = card()
            inside.setSpacing(GRID)
            if title:
                inside.addWidget(label(title, "section"))
            inside.addWidget(part)
            column.addWidget(frame)
        column.addWidget(self.advanced)
        column.addStretch()
        scroll = QScrollArea()
        scroll.setWidget(panel)
        scroll.setWidgetResizable(True)
        scroll.setFixedWidth(PANEL_WIDTH)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.panel = scroll
        body = QHBoxLayout()
        body.setContentsMargins(2 * GRID, 2 * GRID, GRID // 2, 0)
        body.setSpacing(2 * GRID)
        left = QVBoxLayout()
        left.setSpacing(GRID + GRID // 2)
        left.setContentsMargins(0, 0, 0, 2 * GRID)
        left.addWidget(self.alarm)
        left.addWidget(self.stage, 1)
        body.addLayout(left, 1)
        body.addWidget(scroll)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self.header)
        whole.addLayout(body, 1)

    def _connect(self) -> None:
        for part in (self.header, self.call, self.camera, self.effects, self.advanced):
            part.chosen.connect(self.change)
        for part in (self.call, self.camera, self.effects, self.advanced):
            part.failed.connect(self.note)
        self.camera.look_asked.connect(self._look_again)
        self.alarm.hide_asked.connect(self._hide_room)
        self.header.help_asked.connect(self._help)
        self.report.dismissed.connect(self._dismiss)
        self.saver.saved.connect(self._saved)
        self.engine.pictured.connect(self._show_picture)
        self.engine.reported.connect(self._reported)
        self.engine.failed.connect(self._broken)
        self.preview.resized.connect(self.engine.show_in)
        self.advanced.header.toggled.connect(lambda _: self._moved.start())
        self.call.asked.connect(lambda _: self._moved.start())
        self._moved.timeout.connect(self._remember)
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._system_changed)

    def _bind_keys(self) -> None:
        self._keys: tuple[tuple[str, Callable[[], object]], ...] = (
            ("Ctrl+Return", lambda: self.change({"on_air": not self.settings.on_air})),
            ("Ctrl+Enter", lambda: self.change({"on_air": not self.settings.on_air})),
            ("Ctrl+B", self._hide_room),
            ("Ctrl+M", lambda: self.change({"mirror": not self.settings.mirror})),
            ("F5", self._look_again),
            ("F1", self._help),
            ("Ctrl+Q", self.close),
        )
        for key, action in self._keys:
            QShortcut(QKeySequence(key), self, action)

    def _restore(self) -> None:
        memory = Memory.of(self.settings.geometry)
        self.advanced.header.setChecked(memory.advanced)
        self.call.show_program(memory.program)
        if not self.restoreGeometry(QByteArray.fromBase64(memory.place.encode())):
            room = QGuiApplication.primaryScreen().availableSize()
            self.resize(FIRST_SIZE.boundedTo(room).expandedTo(SMALLEST))

    def _remember(self) -> None:
        place = self.saveGeometry().toBase64().toStdString()
        memory = Memory(place, self.advanced.header.isChecked(), self.call.program)
        if memory.text() != self.settings.geometry:
            self.settings = self.settings.replace(geometry=memory.text())
            self.saver.keep(self.settings)

    def _dress(self) -> None:
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        apply_theme(application, self.settings.theme)
        self.report.redraw()

    def _system_changed(self) -> None:
        if self.settings.theme == "system":
            self._dress()
            self._show_all()

    def _show_all(self) -> None:
        for part in (self.header, self.call, self.camera, self.effects, self.advanced):
            part.show_settings(self.settings)
        self.preview.show_aspect(*self.settings.dimensions)
        self.stage.arrange()
        self.alarm.setVisible(self.settings.effect == "none")
        self._show_report()

    def _show_report(self) -> None:
        status, settings = self.status, self.settings
        line = status_line(settings, status, broken=self._engine_problem is not None)
        self.report.show_line(line, details_line(status))
        self.report.show_problems(self.problems(), tuple(self._noted))
        alarm = settings.effect == "none"
        self.preview.show_notes(pill(settings, status), badge(settings, status), figures_line(settings, status), alarm)
        self.advanced.show_status(settings, status)
        self.camera.show_status(settings, status)
        self.call.show_status(settings, status)
        self.alarm.show_published(is_published(settings, status))

    def _show_picture(self) -> None:
        image = self.engine.take()
        if image is not None:
            self.preview.show_image(image)

    def _reported(self, status: Status) -> None:
        before = self.status.problems if self.status else ()
        # What is less than grave shows once it lasts: a single frame's trouble would flicker by unread.
        self._steady = tuple(p for p in status.problems if is_grave(p) or _lasts(p, before))
        self.status, self._engine_problem = status, None
        self._show_report()

    def _broken(self, problem: Problem) -> None:
        self.status, self._steady, self._engine_problem = None, (), problem
        self.preview.show_message("alert", problem.message)
        self._show_report()

    def _saved(self, problem: Problem | None) -> None:
        if problem != self._save_problem:
            self._save_problem = problem
            self._show_report()

    def _dismiss(self, problem: Problem) -> None:
        self._noted.remove(problem)
        self._show_report()

    def _hide_room(self) -> None:
        self.change({"effect": "blur", "show_room": False})

    def _look_again(self) -> None:
        self.camera.refresh()
        self.call.refresh()

    def _help(self) -> None:
        """Show the manual beside the window, whose buttons go on working, and all keys in both."""
        if self._manual is None:
            self._manual = dialogs.HelpDialog(self)
            self._manual.finished.connect(self._help_closed)
            for key, action in self._keys:
                QShortcut(QKeySequence(key), self._manual, action)
        self._manual.show()
        self._manual.raise_()
        self._manual.activateWindow()

    def _help_closed(self) -> None:
        self._manual = None

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        if event.type() == QEvent.Type.WindowStateChange:
            self.preview.room_changed()
        super().changeEvent(event)

    def event(self, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Move, QEvent.Type.Resize) and self.isVisible():
            self._moved.start()
        if event.type() == QEvent.Type.WindowDeactivate:  # with Alt+Tab, whose Alt is let go of elsewhere
            self._underline_keys(False)
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        if event.key() == Qt.Key.Key_Alt:
            self._underline_keys(True)
        super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        if event.key() == Qt.Key.Key_Alt:
            self._underline_keys(False)
        super().keyReleaseEvent(event)

    def _underline_keys(self, shown: bool) -> None:
        for part in self.findChildren(QWidget):
            if isinstance(part, (Keyboard, Name, Push)):
                part.show_keys(shown)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        if dropped(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        path = dropped(event.mimeData())
        if path is not None and path.suffix.lower() in dialogs.VIDEO_SUFFIXES:
            self.change({"effect": "video", "video": str(path), "show_room": False})
        elif path is not None:
            self.effects.add_picture(path)

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """End everything: the window goes at once, the camera and the sinks right after."""
        self._remember()
        self.hide()
        self.closed_in_time = self.engine.close()
        self.jobs.close()
        try:
            self.saver.flush()
        except SettingsError as error:
            print(f"greenroom: {error}", file=sys.stderr)
        event.accept()


def _lasts(problem: Problem, before: tuple[Problem, ...]) -> bool:
    """Whether there was a problem of this part already: its text may name another frame."""
    return any(problem.part == old.part for old in before)


def dropped(data: QMimeData) -> Path | None:
    """The first picture or video among what was dropped, None if there is none."""
    for url in data.urls():
        path = Path(url.toLocalFile())
        if path.suffix.lower() in (*dialogs.PICTURE_SUFFIXES, *dialogs.VIDEO_SUFFIXES):
            return path
    return None


_PARTS = {
    "source": ("source",),
    "sink": ("sinks",),
    "effect": ("effect", "image", "video", "colour"),
    "segmenter": NETWORK_SETTINGS,
}
"""The settings that a problem's part depends on."""


def _touched(part: str, changes: dict[str, Any]) -> bool:
    return any(name in changes for name in _PARTS.get(part, ()))
