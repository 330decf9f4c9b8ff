"""Sinks: where finished pictures go.

The contract, for whoever writes the next sink:

- The constructor opens the device or file for one size and rate, which stay fixed until `close`, and raises
  `SinkError` with the cure when it cannot.
- `write` publishes one picture of that size and returns quickly; it never waits for a consumer. It copies what it
  needs beyond the call. It raises `SinkError` when the device went away, the disk is full and so on: the pipeline then
  calls `close`, tells the user and opens the sink again later.
- A sink may have `watched`: True while somebody watches and therefore relies on its size. Such a sink fits pictures of
  another size into its own, so that the pipeline can keep it open when its size is changed. It may also have `fitted`:
  True where the device insisted on another size than it was opened for. Once nobody watches it is opened anew.
- A sink may have `abandon`, called before `close` when the pictures ended early, by an error: what it wrote must not
  take the place of something whole.
- It is opened in a thread of its own, and all calls come from another. `close` is called once, also after an error, and
  afterwards nothing else is. It leaves the device usable for the next start and a file playable.
"""

from __future__ import annotations

from typing import Protocol

from app.frame import Picture


class Sink(Protocol):
    """See the module's text for the contract."""

    name: str

    def write(self, picture: Picture) -> None: ...

    def close(self) -> None: ...
