"""What the user does in the window becomes a setting: in the file, in the pipeline and in every part of the window."""

from __future__ import annotations

import dataclasses
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from gui_fakes import LIVE, PATIENCE, Stage, picture, stage
from PySide6.QtCore import QMimeData, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from app import settings as settings_file
from app.gui import dialogs, library
from app.gui.camera import FILE
from app.gui.controls import Choice, SettingChoice
from app.gui.window import Window
from app.problems import EffectError
from app.settings import Settings
from backends import selector
from backends.choice import Outcome
from backends.tiers import Candidate

__all__ = ["stage"]


def click(widget: QWidget) -> None:
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton)


def pick(choice: Choice, value: object) -> None:
    """Choose an entry as a user does."""
    index = choice.values.index(value) if isinstance(choice, SettingChoice) else choice.findData(value)
    assert index >= 0, [choice.itemData(i) for i in range(choice.count())]
    choice.setCurrentIndex(index)
    choice.activated.emit(index)


ACTIONS: dict[str, tuple[Callable[[Window], None], dict[str, object]]] = {
    "colour tile": (lambda w: click(w.effects.colour), {"effect": "colour"}),
    "cut-out tile": (lambda w: click(w.effects.alpha), {"effect": "alpha"}),
    "bundled picture": (lambda w: click(w.effects.picture("city")), {"effect": "image", "image": "city"}),
    "blur slider": (lambda w: w.effects.options.blur.slider.setValue(85), {"blur": 85}),
    "layout": (lambda w: pick(w.effects.options.fit, "tile"), {"fit": "tile"}),
    "swatch": (lambda w: click(w.effects.options.swatches[1]), {"colour": "#0047bb"}),
    "camera": (lambda w: pick(w.camera.source, "camera:Built-in"), {"source": "camera:Built-in"}),
    "sample clip": (lambda w: pick(w.camera.source, "clip"), {"source": "clip"}),
    "mirror": (lambda w: click(w.camera.mirror), {"mirror": True}),
    "output": (lambda w: pick(w.call.output, ("pipewire",)), {"sinks": ("pipewire",)}),
    "backend": (lambda w: pick(w.advanced.choices["backend"], "litert"), {"backend": "litert"}),
    "device": (lambda w: pick(w.advanced.choices["device"], "CPU"), {"device": "CPU"}),
    "threads": (lambda w: pick(w.advanced.choices["threads"], 2), {"threads": 2}),
    "limit": (lambda w: pick(w.advanced.choices["cpu_limit"], 25), {"cpu_limit": 25}),
    "loud on battery": (lambda w: click(w.advanced.switches["quiet_on_battery"]), {"quiet_on_battery": False}),
    "size": (lambda w: pick(w.advanced.choices["size"], "640x360"), {"size": "640x360"}),
    "rate": (lambda w: pick(w.advanced.choices["fps"], 24), {"fps": 24}),
    "sharp edges": (lambda w: click(w.advanced.switches["refine"]), {"refine": False}),
    "steady edges": (lambda w: click(w.advanced.switches["temporal"]), {"temporal": False}),
    "off air": (lambda w: click(w.header.on_air), {"on_air": False}),
    "off air by key": (
        lambda w: QTest.keyClick(w, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier),
        {"on_air": False},
    ),
    "mirror by key": (lambda w: QTest.keyClick(w, Qt.Key.Key_M, Qt.KeyboardModifier.ControlModifier), {"mirror": True}),
    "dark": (lambda w: w.header.theme.menu().actions()[2].trigger(), {"theme": "dark"}),
}


