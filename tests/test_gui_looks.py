"""The window can be used by keyboard and screen reader, is legible in both themes, and nothing in it is cut off."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from gui_fakes import LIVE, PATIENCE, Stage, stage
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QLabel, QScrollArea, QSlider, QWidget
from pytestqt.qtbot import QtBot

from app.gui import forget_cv2_qt
from app.gui.controls import Name, Push
from app.gui.dialogs import HelpDialog, RoomDialog
from app.gui.theme import ALARM, DARK, LIGHT, Colours, apply_theme, colours
from app.gui.window import SMALLEST, Window
from app.problems import Problem
from app.settings import Settings

__all__ = ["stage"]

CONTROLS = (QAbstractButton, QComboBox, QSlider)


def ready(stage: Stage, qtbot: QtBot, settings: Settings | None = None) -> Window:
    """A window whose lists have all come."""
    window = stage.open(settings)
    qtbot.waitUntil(lambda: "city" in window.effects._pictures, timeout=PATIENCE)
    qtbot.waitUntil(window.effects.picture("city").isVisible, timeout=PATIENCE)
    qtbot.waitUntil(lambda: window.camera.source.count() > 4, timeout=PATIENCE)
    qtbot.waitUntil(lambda: ("pipewire",) in window.call.output.values, timeout=PATIENCE)
    window.advanced.header.setChecked(True)
    return window


def visible(window: QWidget, kind: type[QWidget] | tuple[type[QWidget], ...]) -> list[QWidget]:
    return [w for w in window.findChildren(QWidget) if isinstance(w, kind) and w.isVisible()]


def test_tab_goes_through_everything_in_reading_order(stage: Stage, qtbot: QtBot) -> None:
    window = ready(stage, qtbot)
    window.activateWindow()
    window.header.on_air.setFocus(Qt.FocusReason.TabFocusReason)
    order: list[QWidget] = []
    for _ in range(80):
        focused = QApplication.focusWidget()
        assert focused is not None
        if order and focused is order[0]:
            break
        order.append(focused)
        QTest.keyClick(focused, Qt.Key.Key_Tab)
    controls = [
        w
        for w in visible(window, CONTROLS)
        if w.focusPolicy() & Qt.FocusPolicy.TabFocus and w.isEnabled() and w.window() is window
    ]
    missing = [w.accessibleName() or w for w in controls if w not in order and not _is_other_chip(window, w)]
    assert not missing, missing
    expected = [
        window.header.on_air,
        window.call.output,
        window.camera.source,
        window.camera.mirror,
        window.effects.blur,
        window.effects.picture("city"),
        window.effects.add,
        window.effects.video,
        window.effects.none,
        window.effects.options.blur.slider,
        window.advanced.header,
        window.advanced.choices["model"],
        window.advanced.switches["temporal"],
    ]
    places = [order.index(w) for w in expected]
    assert places == sorted(places)


def _is_other_chip(window: Window, widget: QWidget) -> bool:
    """Of buttons that exclude each other, Tab reaches the chosen one; arrows go on from there."""
    return widget in window.call.chips.values() and not widget.isChecked()  # type: ignore[attr-defined]


def test_space_chooses_what_has_the_focus(stage: Stage, qtbot: QtBot) -> None:
    window = ready(stage, qtbot)
    QTest.keyClick(window.effects.colour, Qt.Key.Key_Space)
    assert window.settings.effect == "colour"
    QTest.keyClick(window.camera.mirror, Qt.Key.Key_Space)
    assert window.settings.mirror
    QTest.keyClick(window.header.on_air, Qt.Key.Key_Space)
    assert not window.settings.on_air


def test_focus_is_drawn_for_the_keyboard_and_not_for_the_mouse(stage: Stage, qtbot: QtBot) -> None:
    window = ready(stage, qtbot)
    window.activateWindow()
    for control in (window.header.on_air, window.effects.colour, window.camera.mirror, window.camera.source):
        window.preview.setFocus()
        before = control.grab().toImage()
        control.setFocus(Qt.FocusReason.MouseFocusReason)
        assert not control.shows_focus
        assert control.grab().toImage() == before
        window.preview.setFocus()
        control.setFocus(Qt.FocusReason.TabFocusReason)
        assert control.shows_focus
        assert control.grab().toImage() != before, control.accessibleName()


def test_keys_of_alt_are_unique_and_work(stage: Stage, qtbot: QtBot) -> None:
    window = ready(stage, qtbot, Settings().replace(source="pattern", effect="image", image="city"))
    window.alarm.show()
    marked = [w._marked for w in visible(window, (Name, Push))]
    marked += [w.text() for w in visible(window, QAbstractButton) if "&" in w.text()]
    keys = [found.group(1).upper() for text in marked if (found := re.search("&(.)", text))]
    assert len(keys) >= 10 and len(set(keys)) == len(keys), sorted(keys)
    window.activateWindow()
    QTest.keyClick(window, Qt.Key.Key_C, Qt.KeyboardModifier.AltModifier)
    assert window.camera.source.hasFocus()
    QTest.keyClick(window, Qt.Key.Key_I, Qt.KeyboardModifier.AltModifier)
    qtbot.waitUntil(lambda: not window.settings.on_air, timeout=PATIENCE)  # Qt shows the button pressed first


def test_keys_are_underlined_while_alt_is_held(stage: Stage, qtbot: QtBot) -> None:
    window = ready(stage, qtbot)
    (name,) = (w for w in visible(window, Name) if isinstance(w, Name) and w.buddy() is window.camera.source)
    before = window.camera.mirror.grab().toImage()
    QTest.keyPress(window, Qt.Key.Key_Alt)
    assert isinstance(name, QLabel) and name.text() == "<u>C</u>amera"
    assert window.camera.mirror.grab().toImage() != before
    QTest.keyRelease(window, Qt.Key.Key_Alt)
    assert name.text() == "Camera"
    assert window.camera.mirror.grab().toImage() == before


def test_every_control_has_a_name_for_a_screen_reader(stage: Stage, qtbot: QtBot) -> None:
    window = ready(stage, qtbot)
    for effect in ("blur", "image", "video", "colour"):
        window.change({"effect": effect, "image": "city", "video": "loop.mp4"})
        for control in visible(window, CONTROLS):
            spoken = control.accessibleName() or getattr(control, "text", str)()
            assert spoken and "&" not in control.accessibleName(), control
    assert window.preview.accessibleDescription().startswith("ON AIR")
    assert window.report.accessibleName().startswith("Status: Live")


TROUBLE = Problem(
    "sink",
    "No virtual camera can be made. There is no v4l2loopback device. PipeWire does not run for this user.",
    "Install and load the module: sudo apt install v4l2loopback-dkms linux-headers-$(uname -r) && sudo modprobe "
    "v4l2loopback exclusive_caps=1 card_label=Greenroom video_nr=10",
)


@pytest.mark.parametrize("size", [(880, 560), (900, 600), (1280, 800), (1600, 1000)])
def test_nothing_is_cut_off_or_overlaps(stage: Stage, qtbot: QtBot, size: tuple[int, int]) -> None:
    window = ready(stage, qtbot)
    window.resize(*size)
    for status in (LIVE, replace(LIVE, sinks={"auto": "lost"}, problems=(TROUBLE,))):
        stage.says(status)
        qtbot.wait(20)
        _whole_texts(window)
        _no_overlap(window)
        room = window.preview.picture_rect()
        assert room.height() >= 170 and room.width() >= 300
        assert QRect(QPoint(), window.preview.size()).contains(room.toAlignedRect())
    for dialog in (RoomDialog(window), HelpDialog(window)):
        dialog.show()
        _whole_texts(dialog)
        dialog.close()


def _whole_texts(window: QWidget) -> None:
    for text in visible(window, (QLabel, Push)):
        needed = text.minimumSizeHint()
        assert text.width() >= needed.width(), text.text()  # type: ignore[attr-defined]
        height = text.heightForWidth(text.width()) if text.hasHeightForWidth() else needed.height()
        assert text.height() >= min(height, needed.height()), text.text()  # type: ignore[attr-defined]
    for area in visible(window, QScrollArea):
        assert isinstance(area, QScrollArea)
        inner = area.widget()
        assert inner.width() <= area.viewport().width(), "nothing is hidden at the side"


def _no_overlap(window: Window) -> None:
    for parent in window.findChildren(QWidget):
        children = [w for w in parent.children() if isinstance(w, QWidget) and w.isVisible() and not w.isWindow()]
        if isinstance(parent, (QScrollArea, QComboBox)) or parent.layout() is None:
            continue
        for i, one in enumerate(children):
            for other in children[i + 1 :]:
                assert not one.geometry().intersects(other.geometry()), (one, other)


def test_the_picture_keeps_its_aspect_and_its_place(stage: Stage, qtbot: QtBot) -> None:
    window = ready(stage, qtbot)
    window.resize(1280, 800)
    qtbot.waitUntil(lambda: window.preview.has_image, timeout=PATIENCE)
    assert window.preview.aspect == pytest.approx(1280 / 720)
    rect = window.preview.picture_rect()
    assert rect.width() / rect.height() == pytest.approx(16 / 9, rel=0.02)
    assert rect.width() > 0.9 * window.preview.width()


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    parts = [c / 255 for c in QColor(colour).getRgb()[:3]]
    r, g, b = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    a, b = sorted((luminance(one), luminance(other)))
    return (b + 0.05) / (a + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_texts_have_enough_contrast(theme: Colours) -> None:
    pairs = [(text, ground) for text in ("text", "muted") for ground in ("window", "surface", "control")]
    pairs += [("text", "hover"), ("on_accent", "accent"), ("accent", "accent_soft"), ("text", "accent_soft")]
    pairs += [("text", "warning_soft"), ("text", "danger_soft"), ("danger", "surface"), ("danger", "danger_soft")]
    for text, ground in pairs:
        assert contrast(getattr(theme, text), getattr(theme, ground)) >= 4.5, (text, ground)
    for sign in ("accent", "warning", "danger", "muted"):
        assert contrast(getattr(theme, sign), theme.surface) >= 3, sign
    assert contrast("#ffffff", ALARM) >= 4.5


def test_the_theme_follows_the_choice(stage: Stage) -> None:
    window = stage.open()
    for choice, theme in (("dark", DARK), ("light", LIGHT)):
        window.change({"theme": choice})
        assert colours(window.palette()) == theme
        ground = window.grab().toImage().pixelColor(window.width() // 2, window.header.height() // 2)
        assert ground == QColor(theme.surface)
        assert QApplication.palette().color(QPalette.ColorRole.Window) == QColor(theme.window)
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    assert apply_theme(application, "system") in (LIGHT, DARK)


def test_the_smallest_window_is_half_a_laptops_screen() -> None:
    assert SMALLEST.width() <= 960 and SMALLEST.height() <= 600


def test_what_cv2_does_to_qt_is_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = str(Path("/lib/cv2/qt/plugins"))
    monkeypatch.setenv("QT_QPA_PLATFORM_PLUGIN_PATH", folder)
    monkeypatch.setenv("QT_QPA_FONTDIR", "/mine/fonts")
    forget_cv2_qt()
    assert "QT_QPA_PLATFORM_PLUGIN_PATH" not in os.environ
    assert os.environ["QT_QPA_FONTDIR"] == "/mine/fonts", "what the user set is kept"
