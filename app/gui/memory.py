"""What the window remembers of itself, in the one text that the setting `geometry` is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Memory:
    """The window's own state.

    Attributes:
        place: Qt's record of size and place, in base 64; "" before the first.
        advanced: the advanced section is open.
        program: the call program whose hint is shown; "" for the first.
    """

    place: str = ""
    advanced: bool = False
    program: str = ""

    def text(self) -> str:
        """As the setting keeps it."""
        return ";".join((self.place, "advanced" if self.advanced else "", self.program))

    @staticmethod
    def of(text: str) -> Memory:
        """What a text says; one that nobody here wrote says nothing."""
        parts = text.split(";")
        if len(parts) != 3:
            return Memory()
        return Memory(parts[0], parts[1] == "advanced", parts[2])
