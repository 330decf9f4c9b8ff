"""The hand-over between two threads: room for one thing, and the newest wins."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Slot(Generic[T]):
    """Holds at most one item.

    `put` never waits: what nobody has taken yet is pushed out, counted in `dropped`, and returned so that its buffer
    can be used again. A `patient` slot is for files, where every frame counts: its `put` waits until there is room.
    After `close` nothing is put any more, what is inside may still be taken, and everyone who waits returns at once.
    """

    def __init__(self, *, patient: bool = False) -> None:
        self._item: T | None = None
        self._changed = threading.Condition()
        self._patient = patient
        self._woken = False
        self.closed = False
        self.dropped = 0

    def put(self, item: T) -> T | None:
        """Put an item in; return the one it pushed out, or the item itself when the slot is closed."""
        with self._changed:
            while self._patient and self._item is not None and not self.closed:
                self._changed.wait()
            if self.closed:
                return item
            pushed_out, self._item = self._item, item
            self.dropped += pushed_out is not None
            self._changed.notify_all()
            return pushed_out

    def take(self, timeout: float) -> T | None:
        """Take the item out, waiting for one up to `timeout` seconds or until `wake`; None when none came."""
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None or self.closed or self._woken, timeout)
            item, self._item = self._item, None
            self._woken = False
            self._changed.notify_all()
            return item

    def wake(self) -> None:
        """Let whoever waits in `take`, or else the next one, return at once."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    @property
    def ended(self) -> bool:
        """Whether it is closed and empty for good; a `take` that found nothing may be older than the last `put`."""
        with self._changed:
            return self.closed and self._item is None

    def close(self) -> None:
        """Wake everyone up; later calls do nothing."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()
