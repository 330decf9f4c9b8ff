"""The window's left side: the picture in its aspect, what is to say about it below; and the banner above all."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QFrame, QHBoxLayout, QLabel, QScrollArea, QSizePolicy, QWidget

from app.gui.call import Call
from app.gui.controls import Push, label
from app.gui.icons import icon
from app.gui.preview import Preview
from app.gui.report import Report
from app.gui.theme import GRID

SIDE_BY_SIDE = 760
"""From this width on the two cards below the picture stand beside each other."""

MOST_BELOW = 0.48
"""The part of the height that the cards may take from the picture, so that cures are seen without scrolling."""

LEAST_PICTURE = 180
"""Logical pixels of height that the picture keeps: enough to see whether one's head is in it."""


class Cards(QWidget):
    """The cards below the picture.

    Attributes:
        changed: they need more or less room.
    """

    changed = Signal()

    def __init__(self, report: Report, call: Call) -> None:
        super().__init__()
        self._report = report
        self._row = QBoxLayout(QBoxLayout.Direction.TopToBottom, self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(GRID + GRID // 2)
        self._row.addWidget(report, 1)
        self._row.addWidget(call, 1)

    def needed(self, width: int) -> int:
        """Arrange them for a width and return the height they need."""
        beside = width >= SIDE_BY_SIDE and not self._report.troubles  # whose commands want the whole width
        direction = QBoxLayout.Direction.LeftToRight if beside else QBoxLayout.Direction.TopToBottom
        if direction != self._row.direction():
            self._row.setDirection(direction)
        return self._row.totalHeightForWidth(width)

    def event(self, event: QEvent) -> bool:
        handled = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest:
            self.changed.emit()
        return handled


class Alarm(QFrame):
    """Says that the room is visible, for as long as it is.

    Attributes:
        hide_asked: the user wants the room hidden again.
    """

    hide_asked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("look", "alarm")
        mark = QLabel()
        mark.setPixmap(icon("eye", "#ffffff", 22).pixmap(QSize(22, 22)))
        self.hide_room = Push("&Hide my room")
        self.hide_room.clicked.connect(self.hide_asked)
        row = QHBoxLayout(self)
        row.setContentsMargins(2 * GRID, GRID, GRID + GRID // 2, GRID)
        row.setSpacing(GRID + GRID // 2)
        row.addWidget(mark)
        self.text = label("", wrap=True)
        row.addWidget(self.text, 1)
        row.addWidget(self.hide_room)
        self.show_published(True)

    def show_published(self, published: bool) -> None:
        """Say to whom the room is visible: who is warned for nothing looks away when it counts."""
        self.text.setText(f"Your room is visible{'' if published else ' to you alone'}: no effect is on.")


class Stage(QWidget):
    """The preview with the report and the call's card below it."""

    def __init__(self, preview: Preview, report: Report, call: Call) -> None:
        super().__init__()
        self._preview = preview
        preview.setParent(self)
        self._cards = Cards(report, call)
        self._cards.changed.connect(self.arrange)
        self._below = QScrollArea(self)
        self._below.setWidget(self._cards)
        self._below.setWidgetResizable(True)
        self._below.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._below.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def arrange(self) -> None:
        """Give the picture all the width that leaves the cards their height."""
        gap, width, height = GRID + GRID // 2, self.width(), self.height()
        needed = self._cards.needed(width)
        below = min(needed, round(height * MOST_BELOW))
        tall = max(LEAST_PICTURE, min(height - below - gap, round(width / self._preview.aspect)))
        self._preview.setGeometry(0, 0, width, tall)
        self._below.setGeometry(0, tall + gap, width, min(needed, height - tall - gap))

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        self.arrange()
