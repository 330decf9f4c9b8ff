"""How long what the others see may stay."""

from __future__ import annotations

import pytest

from app import shown as module
from app.settings import Settings
from app.shown import CARD_SECONDS, FREEZE_SECONDS, Shown

BLURRED = Settings()
OPEN = BLURRED.replace(effect="none", show_room=True)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_a_card_is_due_at_once_and_then_at_its_own_pace(clock: list[float]) -> None:
    shown = Shown()
    assert shown.patience(30) == 0
    shown.published(card=True)
    assert shown.patience(30) == pytest.approx(CARD_SECONDS)
    clock[0] += CARD_SECONDS
    assert shown.patience(30) == pytest.approx(0)


@pytest.mark.parametrize(("fps", "seconds"), [(30, FREEZE_SECONDS), (1, 2.5)])
def test_a_picture_may_stay_until_the_source_has_frozen(clock: list[float], fps: float, seconds: float) -> None:
    shown = Shown()
    shown.published(card=False)
    assert shown.patience(fps) == pytest.approx(seconds)
    clock[0] += 10
    assert shown.patience(fps) == 0


@pytest.mark.parametrize(
    ("card", "raw", "settings", "hidden"),
    [
        (False, True, OPEN, False),
        (False, True, BLURRED, True),
        (False, True, OPEN.replace(on_air=False), True),
        (False, False, BLURRED, False),
        (False, False, BLURRED.replace(on_air=False), True),
        (True, False, BLURRED.replace(on_air=False), False),
    ],
)
def test_what_the_user_hid_may_not_stay(card: bool, raw: bool, settings: Settings, hidden: bool) -> None:
    shown = Shown()
    shown.published(card=card, raw=raw)
    assert shown.is_hidden(settings) == hidden
