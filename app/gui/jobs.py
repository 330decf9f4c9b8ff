"""Work that would hold up the window, done beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from PySide6.QtCore import QObject, Signal, Slot

T = TypeVar("T")


class Jobs(QObject):
    """Runs functions in threads of their own and hands their results to the window's thread."""

    _finished = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lock = threading.Lock()
        self._closed = False
        self._finished.connect(self._deliver)

    def run(self, work: Callable[[], T], then: Callable[[T], None], failed: Callable[[Exception], None]) -> None:
        """Run `work` in a thread, then `then` with its result, or `failed` with its error, in this one."""
        threading.Thread(target=self._work, args=(work, then, failed), daemon=True).start()

    def close(self) -> None:
        """Forget what is still running: no result arrives any more."""
        with self._lock:
            self._closed = True

    @Slot(object)
    def _deliver(self, outcome: Callable[[], None]) -> None:
        outcome()

    def _work(self, work: Callable[[], T], then: Callable[[T], None], failed: Callable[[Exception], None]) -> None:
        try:
            outcome = partial(then, work())
        except Exception as error:
            outcome = partial(failed, error)
        with self._lock:
            if not self._closed:
                self._finished.emit(outcome)
