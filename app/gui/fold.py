"""A section that folds away what not everybody needs."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QFrame, QSizePolicy, QVBoxLayout, QWidget

from app.gui.controls import Keyboard, focus_ring
from app.gui.icons import paint_icon
from app.gui.theme import GRID, colours


class FoldHeader(Keyboard, QAbstractButton):
    """A section's title that folds it; shows a summary at the right."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.setText(title)
        self.setAccessibleName(title.replace("&", ""))
        self.setCheckable(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._summary = ""

    def show_summary(self, text: str) -> None:
        """Show a few words at the right."""
        if text != self._summary:
            self._summary = text
            self.update()

    def sizeHint(self) -> QSize:  # noqa: N802
        return QSize(160, 28)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        theme, painter = colours(self.palette()), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        bold = QFont(self.font())
        bold.setWeight(QFont.Weight.Bold)
        painter.setFont(bold)
        painter.setPen(QColor(theme.text))
        flags = Qt.AlignmentFlag.AlignVCenter | self.mnemonic
        painter.drawText(QRectF(0, 0, self.width(), self.height()), flags, self.text())
        painter.setFont(self.font())
        painter.setPen(QColor(theme.muted))
        room = QRectF(0, 0, self.width() - 32, self.height())
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, self._summary)
        painter.translate(self.width() - 11, self.height() / 2)
        painter.rotate(180 if self.isChecked() else 0)
        paint_icon(painter, "chevron", theme.muted, QRectF(-9, -9, 18, 18), 2)
        painter.resetTransform()
        focus_ring(painter, self, QRectF(self.rect()).adjusted(-3, 1, 3, -1).intersected(QRectF(self.rect())), 6)


class Fold(QFrame):
    """A card that folds away what not everybody needs."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.setProperty("look", "card")
        self.header = FoldHeader(title)
        self.body = QWidget()
        self.body.setVisible(False)
        self.header.toggled.connect(self.body.setVisible)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * GRID, GRID + GRID // 2, 2 * GRID, GRID + GRID // 2)
        layout.setSpacing(GRID + GRID // 2)
        layout.addWidget(self.header)
        layout.addWidget(self.body)