def test_every_action_reaches_the_pipeline_and_the_file(stage: Stage, qtbot: QtBot) -> None:
    window = stage.open()
    qtbot.waitUntil(lambda: window.camera.source.findData("camera:Built-in") >= 0, timeout=PATIENCE)
    qtbot.waitUntil(lambda: ("pipewire",) in window.call.output.values, timeout=PATIENCE)
    qtbot.waitUntil(lambda: "city" in window.effects._pictures, timeout=PATIENCE)
    qtbot.waitUntil(lambda: "CPU" in window.advanced.choices["device"].values, timeout=PATIENCE)
    base = window.settings
    for name, (act, expected) in ACTIONS.items():
        window.change({f: getattr(base, f) for f in expected})
        assert {f: getattr(window.settings, f) for f in expected} != expected, f"{name} has nothing to do"
        act(window)
        assert {f: getattr(window.settings, f) for f in expected} == expected, name
        stage.configured(**expected)
    everything = window.settings
    window.close()
    assert settings_file.load() == (everything.replace(geometry=window.settings.geometry), [])


def test_a_slider_that_is_dragged_is_saved_once_it_rests(
    stage: Stage, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[int] = []
    monkeypatch.setattr(settings_file, "save", lambda settings: saved.append(settings.blur))
    window = stage.open()
    for strength in range(61, 91):
        window.effects.options.blur.slider.setValue(strength)
    qtbot.waitUntil(lambda: saved == [90], timeout=PATIENCE)
    stage.configured(blur=90)


def test_a_new_window_begins_as_the_last_one_ended(stage: Stage, qtbot: QtBot) -> None:
    first = stage.open()
    first.change({"effect": "colour", "colour": "#0047bb", "mirror": True, "theme": "dark"})
    first.resize(1010, 700)
    click(first.call.chips["Zoom"])
    click(first.advanced.header)
    first.close()
    settings, problems = settings_file.load()
    second = stage.open(settings, problems)
    assert second.settings == first.settings
    assert second.height() == 700, "the width is cut to Qt's screen without a display, 800 pixels"
    assert second.effects.colour.isChecked() and not second.effects.blur.isChecked()
    assert second.effects.options.swatches[1].isChecked()
    assert second.camera.mirror.isChecked()
    assert second.advanced.body.isVisible()
    assert second.call.chips["Zoom"].isChecked() and "Select a camera" in second.call.hint.text()


def test_a_bundled_picture_is_marked_once_it_is_offered(stage: Stage, qtbot: QtBot) -> None:
    window = stage.open(Settings().replace(source="pattern", effect="image", image="city"), ready=False)
    qtbot.waitUntil(lambda: "city" in window.effects._pictures, timeout=PATIENCE)
    assert window.effects.picture("city").isChecked() and not window.effects.blur.isChecked()


def test_a_broken_geometry_gives_the_first_size(stage: Stage) -> None:
    for geometry in ("", "rubbish", "AAAA;advanced;Zoom", ";;", "????;?;?"):
        window = stage.open(Settings().replace(geometry=geometry), ready=False)
        assert window.width() >= window.minimumWidth() and window.height() >= window.minimumHeight(), geometry


def test_the_room_is_shown_only_after_a_yes(stage: Stage) -> None:
    window = stage.open()

    def answer(act: Callable[[dialogs.RoomDialog], None]) -> None:
        def when_open() -> None:
            dialog = QApplication.activeModalWidget()
            assert isinstance(dialog, dialogs.RoomDialog)
            act(dialog)

        QTimer.singleShot(0, when_open)
        click(window.effects.none)

    answer(lambda d: QTest.keyClick(d, Qt.Key.Key_Escape))
    assert (window.settings.effect, window.settings.show_room) == ("blur", False)
    answer(lambda d: QTest.keyClick(d, Qt.Key.Key_Return))
    assert (window.settings.effect, window.settings.show_room) == ("blur", False)
    answer(lambda d: click(d.keep))
    assert (window.settings.effect, window.settings.show_room) == ("blur", False)
    assert not window.alarm.isVisible() and not window.effects.none.isChecked()
    answer(lambda d: click(d.show_room))
    assert (window.settings.effect, window.settings.show_room) == ("none", True)
    stage.configured(effect="none", show_room=True)
    assert window.alarm.isVisible() and window.effects.none.isChecked()
    assert window.preview.notes[3], "a red frame"


@pytest.mark.parametrize("how", ["banner", "key", "tile", "picture"])
def test_hiding_the_room_takes_the_yes_back(stage: Stage, qtbot: QtBot, how: str) -> None:
    window = stage.open(Settings().replace(effect="none", show_room=True, source="pattern", sinks=("null",)))
    assert window.alarm.isVisible()
    if how == "banner":
        click(window.alarm.hide_room)
    elif how == "key":
        QTest.keyClick(window, Qt.Key.Key_B, Qt.KeyboardModifier.ControlModifier)
    elif how == "tile":
        click(window.effects.blur)
    else:
        qtbot.waitUntil(lambda: "city" in window.effects._pictures, timeout=PATIENCE)
        click(window.effects.picture("city"))
    assert window.settings.effect != "none" and not window.settings.show_room
    stage.configured(show_room=False)
    assert not window.alarm.isVisible() and not window.preview.notes[3]


def test_consent_is_for_one_run(stage: Stage) -> None:
    window = stage.open(Settings().replace(effect="none", show_room=True))
    window.change({"mirror": True})
    window.close()
    settings, _ = settings_file.load()
    assert (settings.effect, settings.show_room, settings.mirror) == ("blur", False, True)


def test_ones_own_picture_is_kept_offered_and_removed(
    stage: Stage, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = picture(tmp_path / "beach.png")
    window = stage.open()
    monkeypatch.setattr(dialogs, "ask_file", lambda *_: original)
    click(window.effects.add)
    qtbot.waitUntil(lambda: window.settings.effect == "image", timeout=PATIENCE)
    original.unlink()
    (kept,) = library.pictures()
    assert window.settings.image == str(kept)
    tile = window.effects.picture(str(kept))
    assert tile.isChecked() and tile.text() == "beach"
    window.close()
    again = stage.open(settings_file.load()[0])
    assert again.effects.picture(str(kept)).isChecked()
    again.activateWindow()
    again.effects.picture(str(kept)).setFocus()
    QTest.keyClick(again.effects.picture(str(kept)), Qt.Key.Key_Delete)
    assert not kept.exists() and again.settings.effect == "blur" and again.settings.image == ""
    assert str(kept) not in again.effects._pictures


def test_a_dialog_left_without_an_answer_changes_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    window = stage.open()
    before = window.settings
    monkeypatch.setattr(dialogs, "ask_file", lambda *_: None)
    monkeypatch.setattr(dialogs, "ask_colour", lambda *_: None)
    click(window.effects.add)
    click(window.effects.video)
    pick(window.camera.source, FILE)
    click(window.effects.options.custom)
    assert window.settings == before
    assert window.camera.source.currentData() == before.source, "the list goes back to what is used"


def test_files_can_be_chosen_and_dropped(
    stage: Stage, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = stage.open()
    monkeypatch.setattr(dialogs, "ask_file", lambda *_: tmp_path / "talk.mp4")
    pick(window.camera.source, FILE)
    assert window.settings.source == str(tmp_path / "talk.mp4")
    assert window.camera.source.currentText() == "talk.mp4"
    click(window.effects.video)
    assert (window.settings.effect, window.settings.video) == ("video", str(tmp_path / "talk.mp4"))

    def drop(path: Path) -> None:
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path))])
        window.dropEvent(
            QDropEvent(
                QPointF(9, 9),
                Qt.DropAction.CopyAction,
                data,
                Qt.MouseButton.LeftButton,
                Qt.KeyboardModifier.NoModifier,
            )
        )

    drop(picture(tmp_path / "wall.jpg"))
    qtbot.waitUntil(lambda: window.settings.effect == "image", timeout=PATIENCE)
    assert "wall-" in window.settings.image
    drop(tmp_path / "loop.webm")
    assert (window.settings.effect, window.settings.video) == ("video", str(tmp_path / "loop.webm"))
    before = window.settings
    drop(tmp_path / "letter.txt")
    assert window.settings == before


