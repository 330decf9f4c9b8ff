"""The window's icons: strokes on a 24 × 24 grid, drawn in whatever colour the theme gives."""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

STROKES = {
    "alert": "M12 4 2.8 19.5h18.4zM12 10v4.5M12 17.2v.1",
    "camera": "M3 7.5h12v9H3zM15 10.5l6-3.5v10l-6-3.5",
    "camera-off": "M3 7.5h12v9H3zM15 10.5l6-3.5v10l-6-3.5M3 3l18 18",
    "check": "M5 12.5l4.5 4.5L19 7.5",
    "chevron": "M6 9.5l6 6 6-6",
    "close": "M6.5 6.5l11 11M17.5 6.5l-11 11",
    "contrast": "M12 3.5a8.5 8.5 0 1 0 0 17a8.5 8.5 0 1 0 0-17zM12 3.5v17M12 8h6.5M12 12h8.5M12 16h6.5",
    "copy": "M9 9h11v11H9zM5.5 15H4V4h11v1.5",
    "eye": "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 9a3 3 0 1 0 0 6a3 3 0 1 0 0-6z",
    "film": "M3.5 5h17v14h-17zM10 9.2v5.6l4.8-2.8z",
    "help": "M12 3.5a8.5 8.5 0 1 0 0 17a8.5 8.5 0 1 0 0-17zM9.3 9.6a2.8 2.8 0 1 1 4 2.6c-.9.4-1.3.9-1.3 1.8M12 17v.1",
    "image": "M3.5 5h17v14h-17zM3.5 16l5-5 4 4 3-3 5 4.5M15.5 8.5v.1",
    "plus": "M12 5v14M5 12h14",
    "refresh": "M19.5 12a7.5 7.5 0 1 1-2.3-5.4M17.5 2.8v4h-4",
    "shield": "M12 3l7.5 3v5.5c0 4.6-3.2 7.9-7.5 9.5-4.3-1.6-7.5-4.9-7.5-9.5V6z",
    "trash": "M4.5 7h15M9.5 7V4.5h5V7M6.5 7l1 13h9l1-13",
}

_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><path d="{path}" fill="none" stroke="{colour}" '
    'stroke-width="{width}" stroke-linecap="round" stroke-linejoin="round"/></svg>'
)


@cache
def _renderer(name: str, colour: str, width: float) -> QSvgRenderer:
    return QSvgRenderer(QByteArray(_SVG.format(path=STROKES[name], colour=colour, width=width).encode()))


def paint_icon(painter: QPainter, name: str, colour: str, where: QRectF, width: float = 1.8) -> None:
    """Draw an icon into a square; `width` is the stroke's on the grid of 24."""
    _renderer(name, colour, width).render(painter, where)


def icon(name: str, colour: str, size: int = 20) -> QIcon:
    """An icon for buttons and menus, sharp up to a scale of 3."""
    pixmap = QPixmap(size * 3, size * 3)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    paint_icon(painter, name, colour, QRectF(0, 0, size * 3, size * 3))
    painter.end()
    return QIcon(pixmap)
