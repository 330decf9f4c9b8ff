"""Pictures in a device of another size: whole, centred, and never larger than it."""

from __future__ import annotations

import numpy as np
import pytest

from app.compose.planes import new_i420, planes
from app.publish.fit import Fit


@pytest.mark.parametrize("source", [(1280, 720), (720, 1280), (2, 2), (64, 48), (4096, 2)])
@pytest.mark.parametrize("target", [(640, 480), (1280, 720), (2, 2), (50, 38)])
def test_the_picture_is_centred_between_bars(source: tuple[int, int], target: tuple[int, int]) -> None:
    fitted = Fit(source, target)(new_i420(*source, (200, 60, 190)))
    y, u, v = planes(fitted)
    assert y.shape == (target[1], target[0])
    rows, columns = np.nonzero(y == 200)
    shown = (columns.max() - columns.min() + 1, rows.max() - rows.min() + 1)
    assert len(rows) == shown[0] * shown[1], "one whole block"
    assert shown[0] == target[0] or shown[1] == target[1], "as large as can be"
    wanted = min(target[0] / source[0], target[1] / source[1])
    assert shown == pytest.approx((source[0] * wanted, source[1] * wanted), abs=2)
    assert set(np.unique(y)) <= {16, 200} and set(np.unique(u)) <= {128, 60} and set(np.unique(v)) <= {128, 190}
    left, right = columns.min(), target[0] - 1 - columns.max()
    top, bottom = rows.min(), target[1] - 1 - rows.max()
    assert abs(left - right) <= 2 and abs(top - bottom) <= 2
    assert (u == 60).sum() * 4 == (y == 200).sum(), "luma and chroma cover the same pixels"


def test_the_next_picture_overwrites_the_last() -> None:
    fit = Fit((64, 48), (32, 24))
    first = fit(new_i420(64, 48, (50, 128, 128)))
    second = fit(new_i420(64, 48, (90, 128, 128)))
    assert first is second and second[0, 0] == 90
