"""The sink that takes everything and shows it to nobody: for measuring, and for a window that only looks."""

from __future__ import annotations

from app.frame import Picture


class NullSink:
    """Publishes nothing; see `app.publish` for the contract."""

    name = "null"

    def write(self, picture: Picture) -> None:
        """Forget a picture."""

    def close(self) -> None:
        """Nothing to close."""
