"""The window's building blocks: switches, choices, sliders, foldable sections, all made from the settings' table."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QPen,
    QShortcut,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSlider,
    QStyledItemDelegate,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.gui.icons import paint_icon
from app.gui.theme import GRID, colours
from app.gui.wording import HINTS, LABELS, choice_label, plain
from app.settings import Option, Settings

if TYPE_CHECKING:  # a class may have one base of Qt's only; what adds to it is told to be a widget as well
    _Widget = QWidget
else:
    _Widget = object


MOVES = (
    Qt.Key.Key_Up,
    Qt.Key.Key_Down,
    Qt.Key.Key_Home,
    Qt.Key.Key_End,
    Qt.Key.Key_PageUp,
    Qt.Key.Key_PageDown,
)
"""The keys that move through a list."""

COMMANDS = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.MetaModifier
"""With one of these a letter is a command, not the beginning of an entry's name."""

LATER_MS = 500
"""Pause before a list that was open is tried again."""


@cache
def option(name: str) -> Option:
    """What the settings' table knows about a setting."""
    fields = {f.name: f for f in dataclasses.fields(Settings)}
    known: Option = fields[name].metadata["option"]
    return known


def label(text: str, look: str = "", *, wrap: bool = False) -> QLabel:
    """A text; `look` is one of the style sheet's."""
    made = QLabel(text)
    made.setProperty("look", look)
    made.setWordWrap(wrap)
    return made


def focus_by_key(widget: QWidget) -> None:
    """Give a control the focus and bring it into sight: a key must not change what is not seen."""
    widget.setFocus(Qt.FocusReason.ShortcutFocusReason)
    around = widget.parentWidget()
    while around is not None:
        if isinstance(around, QScrollArea):
            around.ensureWidgetVisible(widget)
        around = around.parentWidget()


class Name(QLabel):
    """A control's name; its key of Alt works always and is underlined while Alt is held, as on Windows.

    Qt's own labels and buttons underline it always, which makes a calm window busy.
    """

    def __init__(self, marked: str, named: QWidget, look: str = "") -> None:
        super().__init__(plain(marked))
        self._marked = marked
        self.setProperty("look", look)
        self.setBuddy(named)
        QShortcut(QKeySequence.mnemonic(marked), self, lambda: focus_by_key(named))

    def show_keys(self, shown: bool) -> None:
        """Underline the key of Alt, or do not."""
        self.setText(re.sub("&(.)", r"<u>\1</u>", self._marked) if shown else plain(self._marked))


class Push(QPushButton):
    """A button with a text; its key of Alt is like that of `Name`."""

    def __init__(self, marked: str) -> None:
        super().__init__()
        self._marked = marked
        self.show_keys(False)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def show_keys(self, shown: bool) -> None:
        """Underline the key of Alt, or do not."""
        self.setText(self._marked if shown else plain(self._marked))
        self.setShortcut(QKeySequence.mnemonic(self._marked))


def card() -> tuple[QFrame, QVBoxLayout]:
    """A rounded box and its layout."""
    frame = QFrame()
    frame.setProperty("look", "card")
    layout = QVBoxLayout(frame)
    layout.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
    layout.setSpacing(GRID + GRID // 2)
    return frame, layout


class Keyboard(_Widget):
    """A control that shows its focus only to who got there by keyboard, as web browsers do; who clicks sees where."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._by_keyboard = False
        self._keys_shown = False

    def show_keys(self, shown: bool) -> None:
        """Underline the key of Alt, or do not."""
        self._keys_shown = shown
        self.update()

    @property
    def mnemonic(self) -> Qt.TextFlag:
        """How to draw the name's key."""
        return Qt.TextFlag.TextShowMnemonic if self._keys_shown else Qt.TextFlag.TextHideMnemonic

    @property
    def shows_focus(self) -> bool:
        """Whether the focus is to be drawn."""
        return self.hasFocus() and self._by_keyboard

    def focusInEvent(self, event: QFocusEvent) -> None:  # noqa: N802
        self._by_keyboard = event.reason() not in (Qt.FocusReason.MouseFocusReason, Qt.FocusReason.PopupFocusReason)
        super().focusInEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        self._by_keyboard = True
        self.update()
        super().keyPressEvent(event)


def focus_ring(painter: QPainter, widget: Keyboard, box: QRectF, radius: float) -> None:
    """Draw the keyboard focus round a control that paints itself."""
    if widget.shows_focus:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(colours(widget.palette()).accent), 2))
        painter.drawRoundedRect(box, radius, radius)


