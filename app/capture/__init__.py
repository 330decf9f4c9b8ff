"""Sources: where frames come from.

The contract, for whoever writes the next source:

- The constructor opens the device or file and raises `SourceError` with the cure when it cannot. It may take seconds.
- `read` returns the next frame, uint8 BGR (H, W, 3), any size, contiguous; the array is the caller's until the next
  `read`. It blocks until there is one, at most about two seconds, then raises `SourceError` (the device stalled or
  went away). It raises `EndOfSource` when there will be no more frames; a source that loops never does. It raises
  `BrokenFrame` when only this frame is lost and the next `read` goes on with the one after it.
- It raises `Superseded` when another source is to take its place.
- `fps` is the rate it delivers at, in frames a second, 0 where it does not know. A source that is not `live`
  (files, images, the test pattern) returns as fast as it can: whoever reads it keeps the pace.
- A source that can decode into an array of the caller's is `Pooled`: `read_into` returns that array, or another of its
  own when the frame does not fit.
- All calls come from one thread, except that `close` is called once and afterwards nothing else is.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from app.frame import Image
from app.problems import Problem, SourceError


class EndOfSource(Exception):
    """The source has no more frames, which is no error; `problem` says if it should have had more."""

    def __init__(self, problem: Problem | None = None) -> None:
        super().__init__(str(problem or "the source has no more frames"))
        self.problem = problem


class BrokenFrame(SourceError):
    """One frame cannot be read; the source is well otherwise."""


class Superseded(Exception):
    """Another source is to take this one's place, which is no error: it is opened anew, as that one."""


class Source(Protocol):
    """See the module's text for the contract."""

    name: str
    fps: float
    live: bool

    def read(self) -> Image: ...

    def close(self) -> None: ...


@runtime_checkable
class Pooled(Protocol):
    """A source that saves an allocation and a copy of each frame."""

    def read_into(self, array: Image) -> Image: ...