def test_a_file_that_is_no_picture_changes_nothing_and_says_so(stage: Stage, qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "letter.png").write_bytes(b"Dear Sir")
    window = stage.open()
    before = window.settings
    window.effects.add_picture(tmp_path / "letter.png")
    qtbot.waitUntil(lambda: bool(window.report.troubles), timeout=PATIENCE)
    assert "letter.png is not a picture" in window.report.troubles[0].problem.message
    assert window.settings == before
    click(window.effects.colour)
    assert window.report.troubles == [], "what is chosen next is another matter"


def test_what_is_no_picture_is_refused_with_a_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    for name, content in (("empty.png", b""), ("letter.png", b"Dear Sir")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(EffectError, match="Choose a JPEG"):
            library.add(tmp_path / name)
    with pytest.raises(EffectError, match="not a picture"):
        library.add(tmp_path / "missing.png")
    assert library.pictures() == []


def test_a_library_that_is_no_folder_has_no_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    library.folder().parent.mkdir()
    library.folder().write_text("a file")
    assert library.pictures() == []
    with pytest.raises(EffectError, match="Make its folder writable"):
        library.remove(library.folder() / "mine.png")


def test_the_same_picture_is_kept_once_and_others_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    mine = picture(tmp_path / "mine.png")
    assert library.add(mine) == library.add(mine)
    assert len(library.pictures()) == 1
    library.remove(mine)
    assert mine.exists(), "it is not in the library"


@pytest.mark.parametrize(("number", "cure"), [(errno.ENOSPC, "Make room"), (errno.EACCES, "writable")])
def test_a_picture_that_could_not_be_copied_whole_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, cure: str
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    mine = picture(tmp_path / "mine.png")

    def full(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        with pytest.raises(EffectError, match=cure):
            library.add(mine)
    assert list(library.folder().iterdir()) == [], "not even half of it"
    assert library.add(mine).read_bytes() == mine.read_bytes()


def test_the_automatic_camera_is_called_by_what_runs(stage: Stage, qtbot: QtBot) -> None:
    window = stage.open(Settings())
    shown = window.camera.source.currentText
    qtbot.waitUntil(lambda: window.camera.source.count() > 4, timeout=PATIENCE)
    stage.says(dataclasses.replace(LIVE, source_name="sample.mp4"))
    assert shown() == "Automatic: sample clip", "a camera is listed, but the clip runs"
    stage.says(dataclasses.replace(LIVE, source="opening", source_name="auto"))
    assert shown() == "Automatic: Webcam C920", "nothing runs yet: the one that will be taken"
    stage.says(dataclasses.replace(LIVE, source="lost", source_name="Built-in"))
    assert shown() == "Automatic: Built-in", "it is waited for"
    window.change({"source": "pattern"})
    assert window.camera.source.itemText(0) == "Automatic: Webcam C920"


def test_an_unplugged_camera_stays_chosen(stage: Stage, qtbot: QtBot) -> None:
    window = stage.open(Settings().replace(source="camera:Webcam C920"))
    qtbot.waitUntil(lambda: window.camera.source.currentText() == "Webcam C920", timeout=PATIENCE)
    window.camera.offer([])
    assert window.camera.source.currentText() == "Webcam C920", "its picture comes: some lists leave out what is in use"
    stage.says(dataclasses.replace(LIVE, source="lost", card=True))
    assert window.camera.source.currentText() == "Webcam C920 (not connected)"
    assert window.settings.source == "camera:Webcam C920"


def test_networks_and_the_devices_they_were_measured_on_can_be_chosen(
    stage: Stage, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = [Outcome(Candidate("openvino", device, 1)) for device in ("NPU", "CPU", "NPU")]
    monkeypatch.setattr(selector, "remembered", lambda *_: [])
    window = stage.open()
    qtbot.waitUntil(lambda: window.advanced.choices["device"].values == ("auto", "CPU"), timeout=PATIENCE)
    assert "lite" in window.advanced.choices["model"].values
    monkeypatch.setattr(selector, "remembered", lambda *_: measured)
    click(window.advanced.header)
    qtbot.waitUntil(lambda: window.advanced.choices["device"].values == ("auto", "CPU", "NPU"), timeout=PATIENCE)
