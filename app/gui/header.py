"""The window's top: what this is, whether it is on air, how it looks, and help."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QActionGroup, QColor, QFont, QGuiApplication, QPainter, QPaintEvent, QPen
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QAbstractButton, QFrame, QHBoxLayout, QMenu, QSizePolicy, QToolButton, QWidget

from app.gui.controls import Keyboard, focus_ring, label, tool_button
from app.gui.icons import icon
from app.gui.theme import GRID, colours
from app.gui.wording import choice_label
from app.settings import Settings
from assets import asset

HEIGHT = 60


class Logo(QWidget):
    """The program's icon, drawn so that it is sharp at every scale."""

    def __init__(self) -> None:
        super().__init__()
        self._drawing = QSvgRenderer(str(asset("icons/greenroom.svg")), self)
        self.setFixedSize(32, 32)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        self._drawing.render(QPainter(self), QRectF(self.rect()))


class OnAir(Keyboard, QAbstractButton):
    """The switch between on air and off air."""

    def __init__(self) -> None:
        super().__init__()
        self.setCheckable(True)
        self.setText("On a&ir")
        self.setAccessibleName("On air")
        self.setAccessibleDescription("Whether you are published. Off air others see the “camera paused” card.")
        self.setToolTip("Whether you are published (Ctrl+Return). Off air others see the “camera paused” card.")
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)

    def sizeHint(self) -> QSize:  # noqa: N802
        bold = QFont(self.font())
        bold.setWeight(QFont.Weight.DemiBold)
        self.setFont(bold)
        return QSize(self.fontMetrics().horizontalAdvance("Off air") + 88, 40)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        theme, painter = colours(self.palette()), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        on, box = self.isChecked(), QRectF(self.rect()).adjusted(3, 3, -3, -3)
        painter.setPen(Qt.PenStyle.NoPen if on else QPen(QColor(theme.border), 1))
        ground = theme.accent if on else theme.hover if self.underMouse() else theme.control
        painter.setBrush(QColor(ground))
        painter.drawRoundedRect(box, box.height() / 2, box.height() / 2)
        ink = QColor(theme.on_accent if on else theme.text)
        painter.setPen(ink)
        flags = Qt.AlignmentFlag.AlignVCenter | self.mnemonic
        painter.drawText(box.adjusted(16, 0, -48, 0), flags, "On a&ir" if on else "Off a&ir")
        track = QRectF(box.right() - 46, box.center().y() - 10, 36, 20)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ink if on else QColor(theme.muted))
        painter.drawRoundedRect(track, 10, 10)
        painter.setBrush(QColor(ground))
        x = track.right() - 10 if on else track.left() + 10
        painter.drawEllipse(QPointF(x, track.center().y()), 7, 7)
        focus_ring(painter, self, QRectF(self.rect()).adjusted(1, 1, -1, -1), self.height() / 2)


class Header(QFrame):
    """The bar at the window's top.

    Attributes:
        chosen: changes to the settings, as a dictionary.
        help_asked: the user wants the help.
    """

    chosen = Signal(dict)
    help_asked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("look", "header")
        self.setFixedHeight(HEIGHT)
        self.on_air = OnAir()
        self.on_air.clicked.connect(lambda on: self.chosen.emit({"on_air": on}))
        self.theme = self._theme_button()
        self.help = tool_button("Help", "How to be seen in a call, and all keys (F1).")
        self.help.clicked.connect(self.help_asked)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(2 * GRID, 0, 2 * GRID, 0)
        layout.setSpacing(GRID)
        layout.addWidget(Logo())
        layout.addSpacing(GRID // 2)
        layout.addWidget(label("Greenroom", "wordmark"))
        layout.addStretch()
        for widget in (self.on_air, self.theme, self.help):
            layout.addWidget(widget)

    def show_settings(self, settings: Settings) -> None:
        """Show what is chosen."""
        self.on_air.setChecked(settings.on_air)
        self._themes[settings.theme].setChecked(True)
        theme = colours(QGuiApplication.palette())  # a widget's own is the one before until it is first shown
        self.theme.setIcon(icon("contrast", theme.muted))
        self.help.setIcon(icon("help", theme.muted))

    def _theme_button(self) -> QToolButton:
        button = tool_button("Colours of the window", "Light or dark")
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu, group = QMenu(button), QActionGroup(button)
        self._themes = {}
        for theme in ("system", "light", "dark"):
            action = menu.addAction(choice_label("theme", theme))
            action.setCheckable(True)
            action.triggered.connect(lambda _, chosen=theme: self.chosen.emit({"theme": chosen}))
            group.addAction(action)
            self._themes[theme] = action
        button.setMenu(menu)
        return button
