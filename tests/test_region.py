"""Where the network looks: regions hold whom they are for, nobody is lost for long, and the room is never shown."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import cv2
import numpy as np
import pytest
from conftest import fake_loaded
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.compose.planes import planes
from app.frame import Frame
from app.loaded import Loaded
from app.matte.refine import Refiner
from app.matting import Matter
from app.processor import Processor
from app.settings import Settings
from app.status import Stopwatch
from models.region import (
    CLOSEST,
    KEY_FRAMES,
    LEAST_GAIN,
    MARGIN,
    REFUSED_FRAMES,
    SOON,
    Look,
    Region,
    Tracker,
    around,
    people,
)
from models.segmenter import MAX_STRETCH

SIZE = (640, 360)
WHOLE = Region(0, 0, *SIZE)
CELLS = 384, 216

Box = tuple[int, int, int, int]


def scene(*boxes: Box) -> NDArray[np.uint8]:
    """A dark room with bright people in these boxes (x, y, width, height)."""
    frame = np.full((SIZE[1], SIZE[0], 3), 40, np.uint8)
    for x, y, width, height in boxes:
        frame[max(0, y) : y + height, max(0, x) : x + width] = 220
    return frame


def bright(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The network: whatever is bright is somebody, in a part of a frame as in a whole one."""
    return np.asarray(np.clip((picture[..., 1].astype(np.float32) - 120) / 20, 0, 1), np.float32)


