"""The effects as tiles with thumbnails."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import (
    QBrush,
    QColor,
    QImage,
    QLinearGradient,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QRadialGradient,
    QTransform,
)
from PySide6.QtWidgets import QAbstractButton, QSizePolicy

from app.gui.controls import Keyboard
from app.gui.icons import paint_icon
from app.gui.theme import Colours, colours

THUMBNAIL = QSize(104, 56)
"""A thumbnail in logical pixels: three of them and their gaps fill the panel, in about the camera's aspect."""

TITLE_HEIGHT = 22


class Tile(Keyboard, QAbstractButton):
    """One effect to choose. It never checks itself: `setChecked` shows what the settings say.

    Args:
        kind: "blur", "image", "video", "colour", "alpha", "none" or "add", which decides its drawing.
        title: its name.
        help: what a tooltip and a screen reader add.
    """

    def __init__(self, kind: str, title: str, help: str) -> None:
        super().__init__()
        self.kind = kind
        self._image: QImage | None = None
        self._colour = QColor("#00b140")
        self.setText(title)
        self.setToolTip(help)
        self.setAccessibleName(title)
        self.setAccessibleDescription(help)
        self.setCheckable(kind != "add")
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)

    def show_thumbnail(self, image: QImage) -> None:
        """Show a picture; any size with the thumbnail's aspect. A null one stands for a file that cannot be read."""
        self._image = image
        self.update()

    def show_colour(self, colour: str) -> None:
        """Use this colour in the drawing."""
        if QColor(colour) != self._colour:
            self._colour = QColor(colour)
            self.update()

    def nextCheckState(self) -> None:  # noqa: N802
        """Stay as the settings say."""

    def sizeHint(self) -> QSize:  # noqa: N802
        return QSize(THUMBNAIL.width(), THUMBNAIL.height() + TITLE_HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        theme, painter = colours(self.palette()), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        box = QRectF(0, 0, self.width(), self.height() - TITLE_HEIGHT)
        painter.setPen(Qt.PenStyle.NoPen)
        self._paint_thumbnail(painter, box, theme)
        self._paint_rings(painter, box, theme)
        if self.isChecked():
            self._paint_check(painter, box, theme)
        font = self.font()
        font.setBold(self.isChecked())
        painter.setFont(font)
        painter.setPen(QColor(theme.text if self.isChecked() else theme.muted))
        room = QRectF(0, box.bottom() + 2, self.width(), TITLE_HEIGHT - 2)
        text = painter.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, int(room.width()))
        painter.drawText(room, Qt.AlignmentFlag.AlignCenter, text)

    def _paint_rings(self, painter: QPainter, box: QRectF, theme: Colours) -> None:
        """Draw what is chosen, focused or under the pointer as rings inside the thumbnail's edge."""
        accent = theme.danger if self.kind == "none" else theme.accent
        rings: tuple[tuple[float, float, str], ...] = ()  # distance from the edge, width, colour
        if self.isChecked() or self.shows_focus:
            rings = ((2.5, 2, theme.surface), (1, 2, accent))
        elif self.underMouse():
            rings = ((0.75, 1.5, theme.muted),)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for inset, width, colour in rings:
            painter.setPen(QPen(QColor(colour), width))
            painter.drawRoundedRect(box.adjusted(inset, inset, -inset, -inset), 8 - inset, 8 - inset)
        if self.shows_focus and self.isChecked():
            painter.setPen(QPen(QColor(theme.text), 2))
            painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), 7, 7)

    def _paint_check(self, painter: QPainter, box: QRectF, theme: Colours) -> None:
        danger = self.kind == "none"
        middle = QPointF(box.right() - 14, box.top() + 14)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.danger if danger else theme.accent))
        painter.drawEllipse(middle, 9, 9)
        colour = theme.on_danger if danger else theme.on_accent
        paint_icon(painter, "check", colour, QRectF(middle.x() - 7, middle.y() - 7, 14, 14), 3)

    def _paint_thumbnail(self, painter: QPainter, box: QRectF, theme: Colours) -> None:
        if self._image is not None and not self._image.isNull():
            brush, width, height = QBrush(self._image), self._image.width(), self._image.height()
            scale = max(box.width() / width, box.height() / height)  # what is too much is cut off on both sides
            corner = box.center() - QPointF(width, height) * scale / 2
            brush.setTransform(QTransform.fromScale(scale, scale) * QTransform.fromTranslate(corner.x(), corner.y()))
            _fill(painter, box, brush)
        elif self.kind == "blur":
            _fill(painter, box, _dusk(box))
            _blobs(painter, box)
            _person(painter, box, "#f4f1ea")
        elif self.kind == "colour":
            _fill(painter, box, QBrush(self._colour))
            _person(painter, box, "#ffffff" if self._colour.lightness() < 170 else "#30363c")
        elif self.kind == "alpha":
            _fill(painter, box, _checkers(theme))
            _person(painter, box, theme.muted)
        else:
            self._paint_icon(painter, box, theme)

    def _paint_icon(self, painter: QPainter, box: QRectF, theme: Colours) -> None:
        name = {"add": "plus", "video": "film", "none": "eye"}.get(self.kind, "image")
        colour = theme.danger if self.kind == "none" else theme.muted
        _fill(painter, box, QBrush(QColor(theme.danger_soft if self.kind == "none" else theme.control)))
        if self.kind == "add":
            painter.setPen(QPen(QColor(theme.muted), 1.2, Qt.PenStyle.DashLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)
        paint_icon(painter, name, colour, QRectF(box.center().x() - 12, box.center().y() - 12, 24, 24))


class Swatch(Keyboard, QAbstractButton):
    """One colour to choose, "#rrggbb". Like a tile it shows what the settings say."""

    def __init__(self, colour: str) -> None:
        super().__init__()
        self.colour = colour
        self.setCheckable(True)
        self.setAccessibleName(f"Colour {colour}")
        self.setToolTip(colour)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFixedSize(32, 32)

    def nextCheckState(self) -> None:  # noqa: N802
        """Stay as the settings say."""

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        theme, painter = colours(self.palette()), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = QPointF(16, 16)
        painter.setPen(QPen(QColor(theme.border), 1))
        painter.setBrush(QColor(self.colour))
        painter.drawEllipse(middle, 11, 11)
        if self.isChecked() or self.shows_focus:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(theme.accent if self.isChecked() else theme.muted), 2))
            painter.drawEllipse(middle, 14.5, 14.5)


