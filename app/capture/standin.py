"""What is shown until there is something better."""

from __future__ import annotations

import time
from collections.abc import Callable

from app.capture import Source, Superseded
from app.frame import Image


class StandIn:
    """A source that gives way to a better one; see `app.capture` for the contract.

    Args:
        source: what stands in.
        better: tells whether the better one is there; asked between two frames, so it must be quick.
        pause: seconds between two looks.
        now: the clock, for tests.
    """

    def __init__(
        self, source: Source, better: Callable[[], bool], pause: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.name, self.fps, self.live = source.name, source.fps, source.live
        self._source, self._better = source, better
        self._pause, self._now = pause, now
        self._look_at = now() + pause

    def read(self) -> Image:
        """The next frame of what stands in.

        Raises:
            Superseded: the better one is there.
        """
        if self._now() >= self._look_at:
            if self._better():
                raise Superseded
            self._look_at = self._now() + self._pause
        return self._source.read()

    def close(self) -> None:
        """Close what stands in."""
        self._source.close()
