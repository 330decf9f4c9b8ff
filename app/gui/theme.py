"""How the window looks: two tables of colours, and the palette and style sheet made of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from string import Template

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFontDatabase, QFontInfo, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication

GRID = 8
"""Spacing in logical pixels; every margin and gap is a multiple or a half of it."""

RADIUS = 12
"""Corners of cards and of the preview; controls have two thirds of it."""


@dataclass(frozen=True, slots=True)
class Colours:
    """One theme. Text on its ground has a contrast of at least 4.5 : 1 (WCAG 2 AA); a test computes it.

    `*_soft` are grounds for text of the same name.
    """

    window: str
    surface: str
    control: str
    hover: str
    border: str
    text: str
    muted: str
    accent: str
    on_accent: str
    accent_soft: str
    warning: str
    warning_soft: str
    danger: str
    on_danger: str
    danger_soft: str


LIGHT = Colours(
    window="#f3f4f6",
    surface="#ffffff",
    control="#eef0f3",
    hover="#e4e7eb",
    border="#dcdfe4",
    text="#15191e",
    muted="#59626e",
    accent="#117a47",
    on_accent="#ffffff",
    accent_soft="#e1f3e9",
    warning="#855400",
    warning_soft="#fff2d4",
    danger="#bb1f24",
    on_danger="#ffffff",
    danger_soft="#fde8e8",
)

DARK = Colours(
    window="#121517",
    surface="#1b1f23",
    control="#272c31",
    hover="#31373d",
    border="#30363c",
    text="#f0f2f4",
    muted="#9ca6b1",
    accent="#45d483",
    on_accent="#05210f",
    accent_soft="#15352a",
    warning="#ffc355",
    warning_soft="#382c13",
    danger="#ff7b79",
    on_danger="#2b0506",
    danger_soft="#3d1d1f",
)

ALARM = "#b91c22"
"""Ground of what must not be overlooked, in both themes; white on it has a contrast of 6.6 : 1."""

_SCHEMES = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark, "system": Qt.ColorScheme.Unknown}


def colours(palette: QPalette) -> Colours:
    """The theme that a widget's palette belongs to, for widgets that paint themselves."""
    return DARK if palette.window().color().lightness() < 128 else LIGHT


def apply_theme(application: QApplication, choice: str) -> Colours:
    """Dress the whole application: "light", "dark", or as the "system" says. Returns the colours in use."""
    hints = QGuiApplication.styleHints()
    hints.setColorScheme(_SCHEMES[choice])  # native dialogs and title bars follow
    dark = choice == "dark" or (choice == "system" and hints.colorScheme() == Qt.ColorScheme.Dark)
    theme = DARK if dark else LIGHT
    sheet = _style_sheet(theme)
    if application.styleSheet() != sheet:  # dressing every widget anew takes 0.1 s
        application.setStyle("Fusion")
        application.setPalette(_palette(theme))
        application.setStyleSheet(sheet)
    return theme


def _palette(theme: Colours) -> QPalette:
    palette = QPalette()
    roles = {
        QPalette.ColorRole.Window: theme.window,
        QPalette.ColorRole.WindowText: theme.text,
        QPalette.ColorRole.Base: theme.surface,
        QPalette.ColorRole.AlternateBase: theme.control,
        QPalette.ColorRole.Text: theme.text,
        QPalette.ColorRole.PlaceholderText: theme.muted,
        QPalette.ColorRole.Button: theme.control,
        QPalette.ColorRole.ButtonText: theme.text,
        QPalette.ColorRole.ToolTipBase: theme.surface,
        QPalette.ColorRole.ToolTipText: theme.text,
        QPalette.ColorRole.Highlight: theme.accent,
        QPalette.ColorRole.HighlightedText: theme.on_accent,
        QPalette.ColorRole.Link: theme.accent,
    }
    for role, colour in roles.items():
        palette.setColor(role, QColor(colour))
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.WindowText, QPalette.ColorRole.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(theme.muted))
    return palette


def base_size() -> int:
    """The text's height in logical pixels: the system's, so that a user's larger text is kept, but at least 13."""
    return max(13, QFontInfo(QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)).pixelSize())


def _style_sheet(theme: Colours) -> str:
    base = base_size()
    sizes = {"base": base, "small": base - 1, "title": base + 5, "large": base + 4}
    mono = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont).family()
    return Template(_SHEET).substitute(asdict(theme) | sizes | {"mono": mono, "alarm": ALARM})


