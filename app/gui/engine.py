"""The pipeline's keeper: one thread that makes every call to it, so that none can hold up the window."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

import numpy as np
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from app.frame import Image
from app.problems import GreenroomError, Problem
from app.settings import Settings
from app.slot import Slot
from app.status import Status

PICTURE_PERIOD = 1 / 30
"""Seconds between looks for a new picture: the rate of cameras; a faster preview costs and shows nothing more."""

STATUS_PERIOD = 0.25
"""Seconds between two status reports: figures that change faster cannot be read."""

RETRY_SECONDS = 3.0
"""Pause before a pipeline that broke is made again: what is missing may have been put back meanwhile."""

CLOSE_SECONDS = 1.2
"""How long the window's end waits for the pipeline's: closing is felt as at once up to about two seconds, saving
included; a camera driver that takes longer is left to the end of the process."""


class AnyPipeline(Protocol):
    """What is needed of `app.pipeline.Pipeline`; tests give a fake."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def configure(self, settings: Settings) -> None: ...

    def status(self) -> Status: ...

    def preview(self) -> Image | None: ...

    def wait(self, timeout: float | None = None) -> bool: ...


def real_pipeline(settings: Settings) -> AnyPipeline:
    """The pipeline itself; imported here, in the engine's thread, because its runtimes take a while."""
    from app.pipeline import Pipeline

    return Pipeline(settings)


class Engine(QObject):
    """Runs a pipeline for as long as the window is open; off air it publishes the card itself.

    `configure`, `show_in`, `take` and `close` are called by the window and return at once, `close` excepted. Signals
    arrive in the window's thread.

    Attributes:
        pictured: there is a new picture to `take`.
        reported: a `Status`.
        failed: a `Problem`: the pipeline could not be made or broke. It is made again after `RETRY_SECONDS`, or at
            once with the next settings.
    """

    pictured = Signal()
    reported = Signal(object)
    failed = Signal(object)

    def __init__(self, make_pipeline: Callable[[Settings], AnyPipeline], settings: Settings) -> None:
        super().__init__()
        self._make_pipeline = make_pipeline
        self._orders: Slot[Settings] = Slot()
        self._orders.put(settings)
        self._closing = False
        self._room = (0, 0)
        self._images: Slot[QImage] = Slot()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        # All below belong to the thread.
        self._settings = settings
        self._pipeline: AnyPipeline | None = None
        self._retry_at = 0.0
        self._shown: Image | None = None
        self._shown_in = (0, 0)
        self._report_due = 0.0

    def start(self) -> None:
        """Start the thread, which makes and starts the pipeline."""
        self._thread.start()

    def configure(self, settings: Settings) -> None:
        """Use these settings; of several in a row only the last counts."""
        self._orders.put(settings)

    def show_in(self, width: int, height: int) -> None:
        """Give pictures that fit into so many device pixels; none while one is 0, which costs nothing."""
        self._room = (width, height)

    def take(self) -> QImage | None:
        """The newest picture not taken yet."""
        return self._images.take(0)

    def close(self) -> bool:
        """Stop the pipeline and the thread; False if that takes longer than `CLOSE_SECONDS`."""
        self._closing = True
        self._orders.close()
        if self._thread.is_alive():
            self._thread.join(CLOSE_SECONDS)
        return not self._thread.is_alive()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._closing:
            settings = self._orders.take(max(0.0, due - time.monotonic()))
            due = max(due, time.monotonic()) if settings else max(due + PICTURE_PERIOD, time.monotonic())
            try:
                if settings is not None:
                    self._use(settings)
                elif self._pipeline is not None:
                    self._watch(self._pipeline)
                elif time.monotonic() >= self._retry_at:
                    self._use(self._settings)
            except Exception as error:
                self._broken(error)
        self._stop()

    def _watch(self, pipeline: AnyPipeline) -> None:
        if min(self._room) > 0:
            self._picture(pipeline.preview())
        now = time.monotonic()
        if now < self._report_due:
            return
        self._report_due = now + STATUS_PERIOD
        if pipeline.wait(0):  # raises what ended it
            raise GreenroomError("The camera's picture stopped.", "It is started again by itself.")
        self.reported.emit(pipeline.status())

    def _use(self, settings: Settings) -> None:
        self._settings = settings
        if self._pipeline is not None:
            self._pipeline.configure(settings)
            return
        self._pipeline = self._make_pipeline(settings)
        self._pipeline.start()
        self._report_due = 0.0

    def _picture(self, picture: Image | None) -> None:
        """Offer a picture, unless it is the one already shown."""
        if picture is None:
            return
        room = self._room
        if self._shown is not None and room == self._shown_in and np.array_equal(picture, self._shown):
            return
        from app.gui.picture import to_image  # imports cv2, which takes a while, in this thread

        self._shown, self._shown_in = picture, room
        if self._images.put(to_image(picture, room)) is None:
            self.pictured.emit()

    def _stop(self) -> None:
        pipeline, self._pipeline, self._shown = self._pipeline, None, None
        if pipeline is not None:
            pipeline.stop()

    def _broken(self, error: Exception) -> None:
        self._tell(error)  # first: a driver that hangs may keep the stopping for good
        try:
            self._stop()
        except Exception as second:
            self._tell(ExceptionGroup("and could not stop", [error, second]))
        self._retry_at = time.monotonic() + RETRY_SECONDS

    def _tell(self, error: Exception) -> None:
        if isinstance(error, GreenroomError):
            self.failed.emit(error.problem)
        else:
            self.failed.emit(Problem("greenroom", f"Greenroom failed ({error!r}).", "Go off air and on air again."))