class Counting:
    """The network, and how often it ran."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.runs += 1
        return bright(picture)


def tracked(network: Counting, *, patient: bool = False) -> Loaded:
    loaded = fake_loaded(network)
    loaded.look = Tracker(loaded.segmenter, patient=patient)
    return loaded


def follow(
    frames: Iterable[NDArray[np.uint8]], network: Counting | None = None, *, patient: bool = False
) -> list[Region]:
    """The regions of the looks at these frames."""
    look = tracked(network or Counting(), patient=patient).look
    return [look(frame).region for frame in frames]


@st.composite
def boxes(draw: st.DrawFn, width: int, height: int) -> Region:
    x, y = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    return Region(x, y, draw(st.integers(1, width - x)), draw(st.integers(1, height - y)))


@given(data=st.data(), width=st.integers(2, 2000), height=st.integers(2, 2000))
def test_a_region_holds_people_with_their_margin_and_lies_in_the_frame(
    data: st.DataObject, width: int, height: int
) -> None:
    whole = Region(0, 0, width, height)
    box = data.draw(boxes(width, height))
    region = around(box, whole, CELLS)
    assert region.within(whole)
    assert all(value % 2 == 0 for value in (region.x, region.y, region.width, region.height))
    held = box.grown(MARGIN, whole)
    assert region.x <= held.x
    assert region.y <= held.y
    assert region.right >= held.right - 1
    assert region.bottom >= held.bottom - 1


@given(data=st.data())
def test_no_region_makes_the_network_pad_its_picture(data: st.DataObject) -> None:
    width, height = data.draw(st.sampled_from([(1280, 720), (640, 360), (640, 480), (800, 600), (1920, 1080)]))
    region = around(data.draw(boxes(width, height)), Region(0, 0, width, height), CELLS)
    aspect = CELLS[0] / CELLS[1]
    assert aspect / MAX_STRETCH <= region.width / region.height <= aspect * MAX_STRETCH
    assert region.width >= width // CLOSEST - 2


def test_who_is_far_away_gets_the_networks_pixels() -> None:
    person = (300, 200, 60, 120)
    regions = follow([scene(person)] * 3)
    assert regions[0] == WHOLE
    assert regions[1] == regions[2]
    assert regions[1].area < WHOLE.area / 4
    assert Region(*person).within(regions[1])
    assert follow([scene(person)], patient=True) == [regions[1]], "at once, where there is time"


def test_who_fills_the_frame_is_looked_at_as_before() -> None:
    network = Counting()
    assert set(follow([scene((40, 20, 560, 340))] * 20, network)) == {WHOLE}
    assert network.runs == 20


def test_specks_are_nobody() -> None:
    mask = np.zeros((36, 64), np.float32)
    mask[3:6, 3:6] = 1
    assert people(Look(mask, WHOLE)) is None


@pytest.mark.parametrize("patient", [False, True])
@pytest.mark.parametrize("speed", [1, 4, 10, 25])
def test_who_walks_is_never_cut(speed: int, patient: bool) -> None:
    look = tracked(Counting(), patient=patient).look
    for n in range(60):
        x = abs((n * speed) % 1000 - 500)
        frame = scene((x, 120, 80, 240))
        seen = look(frame)
        full = np.zeros(SIZE[::-1], np.float32)
        full[seen.region.place] = cv2.resize(seen.mask, seen.region.size)
        wrong = np.count_nonzero((full > 0.5) != (frame[..., 1] > 120))
        assert wrong < 0.06 * 80 * 240, f"frame {n}: {wrong} pixels"


def test_a_jump_costs_no_frame() -> None:
    """As from picture to picture of a folder, or where a film is cut: another place, where the region sees nobody."""
    left, right = scene((60, 200, 60, 160)), scene((520, 200, 60, 160))
    regions = follow([left] * 5 + [right] * 5)
    assert all(Region(60, 200, 60, 160).within(region) for region in regions[:5])
    assert all(Region(520, 200, 60, 160).within(region) for region in regions[5:])


def test_who_comes_in_is_seen_in_the_next_frame() -> None:
    first, second = (100, 200, 60, 160), (560, 240, 50, 120)
    regions = follow([scene(first)] * 7 + [scene(first, second)] * 2)
    assert not Region(*second).within(regions[7])
    assert Region(*second).within(regions[8])
    assert Region(*first).within(regions[8])


def test_who_comes_in_unnoticed_is_seen_on_the_next_key_frame() -> None:
    """Who is as dark as the room: what tells them from it is not luminance."""
    first, second = scene((100, 200, 60, 160)), scene((100, 200, 60, 160))
    second[240:360, 560:610] = 40, 65, 40

    class Green(Counting):
        def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
            return np.asarray(picture[..., 1] > 52, np.float32)

    regions = follow([first] * 7 + [second] * (KEY_FRAMES + 1), Green())
    assert not Region(560, 240, 50, 120).within(regions[7])
    assert Region(560, 240, 50, 120).within(regions[-1])


def test_what_always_moves_costs_a_fifth_more() -> None:
    """A television, which is nobody."""
    network, frames = Counting(), []
    for n in range(60):
        frames.append(scene((60, 200, 60, 160)))
        frames[-1][40:120, 520:600] = 20 + 70 * (n % 2)
    follow(frames, network)
    assert network.runs <= 60 + 60 / SOON + 1


def test_another_scene_is_looked_at_as_a_whole() -> None:
    dark, network = scene((300, 200, 60, 120)), Counting()
    look = tracked(network).look
    look(dark)
    brighter = np.asarray(np.clip(dark.astype(int) + 60, 0, 255), np.uint8)
    before = network.runs
    assert look(brighter).region == WHOLE
    assert network.runs == before + 1


def test_what_says_nothing_of_the_last_frame_is_looked_at_as_a_whole() -> None:
    network = Counting()
    look, frame = tracked(network).look, scene((300, 200, 60, 120))
    for _ in range(4):
        assert look(frame, fresh=True).region == WHOLE
    assert network.runs == 4


def test_a_look_closer_costs_one_run_but_on_key_frames() -> None:
    network = Counting()
    follow([scene((300, 200, 60, 120))] * (4 * KEY_FRAMES), network)
    assert network.runs == 4 * KEY_FRAMES + 3


def test_who_moves_within_the_region_stirs_nothing_outside() -> None:
    network, frames = Counting(), []
    for n in range(4 * KEY_FRAMES):
        frames.append(scene((300, 200, 60, 120)))
        frames[-1][210:300, 302:358] = 150 + 90 * (n % 2)
    follow(frames, network)
    assert network.runs == 4 * KEY_FRAMES + 3


def test_after_a_region_that_cut_somebody_whole_frames_are_looked_at_for_a_while() -> None:
    still, jumped = scene((100, 200, 60, 120)), scene((104, 200, 200, 120))
    regions = follow([still] * 4 + [jumped] + [still] * (KEY_FRAMES + 2))
    assert regions[3].area < WHOLE.area / 4
    assert set(regions[4 : 4 + KEY_FRAMES]) == {WHOLE}
    assert regions[-1].area < WHOLE.area / 4


def test_others_who_come_in_widen_the_region_and_leave_nobody_out() -> None:
    """The whole look sees only who came in, as a coarse one may: the region goes on to hold whom it held."""
    first, second = (100, 200, 60, 160), (560, 240, 50, 120)

    class Coarse(Counting):
        def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
            mask = super().__call__(picture)
            if self.runs == 9:  # the look around after the eighth frame
                mask[:, : mask.shape[1] // 2] = 0
            return mask

    regions = follow([scene(first)] * 7 + [scene(first, second)] * 2, Coarse())
    assert Region(*first).within(regions[8])
    assert Region(*second).within(regions[8])


def test_whom_only_the_coarse_look_sees_it_asks_for_once() -> None:
    """A cushion that is taken for somebody in whole frames alone: the region must not breathe with the key frames."""
    frame = scene((100, 100, 60, 200))
    frame[280:340, 420:480] = 90, 60, 60
    frame[:, 630:] = 255, 40, 40  # what tells the network that it sees a whole frame

    class Mistaken(Counting):
        def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
            cushion = (abs(picture[..., 0].astype(int) - 90) < 10) & (picture[5, -1, 0] > 200)
            return np.maximum(super().__call__(picture), cushion.astype(np.float32))

    regions = follow([frame] * (6 * KEY_FRAMES), Mistaken())
    assert Region(420, 280, 60, 60).within(regions[1]), "the first look takes it for somebody"
    wider = [region for region in regions[2:] if region.right > 420]
    assert 1 <= len(wider) <= 2, "and the first key frame's, but none after it"


def test_a_television_does_not_make_it_ask_again() -> None:
    frame = scene((100, 100, 60, 200))
    frame[280:340, 420:480] = 90, 60, 60
    frame[:, 630:] = 255, 40, 40
    frames = [frame.copy() for _ in range(6 * KEY_FRAMES)]
    for n, picture in enumerate(frames):
        picture[20:80, 300:380] = 20 + 70 * (n % 2)

    class Mistaken(Counting):
        def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
            cushion = (abs(picture[..., 0].astype(int) - 90) < 10) & (picture[..., 1] == 60) & (picture[5, -1, 0] > 200)
            return np.maximum(super().__call__(picture), cushion.astype(np.float32))

    for patient in (False, True):
        regions = follow(frames, Mistaken(), patient=patient)
        assert sum(a != b for a, b in itertools.pairwise(regions)) <= 6


def test_who_is_refused_is_asked_for_again_after_a_while() -> None:
    """Somebody as dark as the cushion beside whom they have sat down: no motion tells."""
    frame = scene((100, 100, 60, 200))
    frame[:, 630:] = 255, 40, 40
    frame[280:340, 420:480] = 90, 60, 60
    joined = frame.copy()
    joined[220:340, 370:405] = 40, 62, 40

    class Mistaken(Counting):
        def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
            cushion = (abs(picture[..., 0].astype(int) - 90) < 10) & (picture[5, -1, 0] > 200)
            low = abs(picture[..., 1].astype(int) - 62) < 2
            return np.maximum(super().__call__(picture), (cushion | (low & ~cushion)).astype(np.float32))

    regions = follow([frame] * (4 * KEY_FRAMES) + [joined] * (REFUSED_FRAMES + 3 * KEY_FRAMES), Mistaken())
    assert Region(370, 220, 35, 120).within(regions[-1])


def test_an_arm_too_thin_for_a_person_is_not_cut() -> None:
    look = tracked(Counting()).look
    for arm in (10, 14, 20):
        frame = scene((280, 120, 80, 220), (150, 180, 340, arm))
        for _ in range(20):
            seen = look(frame)
            full = np.zeros(SIZE[::-1], np.float32)
            full[seen.region.place] = cv2.resize(seen.mask, seen.region.size)
            assert full[180 + arm // 2, 160] > 0.3
            assert full[180 + arm // 2, 480] > 0.3


def test_a_file_has_time_to_see_who_comes_in_at_once() -> None:
    first, second = (100, 200, 60, 160), (560, 240, 50, 120)
    for at in range(1, 12):
        regions = follow([scene(first)] * at + [scene(first, second)], patient=True)
        assert Region(*first).within(regions[-1])
        assert Region(*second).within(regions[-1])


def test_somebody_at_the_bounds_of_a_region_does_not_make_it_come_and_go() -> None:
    """Whose size wavers about where a region is worth it: every change makes edges shimmer."""
    frames = [scene((320 - w // 2, 0, w, 360)) for w in [440 + 8 * (n % 5) for n in range(60)]]
    regions = follow(frames)
    changes = sum(a != b for a, b in itertools.pairwise(regions))
    assert changes <= len(frames) // KEY_FRAMES


def test_regions_are_worth_it() -> None:
    for width in range(40, 640, 40):
        for region in follow([scene((0, 60, width, 300))] * 2):
            assert region == WHOLE or region.area < LEAST_GAIN * WHOLE.area


def test_a_regions_alpha_is_that_of_the_part_as_a_frame() -> None:
    rng = np.random.default_rng(5)
    half = cv2.blur(rng.integers(0, 256, (180, 320), np.uint8), (9, 9))
    mask = cv2.blur(rng.random((36, 64), np.float32), (5, 5))
    region = Region(128, 64, 256, 144)
    inside, alone = Refiner(*SIZE, 64, 36, region=region), Refiner(256, 144, 64, 36)
    part = half[32:104, 64:192]
    expected = alone(mask, alone.luminance(np.ascontiguousarray(part)))
    alpha = inside(mask, inside.luminance(half))
    assert expected.any()
    np.testing.assert_array_equal(alpha[32:104, 64:192], expected)
    alpha[32:104, 64:192] = 0
    assert not alpha.any(), "all else is room"


@pytest.mark.parametrize("temporal", [True, False])
def test_the_person_is_published_and_the_room_is_not(temporal: bool) -> None:
    """Far away, walking, jumping, and with somebody who comes in: never is a pixel of the room in the picture."""
    settings = Settings().replace(size="640x360", effect="colour", colour="#000000", temporal=temporal)
    processor, loaded = Processor(settings, Stopwatch()), tracked(Counting())
    out = np.empty((SIZE[1] * 3 // 2, SIZE[0]), np.uint8)
    path = [(100 + 3 * n, 160, 70, 200) for n in range(30)] + [(480, 160, 70, 200)] * 20
    for seq, box in enumerate(path):
        others = [(20, 220, 60, 140)] if seq >= 35 else []
        frame = scene(box, *others)
        _, failure = processor.process(Frame(seq, seq / 30, frame), loaded, out)
        assert failure is None
        luma = planes(out)[0]
        room = cv2.dilate((frame[..., 1] > 120).astype(np.uint8), np.ones((13, 13))) == 0
        assert luma[room].max() <= 16, f"frame {seq}"
        x, y, width, height = box
        assert (luma[y + 9 : y + height - 9, x + 9 : x + width - 9] > 180).mean() > 0.99, f"frame {seq}"
    assert luma[240:350, 30:70].min() > 180, "who came in"
    processor.close()


def test_mattes_of_pictures_that_have_nothing_in_common() -> None:
    """Pictures of a folder, each by itself; of several sizes."""
    loaded = tracked(Counting())
    matter = Matter(Tracker(loaded.segmenter, patient=True), temporal=False, refine=False, alone=True)
    for box in [(60, 200, 60, 160), (520, 100, 60, 160), (0, 20, 640, 340), (300, 100, 30, 60)]:
        for scale in (1.0, 0.5):
            frame = cv2.resize(scene(box), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            alpha = matter(np.asarray(frame, np.uint8))
            truth = frame[..., 1] > 120
            assert np.count_nonzero((alpha > 127) != truth) < 0.08 * np.count_nonzero(truth)
    for picture in (scene((60, 200, 60, 160)), scene((60, 200, 60, 160), (400, 200, 60, 160))):
        alpha = matter(picture)
    assert alpha[240:340, 420:440].min() > 127, "who is new where somebody stayed"
