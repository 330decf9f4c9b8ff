"""The live preview: what others see, with what must not be overlooked written over it."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QBrush,
    QColor,
    QFont,
    QHideEvent,
    QImage,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QShowEvent,
    QTransform,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.gui.icons import paint_icon
from app.gui.theme import ALARM, GRID, RADIUS, colours
from app.gui.wording import Line

_GLASS = QColor(12, 15, 17, 200)
"""Ground of badges on the picture: dark enough for white text on a white picture (contrast above 7 : 1)."""

_PILLS = {
    "good": (QColor("#0f7a45"), QColor("#8ff0bb")),
    "danger": (QColor(ALARM), QColor("#ffffff")),
    "warning": (_GLASS, QColor("#ffc355")),
}
"""Ground and lamp of the pill; white on each ground has a contrast above 5 : 1."""


class Preview(QWidget):
    """Shows pictures in their aspect with rounded corners.

    Attributes:
        resized: the width and height in device pixels that pictures may take; 0, 0 while nobody can see them.
    """

    resized = Signal(int, int)

    def __init__(self) -> None:
        super().__init__()
        self._image: QImage | None = None
        self._aspect = QSize(16, 9)
        self._pill = Line("off", "")
        self._badge = ""
        self._figures = ""
        self._message = ("camera", "")
        self._alarm = False
        self.setAccessibleName("Preview of what others see")
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(320, 180)

    def show_image(self, image: QImage) -> None:
        """Show a picture; its size is in device pixels."""
        self._image = image
        self.update()

    def show_aspect(self, width: int, height: int) -> None:
        """Give pictures the aspect of the published ones; those shown are rounded to even sizes."""
        self._aspect = QSize(width, height)

    def show_message(self, icon: str, text: str) -> None:
        """Show an icon and a sentence instead of a picture."""
        self._image, self._message = None, (icon, text)
        self.setAccessibleDescription(text)
        self.update()

    def show_notes(self, pill: Line, badge: str, figures: str, alarm: bool) -> None:
        """Write over the picture.

        Args:
            pill: whether others see it.
            badge: what to know about the picture itself, "" for nothing.
            figures: for the corner, "" for none.
            alarm: draw a red frame, because the room is visible.
        """
        if (pill, badge, figures, alarm) != (self._pill, self._badge, self._figures, self._alarm):
            self._pill, self._badge, self._figures, self._alarm = pill, badge, figures, alarm
            self.setAccessibleDescription(". ".join(text for text in (pill.text, badge, figures) if text))
            self.update()

    @property
    def notes(self) -> tuple[Line, str, str, bool]:
        """What `show_notes` was given last."""
        return self._pill, self._badge, self._figures, self._alarm

    @property
    def aspect(self) -> float:
        """Width through height of the picture."""
        return self._aspect.width() / self._aspect.height()

    @property
    def has_image(self) -> bool:
        """Whether a picture is shown."""
        return self._image is not None

    def picture_rect(self) -> QRectF:
        """Where the picture is, in logical pixels."""
        size = self._aspect.scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        return QRectF(
            (self.width() - size.width()) / 2, (self.height() - size.height()) / 2, size.width(), size.height()
        )

    def room_changed(self) -> None:
        """Tell how many pixels there are."""
        visible = self.isVisible() and not self.window().isMinimized()
        scale = self.devicePixelRatioF() if visible else 0.0
        self.resized.emit(round(self.width() * scale), round(self.height() * scale))

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        self.room_changed()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        self.room_changed()

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802
        self.room_changed()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        theme = colours(self.palette())
        where = self.picture_rect()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.control))
        painter.drawRoundedRect(self.rect(), RADIUS, RADIUS)
        if self._image is None:
            self._paint_message(painter, where)
            return
        # A textured brush, because Qt does not smooth the edges of clips.
        brush = QBrush(self._image)
        scale = where.width() / self._image.width(), where.height() / self._image.height()
        brush.setTransform(QTransform.fromScale(*scale) * QTransform.fromTranslate(where.x(), where.y()))
        painter.setBrush(brush)
        corners = RADIUS if where.width() > self.width() - RADIUS else 0
        painter.drawRoundedRect(where, corners, corners)
        self._paint_notes(painter, where)
        if self._alarm:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(ALARM), 4))
            painter.drawRoundedRect(where.adjusted(2, 2, -2, -2), max(0, corners - 2), max(0, corners - 2))

    def _paint_message(self, painter: QPainter, where: QRectF) -> None:
        theme = colours(self.palette())
        icon, text = self._message
        middle = where.center()
        paint_icon(painter, icon, theme.muted, QRectF(middle.x() - 28, middle.y() - 56, 56, 56), 1.2)
        painter.setPen(QColor(theme.muted))
        below = QRectF(where.left() + 24, middle.y() + 12, where.width() - 48, 64)
        painter.drawText(below, Qt.AlignmentFlag.AlignHCenter | Qt.TextFlag.TextWordWrap, text)

    def _paint_notes(self, painter: QPainter, where: QRectF) -> None:
        at = where.topLeft() + QPointF(GRID * 2, GRID * 2)
        if self._pill.text:
            at.setX(self._paint_pill(painter, at) + GRID)
        if self._badge:
            self._paint_badge(painter, at)
        if self._figures:
            self._paint_figures(painter, where)

    def _paint_pill(self, painter: QPainter, at: QPointF) -> float:
        """Paint the pill and return where it ends."""
        font = QFont(self.font())
        font.setWeight(QFont.Weight.Bold)
        font.setLetterSpacing(QFont.SpacingType.AbsoluteSpacing, 0.6)
        painter.setFont(font)
        box = QRectF(at.x(), at.y(), painter.fontMetrics().horizontalAdvance(self._pill.text) + 46, 32)
        ground, lamp = _PILLS.get(self._pill.level, (_GLASS, QColor("#c3cad2")))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ground)
        painter.drawRoundedRect(box, 16, 16)
        painter.setBrush(lamp)
        painter.drawEllipse(QPointF(box.left() + 18, box.center().y()), 5, 5)
        painter.setPen(QColor("#ffffff"))
        painter.drawText(box.adjusted(31, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, self._pill.text)
        return box.right()

    def _paint_badge(self, painter: QPainter, at: QPointF) -> None:
        painter.setFont(self.font())
        box = QRectF(at.x(), at.y(), painter.fontMetrics().horizontalAdvance(self._badge) + 50, 32)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(_GLASS)
        painter.drawRoundedRect(box, 16, 16)
        paint_icon(painter, "shield", "#ffd27a", QRectF(box.left() + 12, box.top() + 7, 18, 18), 2.2)
        painter.setPen(QColor("#ffffff"))
        painter.drawText(box.adjusted(36, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, self._badge)

    def _paint_figures(self, painter: QPainter, where: QRectF) -> None:
        painter.setFont(self.font())
        width = painter.fontMetrics().horizontalAdvance(self._figures) + 24
        box = QRectF(where.right() - width - 16, where.bottom() - 44, width, 28)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(_GLASS)
        painter.drawRoundedRect(box, 14, 14)
        painter.setPen(QColor("#ffffff"))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, self._figures)
