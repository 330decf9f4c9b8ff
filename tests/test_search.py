"""Whom the whole frame does not show is searched for in its parts, enlarged; see `models.region`."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from test_region import SIZE, WHOLE, Box, Counting, follow, scene, tracked

from models.region import REFUSED_FRAMES, SEARCHED, SOON, Region

FAR_AWAY = [(300, 150, 40, 100), (40, 180, 40, 90), (580, 200, 40, 80), (200, 60, 40, 90)]


def test_nobody_is_looked_for_everywhere_at_a_fifth_more() -> None:
    frames = [scene()] * 35
    for patient in (False, True):
        network = Counting()
        assert set(follow(frames, network, patient=patient)) == {WHOLE}
        searched = 2 * len(SEARCHED) if patient else 35 // SOON - 1  # the last one waits for the next frame
        assert network.runs == 35 + searched


def test_scenes_that_change_all_the_time_are_not_searched_more_often() -> None:
    network = Counting()
    flashes = [np.full((SIZE[1], SIZE[0], 3), 100 * (n % 2), np.uint8) for n in range(35)]
    assert set(follow(flashes, network)) == {WHOLE}
    assert network.runs <= 35 + 35 // SOON


class Nearsighted(Counting):
    """Sees only who is wider than so many of its pixels; `doubt` is what it is sure of at most."""

    def __init__(self, least: int = 30, doubt: float = 1.0) -> None:
        super().__init__()
        self._least, self._doubt = np.ones((least, least), np.uint8), doubt

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        mask = cv2.morphologyEx(super().__call__(picture), cv2.MORPH_OPEN, self._least)
        return np.asarray(mask * self._doubt, np.float32)


@pytest.mark.parametrize("box", FAR_AWAY)
def test_who_is_too_far_away_for_the_network_is_found_by_searching(box: Box) -> None:
    """In a second by a camera, at once in a picture that stands alone; and then followed."""
    person = Region(*box)
    live = follow([scene(box)] * 60, Nearsighted())
    assert live[0] == WHOLE
    assert all(region != WHOLE and person.within(region) for region in live[SOON * len(SEARCHED) + 1 :])
    look = tracked(Nearsighted(), patient=True).look
    for _ in range(3):
        alone = look(scene(box), fresh=True).region
        assert alone != WHOLE and person.within(alone)


def test_what_only_looks_like_somebody_when_enlarged_is_not_shown() -> None:
    network = Nearsighted(doubt=0.6)
    assert set(follow([scene(FAR_AWAY[0])] * 60, network)) == {WHOLE}
    assert set(follow([scene(FAR_AWAY[0])] * 60, network, patient=True)) == {WHOLE}


def test_whom_the_closer_look_does_not_confirm_is_not_sought_again_for_a_while() -> None:
    """Somebody is seen in the middle part alone: no look at where that was shows anybody."""

    class OnlyThere(Counting):
        closer = 0

        def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
            mask = super().__call__(picture)
            cells = np.count_nonzero(mask)
            self.closer += 2000 < cells < 2500  # of the middle part they are 2560, where others cut somebody fewer
            return mask if cells > 2500 else np.zeros_like(mask)

    network = OnlyThere()
    assert set(follow([scene(FAR_AWAY[0])] * REFUSED_FRAMES, network)) == {WHOLE}
    assert network.closer == 1
