"""What the pipeline tells of itself."""

from __future__ import annotations

import pytest

from app.status import Rate


@pytest.mark.parametrize("fps", [5, 30, 120])
def test_the_rate_is_the_last_seconds_own_up_to_the_most_that_the_settings_allow(fps: int) -> None:
    rate = Rate()
    for number in range(10 * fps):
        rate.add(number / fps)
    assert rate.at(10.0 - 1 / fps) == pytest.approx(fps, rel=0.02)
    assert rate.at(20.0) == 0
