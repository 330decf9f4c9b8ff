"""A run that is started and waited for, and given up when it does not end.

A driver that hangs inside a call cannot be interrupted: the call is left to itself, with the arrays it may still write
to, and whoever waited goes on with another session. Should it end after all, its session is closed then.
"""

from __future__ import annotations

import logging
import queue
import statistics
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from backends import AsyncSession, BackendError, Session

T = TypeVar("T")

log = logging.getLogger(__name__)

RECENT = 150
"""Runs that are remembered: five seconds at 30 a second, longer than a browser takes to open a page."""

LATER = 60.0
"""Pause between two looks at a run that was given up: nobody waits for it."""


class Runnable(Protocol):
    """What has runs that may hang: a session, a graph."""

    def run(self) -> None: ...

    def close(self) -> None: ...


class Limited:
    """Runs in two halves, between which the caller does other work, with a time limit.

    A runtime's own asynchronous requests are used where there are such; else the session runs in a thread, which costs
    0.04 ms a run (measured on `lite`, whose run takes 2.3 ms); it ends with `close`, or when the request is forgotten.
    One thread uses it at a time.

    Args:
        session: what to run; `close` closes it.
        limit: seconds after which a run is given up.
    """

    def __init__(self, session: Runnable, limit: float) -> None:
        self._limit = limit
        native = hasattr(session, "start") and hasattr(session, "wait")
        self._inner = cast(AsyncSession, session) if native else _Threaded(session)
        self._abandoned = False
        self._began = 0.0
        self._times: deque[float] = deque(maxlen=RECENT)

    @property
    def recent_ms(self) -> float | None:
        """The median of the last `RECENT` runs; None while there were fewer."""
        times = list(self._times)
        return statistics.median(times) * 1e3 if len(times) == RECENT else None

    def limit(self, seconds: float) -> None:
        """Give runs up that take longer than this from now on, and forget how long they took."""
        self._limit = seconds
        self._times.clear()

    def start(self) -> None:
        """Begin a run and return at once; until `finish` both arrays are the runtime's.

        Raises:
            BackendError: it failed, or was given up before.
        """
        if self._abandoned:
            raise BackendError("it hung and was given up.")
        self._began = time.perf_counter()
        self._inner.start()

    def finish(self) -> None:
        """Wait for the end of what `start` began.

        Raises:
            BackendError: it failed, or did not end within the limit and is given up for ever.
        """
        if not self._inner.wait(self._limit):
            self._abandoned = True
            threading.Thread(target=self._close_later, name="given up", daemon=True).start()
            raise BackendError(f"it did not answer within {self._limit:.1f} s and was given up.")
        self._times.append(time.perf_counter() - self._began)

    def run(self) -> None:
        """Both halves at once."""
        self.start()
        self.finish()

    def close(self) -> None:
        """Close the session; one that hung is left to itself: closing it would hang too."""
        if not self._abandoned:
            self._inner.close()

    def forget(self) -> None:
        """Close the session in the thread that runs it, without waiting; for finalizers, which may come at any time."""
        if isinstance(self._inner, _Threaded):
            if not self._abandoned:
                self._inner.forget()
        else:
            self.close()

    def _close_later(self) -> None:
        """Wait for the end of a run that was given up; freeing what a driver still works on is a crash."""
        try:
            while not self._inner.wait(LATER):
                pass
        except Exception as error:
            log.info("A run that was given up has failed: %s", error)
        self._inner.close()


class Request(Limited):
    """A session whose runs have a time limit; it is a session itself."""

    def __init__(self, session: Session, limit: float) -> None:
        super().__init__(session, limit)
        self.input: NDArray[Any] = session.input
        self.output: NDArray[np.float32] = session.output


class _Threaded:
    """What runs in a thread of its own."""

    def __init__(self, session: Runnable) -> None:
        self._session = session
        self._orders: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._ends: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()
        threading.Thread(target=_serve, args=(self._orders, self._ends), name="network", daemon=True).start()
        weakref.finalize(self, self._orders.put, None)

    def start(self) -> None:
        self._orders.put(self._session.run)

    def wait(self, seconds: float) -> bool:
        try:
            error = self._ends.get(timeout=seconds)
        except queue.Empty:
            return False
        if error is not None:
            raise error
        return True

    def close(self) -> None:
        self._session.close()
        self._orders.put(None)

    def forget(self) -> None:
        self._orders.put(self._session.close)
        self._orders.put(None)


def _serve(orders: queue.SimpleQueue[Callable[[], None] | None], ends: queue.SimpleQueue[Exception | None]) -> None:
    """Carry out orders until None comes; knows nothing of who gives them, so that they may be forgotten."""
    while (order := orders.get()) is not None:
        try:
            order()
            ends.put(None)
        except Exception as error:
            ends.put(error)


def within(seconds: float, function: Callable[[], T], what: str) -> T:
    """Call a function that may never return, in a thread that is left to itself when the time is over.

    Raises:
        BackendError: the time is over; else what the function raises.
    """
    ends: queue.SimpleQueue[tuple[T | None, Exception | None]] = queue.SimpleQueue()

    def work() -> None:
        try:
            ends.put((function(), None))
        except Exception as error:
            ends.put((None, error))

    threading.Thread(target=work, name=what, daemon=True).start()
    try:
        result, error = ends.get(timeout=seconds)
    except queue.Empty:
        raise BackendError(f"{what} did not end within {seconds:.0f} s.") from None
    if error is not None:
        raise error
    return cast(T, result)
