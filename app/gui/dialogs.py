"""Questions to the user."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QColorDialog,
    QDialog,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from app.gui.controls import Push, label
from app.gui.icons import icon
from app.gui.theme import GRID, colours

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".gif")


def _kinds(title: str, *suffixes: str) -> str:
    return f"{title} ({' '.join('*' + suffix for suffix in suffixes)});;All files (*)"


PICTURES = _kinds("Pictures", *PICTURE_SUFFIXES)
VIDEOS = _kinds("Videos", *VIDEO_SUFFIXES)
SOURCES = _kinds("Videos and pictures", *VIDEO_SUFFIXES, *PICTURE_SUFFIXES)

SHORTCUTS = (
    ("Ctrl+Return", "Go on air or off air"),
    ("Ctrl+B", "Blur the room: hides it at once"),
    ("Ctrl+M", "Mirror"),
    ("F5", "Look for cameras and outputs again"),
    ("F1", "This help"),
    ("Ctrl+Q", "Quit"),
)


def ask_file(parent: QWidget, title: str, kinds: str) -> Path | None:
    """Ask for a file; None when the user would rather not."""
    name, _ = QFileDialog.getOpenFileName(parent, title, "", kinds)
    return Path(name) if name else None


def ask_colour(parent: QWidget, current: QColor) -> str | None:
    """Ask for a colour, as "#rrggbb"; None when the user would rather not."""
    colour = QColorDialog.getColor(current, parent, "Choose a colour")
    return colour.name() if colour.isValid() else None


class RoomDialog(QDialog):
    """Asks whether the raw room may be seen; keeping it hidden is what Return and Escape do."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Show your room?")
        layout = _dialog_layout(self)
        picture = QLabel()
        picture.setPixmap(icon("eye", colours(self.palette()).danger, 40).pixmap(QSize(40, 40)))
        layout.addWidget(picture)
        layout.addWidget(label("Show your room?", "title"))
        text = "Without an effect everyone in the call sees everything behind you, until you choose an effect again."
        layout.addWidget(label(text, "muted", wrap=True))
        buttons = QHBoxLayout()
        self.keep = Push("&Keep it hidden")
        self.keep.setDefault(True)
        self.keep.clicked.connect(self.reject)
        self.show_room = Push("&Show my room")
        self.show_room.setProperty("look", "danger")
        self.show_room.setAutoDefault(False)
        self.show_room.clicked.connect(self.accept)
        buttons.addStretch()
        buttons.addWidget(self.show_room)
        buttons.addWidget(self.keep)
        layout.addLayout(buttons)
        self.keep.setFocus()
        QShortcut(QKeySequence("Ctrl+B"), self, self.reject)


def may_show_room(parent: QWidget) -> bool:
    """Ask whether the raw room may be seen."""
    return RoomDialog(parent).exec() == QDialog.DialogCode.Accepted


class HelpDialog(QDialog):
    """The whole manual."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Greenroom help")
        layout = _dialog_layout(self)
        layout.addWidget(label("How to be seen", "title"))
        steps = (
            "1.  Choose your camera and what stands behind you.",
            "2.  In the call choose the camera “Greenroom”: the card “In calls” says where.",
            "3.  That is all. Whenever your outline is unknown, the whole frame is covered.",
        )
        for step in steps:
            layout.addWidget(label(step, wrap=True))
        layout.addSpacing(GRID)
        layout.addWidget(label("Keys", "section"))
        grid = QGridLayout()
        grid.setHorizontalSpacing(2 * GRID)
        grid.setVerticalSpacing(GRID)
        for row, (keys, meaning) in enumerate(SHORTCUTS):
            grid.addWidget(label(keys, "key"), row, 0, Qt.AlignmentFlag.AlignLeft)
            grid.addWidget(label(meaning, "muted"), row, 1)
        grid.setColumnStretch(1, 1)
        layout.addLayout(grid)
        layout.addWidget(label("Nothing you show leaves this machine: there is no account and no server.", "small"))
        close = Push("&Close")
        close.setDefault(True)
        close.clicked.connect(self.accept)
        layout.addWidget(close, 0, Qt.AlignmentFlag.AlignRight)


def _dialog_layout(dialog: QDialog) -> QVBoxLayout:
    layout = QVBoxLayout(dialog)
    layout.setContentsMargins(3 * GRID, 3 * GRID, 3 * GRID, 3 * GRID)
    layout.setSpacing(GRID + GRID // 2)
    dialog.setMinimumWidth(440)
    return layout
