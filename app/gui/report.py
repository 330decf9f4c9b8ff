"""The report's card: what others see now, and each problem with its cure."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QGuiApplication, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from app.gui.controls import label, tool_button
from app.gui.icons import icon
from app.gui.theme import GRID, Colours, colours
from app.gui.wording import Line, is_grave, parts_of
from app.problems import Problem

COPIED_MS = 1600
"""How long a copy button says so: long enough to be read."""


def level_colour(theme: Colours, level: str) -> str:
    """The colour of a `Line`'s level."""
    named = {"good": theme.accent, "warning": theme.warning, "danger": theme.danger}
    return named.get(level, theme.muted)


class Dot(QWidget):
    """A lamp beside a line; the line says the same in words."""

    def __init__(self) -> None:
        super().__init__()
        self._level = "off"
        self.setFixedSize(12, 20)

    def show_level(self, level: str) -> None:
        """Light up as this level."""
        if level != self._level:
            self._level = level
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(level_colour(colours(self.palette()), self._level)))
        painter.drawEllipse(QPointF(6, 10), 5, 5)


class Trouble(QFrame):
    """One problem: what is wrong, what cures it, and the command for it with a button that copies it.

    Attributes:
        dismissed: the user has read it; only problems that do not go away by themselves can be dismissed.
    """

    dismissed = Signal(object)

    def __init__(self, problem: Problem, *, dismissable: bool) -> None:
        super().__init__()
        self.problem = problem
        self.copies: list[QPushButton] = []
        self.close_button: QToolButton | None = None
        grave, theme = is_grave(problem), colours(QGuiApplication.palette())
        self.setProperty("look", "problem")
        self.setProperty("grave", grave)
        self.setAccessibleName(str(problem))
        mark = QLabel()
        mark.setPixmap(icon("alert", theme.danger if grave else theme.warning, 18).pixmap(QSize(18, 18)))
        text = QVBoxLayout()
        text.setSpacing(GRID // 2)
        first, stop, rest = problem.message.partition(". ")
        text.addWidget(_text(first + stop.strip(), "strong"))
        if rest:
            text.addWidget(_text(rest, ""))
        for part in parts_of(problem.cure):
            if part.command:
                text.addLayout(self._command(part.text))
            else:
                text.addWidget(_text(part.text, ""))
        row = QHBoxLayout(self)
        row.setContentsMargins(GRID + GRID // 2, GRID, GRID, GRID)
        row.setSpacing(GRID)
        row.addWidget(mark, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(text, 1)
        if dismissable:
            self.close_button = tool_button("Dismiss", "I have read it.")
            self.close_button.setIcon(icon("close", theme.muted))
            self.close_button.clicked.connect(lambda: self.dismissed.emit(self.problem))
            row.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignTop)

    def _command(self, command: str) -> QHBoxLayout:
        button = QPushButton("Copy")
        button.setProperty("look", "small")
        button.setAccessibleName("Copy the command")
        button.setAccessibleDescription(command)
        button.setToolTip("Copy the command, to paste it into a terminal.")
        button.clicked.connect(lambda: _copy(command, button))
        self.copies.append(button)
        row = QHBoxLayout()
        row.setSpacing(GRID)
        row.addWidget(_text(command, "code"), 1)
        row.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        return row


def _copy(command: str, button: QPushButton) -> None:
    QGuiApplication.clipboard().setText(command)
    button.setText("Copied")
    QTimer.singleShot(COPIED_MS, button, lambda: button.setText("Copy"))


class Report(QFrame):
    """What is happening, in one line, with all problems below.

    Attributes:
        dismissed: a `Problem` that the user has read.
    """

    dismissed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._shown: tuple[Problem, ...] = ()
        self.setProperty("look", "card")
        self.lamp = Dot()
        self.line = _text("", "strong")
        self.details = label("", "small", wrap=True)
        self.troubles: list[Trouble] = []
        head = QHBoxLayout()
        head.setSpacing(GRID)
        head.addWidget(self.lamp, 0, Qt.AlignmentFlag.AlignTop)
        head.addWidget(self.line, 1)
        self._list = QVBoxLayout()
        self._list.setSpacing(GRID)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * GRID, GRID + GRID // 2, 2 * GRID, GRID + GRID // 2)
        layout.setSpacing(GRID // 2)
        layout.addLayout(head)
        indented = QHBoxLayout()
        indented.addSpacing(12 + GRID)
        indented.addWidget(self.details, 1)
        layout.addLayout(indented)
        layout.addSpacing(GRID // 2)
        layout.addLayout(self._list)
        layout.addStretch()

    def show_line(self, line: Line, details: str) -> None:
        """Show what is happening."""
        self.lamp.show_level(line.level)
        if self.line.text() != line.text:
            self.line.setText(line.text)
            self.setAccessibleName(f"Status: {line.text}")
        self.details.setText(details)
        self.details.setVisible(bool(details))

    def show_problems(self, problems: tuple[Problem, ...], dismissable: tuple[Problem, ...]) -> None:
        """Show these problems; those that did not change keep their place and the keyboard's focus."""
        if problems == self._shown:
            return
        self._shown = problems
        kept = {trouble.problem: trouble for trouble in self.troubles}
        for problem, trouble in kept.items():
            if problem not in problems:
                self._list.removeWidget(trouble)
                trouble.hide()
                trouble.deleteLater()
        self.troubles = [kept.get(p) or self._trouble(p, p in dismissable) for p in problems]
        for index, trouble in enumerate(self.troubles):
            self._list.insertWidget(index, trouble)

    def redraw(self) -> None:
        """Use the colours of a new theme."""
        shown, self._shown = self._shown, ()
        dismissable = tuple(t.problem for t in self.troubles if t.close_button is not None)
        self.show_problems((), ())
        self._shown = ()
        self.show_problems(shown, dismissable)

    def _trouble(self, problem: Problem, dismissable: bool) -> Trouble:
        trouble = Trouble(problem, dismissable=dismissable)
        trouble.dismissed.connect(self.dismissed)
        return trouble


def _text(text: str, look: str) -> QLabel:
    """A text that wraps and can be selected with the mouse."""
    made = label(text, look, wrap=True)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return made
