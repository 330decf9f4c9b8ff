"""What the window's tests share: a pipeline that does nothing but remember, and a window on it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.capture.devices import CameraInfo
from app.gui import call, camera, engine, saver
from app.gui.window import Window
from app.problems import Problem
from app.settings import Settings
from app.status import Status, Timing

LIVE = Status(
    source="live",
    source_name="Webcam C920",
    segmenter="ready",
    segmenter_name="lite on openvino (CPU)",
    protected=False,
    card=False,
    sinks={"v4l2:/dev/video10": "open"},
    fps=30.0,
    captured=900,
    published=895,
    dropped=5,
    timings={"segment": Timing(7.0, 9.0), "total": Timing(14.0, 19.0)},
)
"""All is well."""

CAMERAS = [CameraInfo("/dev/video0", "Webcam C920"), CameraInfo("/dev/video2", "Built-in")]
OUTPUTS = {"v4l2:/dev/video10": "ready", "pipewire": "ready"}
PATIENCE = 8000
"""Milliseconds that a loaded machine may take for what is usually done in a few."""


class FakePipeline:
    """Remembers what it was told and says what it is told to say."""

    def __init__(self, settings: Settings) -> None:
        self.settings = [settings]
        self.state = LIVE
        self.picture: NDArray[np.uint8] | None = np.full((540, 640), 90, np.uint8)
        self.started, self.stopped = threading.Event(), threading.Event()
        self.fault: Exception | None = None
        self.stop_waits: Callable[[], object] = lambda: None

    def start(self) -> None:
        self.started.set()

    def stop(self) -> None:
        self.stop_waits()
        self.stopped.set()

    def configure(self, settings: Settings) -> None:
        self.settings.append(settings)

    def status(self) -> Status:
        if self.fault is not None:
            raise self.fault
        return self.state

    def preview(self) -> NDArray[np.uint8] | None:
        return self.picture

    def wait(self, timeout: float | None = None) -> bool:
        return False


class Stage:
    """A window on fake pipelines, and the newest of these."""

    def __init__(self, qtbot: QtBot) -> None:
        self._qtbot = qtbot
        self.pipelines: list[FakePipeline] = []
        self.windows: list[Window] = []

    def open(
        self, settings: Settings | None = None, problems: list[Problem] | None = None, *, ready: bool = True
    ) -> Window:
        """Show a window; `ready` waits until it has heard from the pipeline."""
        settings = settings or Settings().replace(source="pattern")
        window = Window(settings, problems or [], self._make)
        self.windows.append(window)
        window.start()
        window.show()
        if ready:
            self._qtbot.waitUntil(lambda: window.status is not None, timeout=PATIENCE)
        return window

    def _make(self, settings: Settings) -> FakePipeline:
        self.pipelines.append(FakePipeline(settings))
        return self.pipelines[-1]

    @property
    def pipeline(self) -> FakePipeline:
        return self.pipelines[-1]

    def says(self, status: Status) -> None:
        """Let the pipeline say this, and wait until the window has heard it twice."""
        self.pipeline.state = status
        heard: list[object] = []
        window = self.windows[-1]
        window.engine.reported.connect(heard.append)
        self._qtbot.waitUntil(lambda: heard.count(status) >= 2, timeout=PATIENCE)

    def configured(self, **expected: object) -> None:
        """The pipeline's newest settings become these."""

        def check() -> None:
            newest = self.pipeline.settings[-1]
            assert {name: getattr(newest, name) for name in expected} == expected

        self._qtbot.waitUntil(check, timeout=PATIENCE)


@pytest.fixture
def stage(qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Windows in folders of their own, with the same two cameras on every machine."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(camera, "find_cameras", lambda: CAMERAS)
    monkeypatch.setattr(call, "find_outputs", lambda: OUTPUTS)
    monkeypatch.setattr(engine, "STATUS_PERIOD", 0.05)
    monkeypatch.setattr(saver, "DELAY_MS", 100)
    made = Stage(qtbot)
    yield made
    for window in made.windows:
        window.close()
        window.deleteLater()
    QApplication.processEvents()


def picture(path: Path, colour: tuple[int, int, int] = (40, 160, 220), size: tuple[int, int] = (64, 48)) -> Path:
    """Write a picture of one colour, BGR."""
    cv2.imwrite(str(path), np.full((size[1], size[0], 3), colour, np.uint8))
    return path
