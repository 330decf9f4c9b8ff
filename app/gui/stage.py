"""The window's left side: the picture in its aspect, what is to say about it below; and the banner above all."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QSizePolicy, QWidget

from app.gui.call import Call
from app.gui.controls import label
from app.gui.icons import icon
from app.gui.preview import Preview
from app.gui.report import Report
from app.gui.theme import GRID, colours

SIDE_BY_SIDE = 760
"""From this width on the two cards below the picture stand beside each other."""

LEAST_BELOW = 196
"""Logical pixels that the picture leaves to the cards: both of them at their smallest, beside each other."""


class Alarm(QFrame):
    """Says that the room is visible, for as long as it is.

    Attributes:
        hide_asked: the user wants the room hidden again.
    """

    hide_asked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("look", "alarm")
        self.mark = QLabel()
        self.hide_room = QPushButton("&Hide my room")
        self.hide_room.clicked.connect(self.hide_asked)
        row = QHBoxLayout(self)
        row.setContentsMargins(2 * GRID, GRID, GRID + GRID // 2, GRID)
        row.setSpacing(GRID + GRID // 2)
        row.addWidget(self.mark)
        row.addWidget(label("Your room is visible: no effect is on."), 1)
        row.addWidget(self.hide_room)

    def redraw(self) -> None:
        """Use the colours of a new theme."""
        self.mark.setPixmap(icon("eye", colours(self.palette()).on_danger, 22).pixmap(QSize(22, 22)))


class Stage(QWidget):
    """The preview with the report and the call's card below it."""

    def __init__(self, preview: Preview, report: Report, call: Call) -> None:
        super().__init__()
        self._preview = preview
        preview.setParent(self)
        inner = QWidget()
        self._cards = QBoxLayout(QBoxLayout.Direction.TopToBottom, inner)
        self._cards.setContentsMargins(0, 0, 0, 0)
        self._cards.setSpacing(2 * GRID)
        self._cards.addWidget(report, 1)
        self._cards.addWidget(call, 1)
        self._below = QScrollArea(self)
        self._below.setWidget(inner)
        self._below.setWidgetResizable(True)
        self._below.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._below.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def arrange(self) -> None:
        """Give the picture all the width that leaves the cards their height."""
        beside = self.width() >= SIDE_BY_SIDE
        direction = QBoxLayout.Direction.LeftToRight if beside else QBoxLayout.Direction.TopToBottom
        self._cards.setDirection(direction)
        room = self.height() - LEAST_BELOW - 2 * GRID
        height = max(180, min(room, round(self.width() / self._preview.aspect)))
        self._preview.setGeometry(0, 0, self.width(), height)
        self._below.setGeometry(0, height + 2 * GRID, self.width(), self.height() - height - 2 * GRID)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        self.arrange()
