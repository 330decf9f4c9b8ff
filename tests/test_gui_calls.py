"""What the window says of calls and cameras when they are not as usual, and that keys do what the help promises."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from gui_fakes import LIVE, PATIENCE, Stage, picture, stage
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from app.capture.devices import CameraInfo
from app.gui import camera, dialogs, library, theme
from app.gui.camera import chosen_camera
from app.gui.controls import Choice
from app.gui.single import Single
from app.gui.wording import call_hint, pill, status_line
from app.settings import Settings

__all__ = ["stage"]

PIPEWIRE = replace(LIVE, sinks={"pipewire:Greenroom": "open"})
LOST = replace(LIVE, sinks={"auto": "lost"})
RECORDING = replace(LIVE, sinks={"talk.mp4": "open"})

LINES = [
    (LOST, {"on_air": False}, "danger", "not connected"),
    (replace(LOST, source="lost", card=True), {}, "danger", "No picture from the camera."),
    (replace(LIVE, sinks={"auto": "lost", "talk.mp4": "open"}), {"sinks": ("auto", "talk.mp4")}, "danger", "Nobody"),
    (RECORDING, {"sinks": ("talk.mp4",)}, "off", "Recording only"),
    (replace(LIVE, sinks={"talk.mp4": "lost"}), {"sinks": ("talk.mp4",)}, "danger", "Nothing is recorded"),
    (replace(LIVE, sinks={"/dev/video10": "lost"}), {"sinks": ("/dev/video10",)}, "danger", "Nobody can see you"),
    (replace(LIVE, sinks={"null": "open"}), {"sinks": ("null",), "on_air": False}, "off", "Preview only"),
]


@pytest.mark.parametrize(("status", "changes", "level", "text"), LINES)
def test_the_line_speaks_of_others_only_where_they_can_see(
    status: object, changes: dict[str, object], level: str, text: str
) -> None:
    line = status_line(Settings().replace(**changes), status)  # type: ignore[arg-type]
    assert line.level == level and text in line.text and "others see" not in line.text


def test_a_file_alone_is_not_on_air() -> None:
    assert pill(Settings().replace(sinks=("talk.mp4",)), RECORDING).text == "RECORDING ONLY"
    both = Settings().replace(sinks=("auto", "talk.mp4"))
    assert pill(both, replace(LOST, sinks={"auto": "lost", "talk.mp4": "open"})).text == "NOT CONNECTED"
    raw = Settings().replace(sinks=("talk.mp4",), effect="none", show_room=True)
    assert pill(raw, RECORDING).level == "danger" and status_line(raw, RECORDING).level == "danger"


@pytest.mark.parametrize(
    ("program", "status", "changes", "text"),
    [
        ("Zoom", LIVE, {}, "choose “Greenroom”"),
        ("Zoom", PIPEWIRE, {}, "Zoom does not list PipeWire's cameras"),
        ("Teams", PIPEWIRE, {}, "Teams does not list PipeWire's cameras"),
        ("Meet", PIPEWIRE, {}, "choose “Greenroom”"),
        ("Zoom", replace(LIVE, sinks={"pipewire:Greenroom": "open", "v4l2:/dev/video9": "open"}), {}, "choose “"),
        ("Meet", LOST, {}, "not connected"),
        ("Meet", RECORDING, {"sinks": ("talk.mp4",)}, "publishes none"),
        ("Meet", None, {}, "choose “Greenroom”"),
    ],
)
def test_the_hint_names_only_a_camera_that_the_program_lists(
    program: str, status: object, changes: dict[str, object], text: str
) -> None:
    assert text in call_hint(program, "Greenroom", Settings().replace(**changes), status)  # type: ignore[arg-type]


def test_the_automatic_output_says_what_it_took(stage: Stage, qtbot: QtBot) -> None:
    window = stage.open()
    stage.says(PIPEWIRE)
    assert window.call.output.currentText() == "Automatic: PipeWire"
    window.change({"sinks": ("null",)})
    assert window.call.output.itemText(0) == "Automatic"


def test_the_banner_says_to_whom_the_room_is_visible(stage: Stage) -> None:
    window = stage.open(Settings().replace(effect="none", show_room=True, source="pattern"))
    assert window.alarm.text.text() == "Your room is visible: no effect is on."
    stage.says(LOST)
    assert window.alarm.text.text() == "Your room is visible to you alone: no effect is on."


def test_the_help_leaves_the_keys_it_teaches_working(stage: Stage, qtbot: QtBot) -> None:
    window = stage.open(Settings().replace(effect="none", show_room=True, source="pattern"))
    window.header.help.click()
    assert QApplication.activeModalWidget() is None
    (manual,) = [w for w in QApplication.topLevelWidgets() if isinstance(w, dialogs.HelpDialog) and w.isVisible()]
    manual.activateWindow()
    QTest.keyClick(manual, Qt.Key.Key_B, Qt.KeyboardModifier.ControlModifier)
    assert window.settings.effect == "blur"
    QTest.keyClick(manual, Qt.Key.Key_M, Qt.KeyboardModifier.ControlModifier)
    assert window.settings.mirror
    window.header.help.click()
    assert window._manual is manual, "one is enough"
    manual.close()
    assert window._manual is None
    window.header.help.click()
    assert window._manual is not None


@pytest.mark.parametrize("effect", ["colour", "alpha", "blur"])
def test_removing_a_picture_that_is_not_shown_leaves_the_effect(
    stage: Stage, effect: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = library.add(picture(tmp_path / "beach.png"))
    window = stage.open(Settings().replace(source="pattern", effect=effect, image=str(kept)))
    monkeypatch.setattr(library, "remove", lambda path: (_ for _ in ()).throw(library.EffectError("No.", "Wait.")))
    window.effects.remove_picture(kept)
    assert window.settings.image == str(kept), "it could not be removed"
    monkeypatch.undo()


def test_removing_it_forgets_it(stage: Stage, tmp_path: Path) -> None:
    kept = library.add(picture(tmp_path / "beach.png"))
    window = stage.open(Settings().replace(source="pattern", effect="colour", image=str(kept)))
    window.effects.remove_picture(kept)
    assert (window.settings.effect, window.settings.image) == ("colour", "")


def test_a_picture_that_comes_late_does_not_take_a_newer_choice_back(stage: Stage, qtbot: QtBot) -> None:
    window = stage.open()
    before = (window.settings.effect, window.settings.image)
    window.change({"effect": "colour"})
    window.effects._added(Path("/nowhere/beach.png"), before)
    assert window.settings.effect == "colour"


NONE, PAD = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier


@pytest.mark.parametrize(
    ("key", "held"), [(Qt.Key.Key_Down, NONE), (Qt.Key.Key_End, NONE), (Qt.Key.Key_C, NONE), (Qt.Key.Key_6, PAD)]
)
def test_keys_open_a_list_and_choose_nothing_on_their_way(
    stage: Stage, qtbot: QtBot, key: Qt.Key, held: Qt.KeyboardModifier
) -> None:
    window = stage.open()
    for choice in (window.camera.source, window.call.output):
        assert isinstance(choice, Choice)
        chosen: list[int] = []
        choice.activated.connect(chosen.append)
        QTest.keyClick(choice, key, held)
        assert choice.view().isVisible() and not chosen
        choice.hidePopup()


def test_an_open_list_of_outputs_does_not_change_under_the_hand(stage: Stage, qtbot: QtBot) -> None:
    window = stage.open()
    qtbot.waitUntil(lambda: window.call.output.count() > 2, timeout=PATIENCE)
    window.call.output.showPopup()
    window.call.output.view().setCurrentIndex(window.call.output.model().index(2, 0))
    window.call.offer({"pipewire": "ready"})
    assert window.call.output.view().currentIndex().row() == 2
    window.call.output.hidePopup()
    qtbot.waitUntil(lambda: window.call.output.values == (("auto",), ("pipewire",), ("null",)), timeout=PATIENCE)


TWINS = [CameraInfo("/dev/video0", "HD Webcam"), CameraInfo("/dev/video2", "HD Webcam")]


@pytest.mark.parametrize(
    ("source", "cameras", "expected"),
    [
        ("camera:HD Webcam", TWINS, TWINS[0]),
        ("camera:/dev/video2", TWINS, TWINS[1]),
        ("camera:/dev/video0", TWINS[:1], TWINS[0]),
        ("camera:HD", TWINS, None),
        ("camera:HD Webcam", [], None),
        ("clip", TWINS, None),
    ],
)
def test_a_source_means_its_camera_whatever_else_comes_or_goes(
    source: str, cameras: list[CameraInfo], expected: CameraInfo | None
) -> None:
    assert chosen_camera(source, cameras) is expected


def test_the_live_camera_is_never_called_not_connected(stage: Stage, qtbot: QtBot) -> None:
    window = stage.open(Settings().replace(source="camera:HD Webcam"))
    qtbot.waitUntil(lambda: window.camera.source.count() > 3, timeout=PATIENCE)
    for cameras in (TWINS[:1], TWINS, TWINS[:1], []):
        window.camera.offer(cameras)
        assert window.camera.source.currentText() == "HD Webcam"
        entries = [window.camera.source.itemText(i) for i in range(window.camera.source.count())]
        assert entries.count("HD Webcam") == max(1, len(cameras))


def test_an_older_look_for_cameras_is_dropped(stage: Stage, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    window = stage.open()
    slow = threading.Event()
    answers = [([], slow), (TWINS[:1], threading.Event())]
    answers[1][1].set()

    def find() -> list[CameraInfo]:
        cameras, ready = answers.pop(0)
        ready.wait(5)
        return cameras

    monkeypatch.setattr(camera, "find_cameras", find)
    window.camera.refresh()
    qtbot.waitUntil(lambda: len(answers) == 1, timeout=PATIENCE)
    window.camera.refresh()
    qtbot.waitUntil(lambda: window.camera._cameras == TWINS[:1], timeout=PATIENCE)
    slow.set()
    qtbot.wait(100)
    assert window.camera._cameras == TWINS[:1]


def test_a_key_brings_what_it_names_into_sight(stage: Stage, qtbot: QtBot) -> None:
    window = stage.open()
    window.resize(900, 600)
    window.advanced.header.setChecked(True)
    qtbot.wait(30)
    rate = window.advanced.choices["fps"]
    assert rate.visibleRegion().isEmpty()
    window.activateWindow()
    QTest.keyClick(window, Qt.Key.Key_F, Qt.KeyboardModifier.AltModifier)
    qtbot.waitUntil(lambda: not rate.visibleRegion().isEmpty(), timeout=PATIENCE)


@pytest.mark.parametrize("base", [15, 18])
def test_large_text_is_whole(stage: Stage, qtbot: QtBot, base: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(theme, "base_size", lambda: base)
    window = stage.open(Settings().replace(effect="none", show_room=True, source="pattern"))
    window.resize(900, 600)
    qtbot.wait(30)
    for text in window.findChildren(QLabel):
        if text.isVisible() and text.text():
            assert text.width() >= text.minimumSizeHint().width(), text.text()
    below = window.stage._below
    assert below.widget().width() <= below.viewport().width(), "nothing is hidden at the side"
    dialog = dialogs.RoomDialog(window)
    dialog.show()
    for button in (dialog.keep, dialog.show_room):
        needed = button.fontMetrics().horizontalAdvance(button.text()) + 2 * 14
        assert button.width() >= needed
    dialog.close()
    window.close()
    monkeypatch.undo()


def test_there_is_one_window_at_a_time(qtbot: QtBot, tmp_path: Path) -> None:
    first, elsewhere = Single(tmp_path / "settings.json"), Single(tmp_path / "other.json")
    assert not first.shown_elsewhere() and not elsewhere.shown_elsewhere()
    code = "import sys, pathlib, app.gui.single as s; print(s.Single(pathlib.Path(sys.argv[1])).shown_elsewhere())"
    with qtbot.waitSignal(first.asked, timeout=4 * PATIENCE):
        again = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "settings.json")], stdout=subprocess.PIPE)
    output, _ = again.communicate(timeout=20)
    assert output.strip() == b"True"
