"""`greenroom run` between a kernel's camera and a kernel's loopback device: what V4L2 readers and a browser see.

The guest is booted once; `guest.py` tells what happens in it, and these tests look at what came out. It takes about
three and a half minutes on two cores, and half a minute more the first time.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from machine import ROOT, build
from numpy.typing import NDArray

sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from clip import CLOSE, Composite
from scene import TOLERANCE, bgr_of, check_all, is_card, write_background

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(900)]

LIMIT = 780.0
"""Seconds for the guest: 200 beside other work on two cores; four times that on a machine that is very busy."""

FULL, HALF, WIDE = (640, 480), (320, 240), (640, 360)

BARS = ((191, 191, 191), (0, 191, 191), (191, 191, 0), (0, 191, 0), (191, 0, 191), (0, 0, 191), (191, 0, 0), (0, 0, 0))
"""BGR of vivid's test picture: bars of 75 % from left to right."""


class Guest:
    """What came out of the guest."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self.found: dict[str, Any] = json.loads((out / "record.json").read_text())

    def frames(self, name: str, size: tuple[int, int]) -> list[NDArray[np.uint8]]:
        """The whole frames that a reader wrote, BGR."""
        width, height = size
        data = np.fromfile(self._out / f"{name}.i420", np.uint8)
        count = len(data) // (width * height * 3 // 2)
        pictures = data[: count * width * height * 3 // 2].reshape(count, height * 3 // 2, width)
        return [cv2.cvtColor(picture, cv2.COLOR_YUV2BGR_I420) for picture in pictures]

    def page(self) -> list[NDArray[np.uint8]]:
        """The frames that the page has seen, BGR."""
        sizes = self.found["page"]["sizes"]
        return [bgr_of((*size, (self._out / f"page{n}.rgba").read_bytes())) for n, size in enumerate(sizes)]


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Guest:
    out = tmp_path_factory.mktemp("guest")
    write_background(out / "numbers.mkv", *FULL)
    job = f"{ROOT}/.venv/bin/python tests/kernel/guest.py {ROOT} /run/out/numbers.mkv 2>&1"
    console = build().run(job, out, LIMIT)
    assert (out / "record.json").exists(), console
    guest = Guest(out)
    logged = (out / "greenroom.log").read_text()
    assert "seconds" in guest.found, f"{console}\n{logged}"
    assert "Traceback" not in logged, logged
    print(console)
    return guest


def test_the_person_of_the_clip_is_seen_before_the_effect(guest: Guest) -> None:
    assert guest.found["clip_exit"] == 0
    frames = guest.frames("clip", WIDE)
    # A picture takes this machine 1 to 15 s, so most frames are the card, and the clip has begun anew between two.
    composite = Composite(WIDE, colour=(192, 96, 32))
    found = [composite.nearest(frame) for frame in frames if not is_card(frame)]
    assert len(found) >= 3
    assert max(difference for _, difference in found) < CLOSE, f"frame and difference: {found}"
    assert len({number for number, _ in found}) >= 3, f"it stands still: {found}"


def test_the_cameras_picture_goes_all_the_way(guest: Guest) -> None:
    frames = guest.frames("raw", FULL)
    assert len(frames) == 20  # of six, on a slow host, all but one may be the card
    pictures = [frame for frame in frames if not is_card(frame)]
    assert len(pictures) >= 3
    for picture in pictures:
        for n, bar in enumerate(BARS):
            assert np.abs(picture[360, 40 + 80 * n].astype(int) - bar).max() < TOLERANCE, f"bar {n}"
    assert len({picture.tobytes() for picture in pictures}) > 1, "vivid's clock moves"


def test_a_reader_sees_the_background_and_nothing_of_the_camera(guest: Guest) -> None:
    assert guest.found["covered"]["exit"] == 0
    frames = guest.frames("covered", FULL)
    assert len(frames) == 20
    check_all(frames, *FULL)


def test_a_page_sees_the_same(guest: Guest) -> None:
    page = guest.found["page"]
    assert "error" not in page, page["error"]
    assert page["facts"]["label"] == "Greenroom"
    assert [tuple(size) for size in page["sizes"]] == [FULL] * 4
    check_all(guest.page(), *FULL)


def test_the_device_is_offered_to_callers_only_while_greenroom_writes(guest: Guest) -> None:
    assert guest.found["state_at_boot"] == "output"
    assert guest.found["state_on_air"] == "capture"


def test_the_device_survives_stops_kills_and_readers(guest: Guest) -> None:
    found = guest.found
    assert (found["first_exit"], found["second_exit"]) == (0, -9)
    assert (found["third_exit"], found["last_exit"]) == (0, 0)
    # With pyvirtualcam it offers nothing after the first stop, until the module is loaded anew.
    assert [found[name] for name in ("state_after_stop", "state_after_kill", "state_at_end")] == ["output"] * 3


def test_the_size_changes_between_runs(guest: Guest) -> None:
    assert "Width/Height      : 320/240" in guest.found["smaller"]["format"]
    frames = guest.frames("smaller", HALF)
    assert len(frames) == 20  # of six, on a slow host, all pictures may be one
    check_all(frames, *HALF)


def test_a_reader_that_stays_keeps_its_size_and_gets_the_pictures_of_another(guest: Guest) -> None:
    staying = guest.found["staying"]
    assert staying["reader_runs"]
    frames = guest.frames("staying", HALF)
    after = frames[staying["before"] // (HALF[0] * HALF[1] * 3 // 2) + 1 :]
    assert len(after) >= 7
    check_all(after, *HALF)
