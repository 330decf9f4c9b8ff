"""One way for troubles to reach the user: what failed, in one sentence, and what cures it."""

from __future__ import annotations

from dataclasses import dataclass

NO_DISPLAY = "the display does not answer, or a library of Qt's is missing (on Debian libxcb-cursor0)."
DISPLAY_CURE = "Without a window: `greenroom run`."
"""Said by the window's program and by `greenroom doctor`, which knows before."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A trouble the user can see; `part` is "source", "segmenter", "effect", "sink" or "settings"."""

    part: str
    message: str
    cure: str

    def __str__(self) -> str:
        return f"{self.message} {self.cure}".strip()


class GreenroomError(Exception):
    """An error for the user: its text is the trouble and its cure, without a traceback."""

    part = "greenroom"

    def __init__(self, message: str, cure: str = "") -> None:
        super().__init__(f"{message} {cure}".strip())
        self.problem = Problem(self.part, message, cure)


class SourceError(GreenroomError):
    """A source cannot be opened or has stopped delivering; opening it again later may work."""

    part = "source"


class EffectError(GreenroomError):
    """An effect cannot be built, e.g. its picture cannot be read."""

    part = "effect"


class SinkError(GreenroomError):
    """A sink cannot be opened or has stopped taking pictures; opening it again later may work."""

    part = "sink"


class SettingsError(GreenroomError):
    """A setting's value is not one it can have."""

    part = "settings"