_SHEET = """
* { font-size: ${base}px; }
QToolTip { background: ${surface}; color: ${text}; border: 1px solid ${border}; padding: 4px 8px; }
QLabel { background: transparent; color: ${text}; }
QLabel[look="muted"] { color: ${muted}; }
QLabel[look="small"] { color: ${muted}; font-size: ${small}px; }
QLabel[look="wordmark"] { font-size: ${large}px; font-weight: 700; }
QLabel[look="title"] { font-size: ${title}px; font-weight: 700; }
QLabel[look="section"] { font-weight: 700; }
QLabel[look="strong"] { font-weight: 600; }
QLabel[look="number"] { color: ${text}; font-weight: 600; }
QLabel[look="key"] { background: ${control}; border: 1px solid ${border}; border-radius: 5px; padding: 3px 8px;
    font-weight: 600; }

QLabel[look="code"] { background: ${surface}; color: ${text}; border: 1px solid ${border}; border-radius: 6px;
    padding: 5px 8px; font-family: "${mono}"; font-size: ${small}px; }

QFrame[look="card"] { background: ${surface}; border: 1px solid ${border}; border-radius: 12px; }
QFrame[look="header"] { background: ${surface}; border: none; border-bottom: 1px solid ${border}; }
QFrame[look="line"] { background: ${border}; border: none; max-height: 1px; min-height: 1px; }
QFrame[look="alarm"] { background: ${alarm}; border: none; border-radius: 10px; }
QFrame[look="alarm"] QLabel { color: #ffffff; font-weight: 600; }
QFrame[look="alarm"] QPushButton { background: #ffffff; color: ${alarm}; border: 2px solid #ffffff; font-weight: 600;
    padding: 4px 12px; }
QFrame[look="alarm"] QPushButton:hover { background: #fde8e8; }
QFrame[look="alarm"] QPushButton:focus { border-color: #3a0406; }
QFrame[look="problem"] { background: ${warning_soft}; border: none; border-radius: 8px; }
QFrame[look="problem"][grave="true"] { background: ${danger_soft}; }

QPushButton { background: ${control}; color: ${text}; border: 1px solid ${control}; border-radius: 8px;
    padding: 6px 14px; min-height: 20px; }
QPushButton:hover { background: ${hover}; border-color: ${hover}; }
QPushButton:focus { border: 1px solid ${accent}; }
QPushButton:pressed { background: ${border}; }
QPushButton:disabled { color: ${muted}; }
QPushButton:default, QPushButton[look="primary"] { background: ${accent}; color: ${on_accent};
    border: 1px solid ${accent}; }
QPushButton:default:focus { border: 2px solid ${text}; padding: 5px 13px; }
QPushButton[look="small"] { padding: 3px 10px; background: ${surface}; border-color: ${border}; }
QPushButton[look="small"]:hover { background: ${hover}; }
QPushButton[look="small"]:focus { border-color: ${accent}; }
QPushButton[look="chip"] { padding: 3px 12px; border-radius: 14px; border: 1px solid ${border}; background: transparent;
    color: ${muted}; }
QPushButton[look="chip"]:hover { background: ${hover}; color: ${text}; }
QPushButton[look="chip"]:checked { background: ${accent_soft}; color: ${accent}; border-color: ${accent_soft}; }
QPushButton[look="chip"]:focus { border-color: ${accent}; }
QPushButton[look="danger"] { background: transparent; color: ${danger}; border: 1px solid ${danger}; }
QPushButton[look="danger"]:hover { background: ${danger_soft}; }
QPushButton[look="danger"]:focus { border: 2px solid ${danger}; padding: 5px 13px; }

QToolButton { background: transparent; border: 1px solid transparent; border-radius: 8px; padding: 6px; }
QToolButton:hover { background: ${hover}; }
QToolButton:focus { border: 1px solid ${accent}; }
QToolButton::menu-indicator { image: none; }

QComboBox QAbstractItemView { background: ${surface}; color: ${text}; border: 1px solid ${border}; outline: none;
    padding: 4px; selection-background-color: ${accent_soft}; selection-color: ${text}; }
QComboBox QAbstractItemView::item { min-height: 30px; padding: 0 8px; border-radius: 6px; }
QComboBox QAbstractItemView::item:selected, QComboBox QAbstractItemView::item:hover { background: ${accent_soft};
    color: ${text}; }
QMenu { background: ${surface}; color: ${text}; border: 1px solid ${border}; padding: 4px; }
QMenu::item { padding: 6px 24px 6px 12px; border-radius: 6px; }
QMenu::item:selected { background: ${accent_soft}; }
QMenu::indicator { width: 16px; height: 16px; }

QSlider { min-height: 24px; }
QSlider::groove:horizontal { height: 4px; background: ${border}; border-radius: 2px; }
QSlider::sub-page:horizontal { background: ${accent}; border-radius: 2px; }
QSlider::handle:horizontal { width: 16px; height: 16px; margin: -7px 0; border-radius: 9px; background: ${surface};
    border: 2px solid ${accent}; }
QSlider::handle:horizontal:hover, QSlider::handle:horizontal:focus { background: ${accent}; }

QScrollArea { background: transparent; border: none; }
QScrollBar:vertical { background: transparent; width: 10px; margin: 2px; }
QScrollBar::handle:vertical { background: ${border}; border-radius: 3px; min-height: 32px; }
QScrollBar::handle:vertical:hover { background: ${muted}; }
QScrollBar::add-line, QScrollBar::sub-line, QScrollBar::add-page, QScrollBar::sub-page { background: none; border: none;
    height: 0; width: 0; }
QDialog { background: ${surface}; }
"""
