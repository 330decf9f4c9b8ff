"""What the others see last, and how long it may stay."""

from __future__ import annotations

import time

from app.settings import Settings

FREEZE_SECONDS, FREEZE_FRAMES = 1.0, 2.5
"""After this long without a picture the source has frozen: 1 s is longer than any camera's pause for exposure or
focus, and shorter than people need to ask whether the picture hangs; at rates of 2 a second and less, two frames
missing."""

CARD_SECONDS = 0.2
"""Pause between two cards: 5 a second keep every consumer's stream alive."""


class Shown:
    """Remembers what was published last. The publishing thread alone writes it; `card` may be read from any.

    Attributes:
        card: whether it is the card.
    """

    def __init__(self) -> None:
        self.card = True
        self._raw, self._at = False, 0.0

    def published(self, *, card: bool, raw: bool = False) -> None:
        """Note what was published: a card, a picture of the raw room, or another."""
        self.card, self._raw, self._at = card, raw, time.monotonic()

    def patience(self, fps: float) -> float:
        """Seconds until a card is due."""
        pause = CARD_SECONDS if self.card else max(FREEZE_SECONDS, FREEZE_FRAMES / fps)
        return max(0.0, self._at + pause - time.monotonic())

    def is_hidden(self, settings: Settings) -> bool:
        """Whether it may not be seen any more."""
        return not self.card and (not settings.on_air or (self._raw and settings.effect != "none"))