class Switch(Keyboard, QCheckBox):
    """One yes-or-no setting: its name at the left, a switch at the right."""

    chosen = Signal(str, bool)

    def __init__(self, name: str) -> None:
        super().__init__(LABELS[name])
        self._name = name
        self.setToolTip(option(name).help)
        self.setAccessibleName(plain(LABELS[name]))
        self.setAccessibleDescription(option(name).help)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.clicked.connect(lambda on: self.chosen.emit(self._name, on))

    def show_value(self, value: bool) -> None:
        """Show the setting's value."""
        self.setChecked(value)

    def sizeHint(self) -> QSize:  # noqa: N802
        return QSize(self.fontMetrics().horizontalAdvance(self.text()) + 64, 28)

    def hitButton(self, pos: Any) -> bool:  # noqa: N802
        return bool(self.rect().contains(pos))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        theme, painter = colours(self.palette()), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QColor(theme.text))
        flags = Qt.AlignmentFlag.AlignVCenter | self.mnemonic
        painter.drawText(QRectF(0, 0, self.width() - 56, self.height()), flags, self.text())
        track = QRectF(self.width() - 41, self.height() / 2 - 11, 40, 22)
        painter.setPen(Qt.PenStyle.NoPen if self.isChecked() else QPen(QColor(theme.muted), 1.5))
        painter.setBrush(QColor(theme.accent if self.isChecked() else theme.control))
        painter.drawRoundedRect(track, 11, 11)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.on_accent if self.isChecked() else theme.muted))
        x = track.right() - 11 if self.isChecked() else track.left() + 11
        painter.drawEllipse(QPointF(x, track.center().y()), 7, 7)
        focus_ring(painter, self, track.adjusted(-3, -3, 0, 3), 13)


class Choice(Keyboard, QComboBox):
    """A drop-down list that paints itself; the wheel scrolls the panel it lies in, not the choice.

    Keys that move through the list open it first: each entry passed would be chosen, and seen in the call.
    """

    def __init__(self, name: str, help: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setAccessibleDescription(help)
        self.setToolTip(help)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.setMaxVisibleItems(14)
        self.setItemDelegate(QStyledItemDelegate(self))  # the list's own does not listen to the style sheet

    def sizeHint(self) -> QSize:  # noqa: N802
        return QSize(super().sizeHint().width(), 36)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        return QSize(96, 36)

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802
        event.ignore()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        letter = event.text().isprintable() and event.text().strip() != ""
        if event.key() in MOVES or (letter and not event.modifiers() & COMMANDS):
            self.showPopup()
            return
        super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        theme, painter = colours(self.palette()), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect())
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.hover if self.underMouse() else theme.control))
        painter.drawRoundedRect(box, 8, 8)
        focus_ring(painter, self, box.adjusted(1, 1, -1, -1), 7)
        painter.setPen(QColor(theme.text if self.isEnabled() else theme.muted))
        room = box.adjusted(12, 0, -36, 0)
        text = self.fontMetrics().elidedText(self.currentText(), Qt.TextElideMode.ElideRight, int(room.width()))
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, text)
        paint_icon(painter, "chevron", theme.muted, QRectF(box.right() - 28, box.center().y() - 9, 18, 18), 2)


class SettingChoice(Choice):
    """One setting with a few values to choose from."""

    chosen = Signal(str, object)

    def __init__(self, name: str, values: Iterable[Any] = ()) -> None:
        super().__init__(plain(LABELS[name]), HINTS.get(name, option(name).help))
        self._name = name
        self._values: list[Any] = []  # kept here: Qt turns tuples into lists, which equal no setting
        self.offer(values or option(name).choices)
        self.activated.connect(lambda index: self.chosen.emit(self._name, self._values[index]))

    @property
    def values(self) -> tuple[Any, ...]:
        """What can be chosen, in order."""
        return tuple(self._values)

    def offer(self, values: Iterable[Any]) -> None:
        """Offer these values, once the list is not open: what it marks must not move under the hand."""
        values = list(values)
        if values == self._values:
            return
        if self.view().isVisible():
            QTimer.singleShot(LATER_MS, self, lambda: self.offer(values))
            return
        current = self._values[self.currentIndex()] if self._values else None
        self.clear()
        self._values = values
        self.addItems([choice_label(self._name, value) for value in self._values])
        if current is not None:
            self.show_value(current)

    def show_value(self, value: Any) -> None:
        """Show the setting's value, also one that was not offered."""
        if value not in self._values:
            self._values.append(value)
            self.addItem(choice_label(self._name, value))
        self.setCurrentIndex(self._values.index(value))


class NumberSlider(QWidget):
    """One whole number: its name, a slider over its range, and the value."""

    chosen = Signal(str, object)

    def __init__(self, name: str) -> None:
        super().__init__()
        facts = option(name)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(int(facts.minimum), int(facts.maximum))
        self.slider.setPageStep(10)
        self.slider.setAccessibleName(plain(LABELS[name]))
        self.slider.setAccessibleDescription(facts.help)
        self.setToolTip(facts.help)
        self.value = label("", "number")
        self.value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.value.setFixedWidth(self.value.fontMetrics().horizontalAdvance("0000"))
        text = Name(LABELS[name], self.slider)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        for widget in (text, self.slider, self.value):
            row.addWidget(widget)
        self.slider.valueChanged.connect(lambda value: self.value.setText(str(value)))
        self.slider.valueChanged.connect(lambda value: self.chosen.emit(name, value))

    def show_value(self, value: int) -> None:
        """Show the setting's value."""
        self.slider.blockSignals(True)
        self.slider.setValue(value)
        self.slider.blockSignals(False)
        self.value.setText(str(value))


def tool_button(name: str, help: str) -> QToolButton:
    """A small button with an icon only; `name` is what a screen reader says."""
    button = QToolButton()
    button.setAccessibleName(name)
    button.setToolTip(help)
    button.setIconSize(QSize(20, 20))
    button.setCursor(Qt.CursorShape.PointingHandCursor)
    return button