def _fill(painter: QPainter, box: QRectF, brush: QBrush) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(brush)
    painter.drawRoundedRect(box, 8, 8)


def _dusk(box: QRectF) -> QBrush:
    gradient = QLinearGradient(box.topLeft(), box.bottomRight())
    for place, colour in ((0, "#4f6d7a"), (0.55, "#8fa9a3"), (1, "#c9a777")):
        gradient.setColorAt(place, QColor(colour))
    return QBrush(gradient)


def _blobs(painter: QPainter, box: QRectF) -> None:
    """Lamps out of focus, cut off at the tile's corners."""
    painter.save()
    rounded = QPainterPath()
    rounded.addRoundedRect(box, 8, 8)
    painter.setClipPath(rounded)
    for x, y, radius, colour in ((0.14, 0.3, 17, "#ffe3a8"), (0.85, 0.4, 20, "#f7c08a"), (0.36, 0.12, 11, "#d8f0ff")):
        middle = QPointF(box.left() + x * box.width(), box.top() + y * box.height())
        glow = QRadialGradient(middle, radius)
        tint = QColor(colour)
        glow.setColorAt(0, tint)
        tint.setAlpha(0)
        glow.setColorAt(1, tint)
        painter.setBrush(QBrush(glow))
        painter.drawEllipse(middle, radius, radius)
    painter.restore()


def _person(painter: QPainter, box: QRectF, colour: str) -> None:
    """Head and shoulders, standing on the tile's lower edge."""
    middle, height = box.center().x(), box.height()
    path = QPainterPath()
    path.addEllipse(QPointF(middle, box.top() + 0.38 * height), 0.17 * height, 0.2 * height)
    shoulders = QPainterPath()
    shoulders.addRoundedRect(QRectF(middle - 0.4 * height, box.top() + 0.66 * height, 0.8 * height, height), 16, 16)
    inside = QPainterPath()
    inside.addRoundedRect(box, 8, 8)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colour))
    painter.drawPath(path.united(shoulders.intersected(inside)))


def _checkers(theme: Colours) -> QBrush:
    image = QImage(16, 16, QImage.Format.Format_RGB32)
    image.fill(QColor(theme.control))
    painter = QPainter(image)
    painter.fillRect(0, 0, 8, 8, QColor(theme.border))
    painter.fillRect(8, 8, 8, 8, QColor(theme.border))
    painter.end()
    return QBrush(image)
