"""The training's pictures: people put into rooms, and things put behind, on and before them."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from numpy.random import default_rng
from numpy.typing import NDArray
from test_training import sample

from models.manifest import get_model
from models.segmenter import MAX_STRETCH, Segmenter
from models.training import augment, props
from models.training.augment import Chances, Composer
from models.training.camera import flatten, painted, spoil
from models.training.framing import coarsened, crop, padded, place, warp
from models.training.pool import Sample


def test_a_drawn_frame_follows_from_the_seed() -> None:
    composer = Composer([sample("vt_1", True)], [sample("h_2", False)], (64, 36), Chances(nobody=0))
    draws = [composer.draw(np.random.default_rng(seed), 0) for seed in (5, 5, 6)]
    assert draws[0][0].shape == (36, 64, 3)
    assert draws[0][1].max() == 255
    assert np.array_equal(draws[0][0], draws[1][0])
    assert not np.array_equal(draws[0][0], draws[2][0])


def test_noise_reduction_takes_texture_and_deep_shadows_away_and_leaves_edges() -> None:
    rng = default_rng(1)
    picture = np.full((60, 80, 3), 20, np.uint8)
    picture[:, 40:] = 200
    rough = np.clip(picture + rng.normal(0, 6, picture.shape), 0, 255).astype(np.uint8)
    flat = [flatten(default_rng(seed), rough) for seed in range(10)]
    assert all(f[:, :36].std() < rough[:, :36].std() and f[:, 44:].std() < rough[:, 44:].std() for f in flat)
    assert all(int(f[:, 44:].mean()) - int(f[:, :36].mean()) >= 175 for f in flat)
    assert sum(f[:, :36].max() == 0 for f in flat) >= 2


def test_a_painting_has_few_colours_and_may_be_of_the_people_alone() -> None:
    picture = np.asarray(cv2.resize(default_rng(2).integers(0, 256, (9, 16, 3), np.uint8), (160, 90)), np.uint8)
    alpha = np.zeros((90, 160), np.uint8)
    alpha[30:, 60:120] = 255
    for seed in range(10):
        everything, people = (painted(default_rng(seed), picture, whom) for whom in (None, alpha))
        assert len(np.unique(everything[..., 0])) <= 12 < len(np.unique(picture[..., 0]))
        assert np.array_equal(people[alpha > 0], everything[alpha > 0])
        assert np.array_equal(people[alpha == 0], picture[alpha == 0])


def test_a_camera_that_sharpens_steepens_its_edges() -> None:
    picture = np.full((40, 60, 3), 80, np.uint8)
    picture[:, 30:] = 150
    softly = cv2.GaussianBlur(picture, (0, 0), 1.5)

    def steep(sharpened: float) -> int:
        """Of 60 frames, how many have a steeper edge than the picture, whose steepest step is of 18."""
        frames = (spoil(default_rng(seed), softly, sharpened, (0.3, 1.4))[5:35, 20:40] for seed in range(60))
        return sum(float(np.diff(frame.mean((0, 2))).max()) > 19.5 for frame in frames)

    assert steep(0.6) > steep(0.0) + 15


def test_the_chances_say_how_often_and_how_much_a_camera_sharpens() -> None:
    people, rooms = [sample("vt_1", True)], [sample("h_2", False)]

    def detail(chances: Chances) -> float:
        drawn = (Composer(people, rooms, (64, 36), chances).draw(default_rng(seed), 0)[0] for seed in range(60))
        return float(np.mean([np.abs(cv2.Laplacian(frame.astype(np.float32), -1)).mean() for frame in drawn]))

    never, often, strongly = (
        detail(Chances(nobody=0, sharpened=share, sharpness=much))
        for share, much in ((0.0, (0.7, 0.7)), (0.7, (0.7, 0.7)), (0.7, (1.4, 1.4)))
    )
    assert never < 0.95 * often < 0.95 * 0.97 * strongly


CERTAIN = dict.fromkeys(("cloth", "chair", "poster", "shadow", "matched", "dim", "second_person"), 1.0)


def test_things_behind_the_person_leave_the_mask_alone() -> None:
    people, rooms = [sample("vt_1", True)], [sample("h_2", False)]
    bare = Composer(people, rooms, (64, 36), Chances(nobody=0, before=0, headphones=0, cloth=0, chair=0, poster=0))
    full = Composer(people, rooms, (64, 36), Chances(nobody=0, before=0, headphones=0, **CERTAIN))
    covered = [np.count_nonzero(c.draw(default_rng(n), 0)[1]) for c in (bare, full) for n in range(20)]
    assert min(covered) > 0
    assert 0.7 < sum(covered[20:]) / sum(covered[:20]) < 1.6


def test_an_upright_picture_is_padded_as_the_product_pads_it() -> None:
    """Into the same box as the segmenter puts such a frame, black beside it, mask and picture turned together."""
    alpha = np.zeros((160, 80), np.uint8)
    alpha[:, :30] = 255
    tall = Sample("vid_1", "vid", np.repeat(alpha[..., None], 3, 2), alpha)
    for seed in range(10):
        frame, mask, inside = padded(default_rng(seed), tall, (256, 144))
        np.testing.assert_array_equal(frame[..., 0], mask)
        assert not frame[:, : inside.start].any() and not frame[:, inside.stop :].any()
        filled = inside.stop - inside.start
        shown = np.zeros((144, max(1, round(filled / MAX_STRETCH)), 3), np.uint8)
        product = fitted(shown)
        assert abs(product[0] - inside.start) <= 1 and abs(product[2] - filled) <= 2


def fitted(frame: props.Picture) -> tuple[int, int, int, int]:
    """The box that the product's segmenter puts a frame into."""
    model = get_model("lite")
    image, alpha = np.zeros(model.input.shape, np.uint8), np.zeros(model.output.shape, np.float32)
    return Segmenter(model, image, alpha, lambda: None)._fit(frame)


def test_what_is_beside_an_upright_picture_stays_black_and_nobody_s() -> None:
    """Hands, things and a camera's noise too are inside the picture; a wide picture fills the frame."""
    tall = Sample("vid_1", "vid", np.full((160, 80, 3), 200, np.uint8), np.full((160, 80), 255, np.uint8))
    hand = Sample("hand_a_1", "hand", np.full((12, 8, 3), 200, np.uint8), np.full((12, 8), 255, np.uint8))
    chances = Chances(nobody=0, other_room=0, narrow=1, hand=1, before=1)
    composer = Composer([tall, hand], [sample("h_2", False)], (256, 144), chances)
    for seed in range(20):
        frame, alpha = composer.draw(default_rng(seed), 0)
        assert not frame[:, :50].any() and not frame[:, -50:].any()
        assert not alpha[:, :50].any() and not alpha[:, -50:].any()
        assert frame[:, 120:136].any() and alpha.any()


def test_no_portrait_is_cut_above_the_mouth() -> None:
    """With `least_shown`, what is shown of a head on shoulders is most of it; without, now and then the hair alone."""
    alpha = np.full((100, 90), 255, np.uint8)
    shown = {}
    for least in (0.0, 0.85):
        rng = default_rng(3)
        matrices = [place(rng, alpha, (256, 144), least) for _ in range(200)]
        # How far down the picture the frame's lower edge lies, at the middle of the person.
        shown[least] = min((144 - m[1] @ (45, 0, 1)) / np.hypot(*m[:, 1]) / 100 for m in matrices)
    assert shown[0.0] < 0.4
    assert shown[0.85] > 0.7


def test_a_narrow_camera_stretches_room_and_person_alike() -> None:
    alpha = np.full((100, 50), 255, np.uint8)
    plain, wide = (place(default_rng(1), alpha, (256, 144), 0.0, w) for w in (1.0, 4 / 3))
    np.testing.assert_allclose(wide[0, :2], plain[0, :2] * 4 / 3)
    np.testing.assert_allclose(wide[1, :2], plain[1, :2])
    room = np.zeros((144, 256, 3), np.uint8)
    plain, wide = (crop(default_rng(1), room, (256, 144), None, w) for w in (1.0, 4 / 3))
    assert wide[0, 0] / wide[1, 1] == pytest.approx(plain[0, 0] / plain[1, 1] * 4 / 3)


def test_a_plain_wall_is_a_smooth_room_without_anybody() -> None:
    def rough(wall: float) -> float:
        chances = Chances(nobody=1, wall=wall, before=0, dim=0)
        composer = Composer([sample("vt_1", True)], [sample("h_2", False)], (64, 36), chances)
        draws = [composer.draw(default_rng(seed), 0) for seed in range(20)]
        assert not any(alpha.any() for _, alpha in draws)
        return float(np.median([np.abs(np.diff(frame.astype(int), axis=1)).mean() for frame, _ in draws]))

    assert rough(1.0) < 0.5 * rough(0.0)
    assert np.median([props.wall(default_rng(seed)).mean() for seed in range(50)]) > 120


@pytest.mark.parametrize("wide", [1.0, 4 / 3])
def test_nobody_wide_floats_above_the_lower_edge(wide: float) -> None:
    """A group, of whom nearly all is shown, keeps its lower corners below the frame however it is turned."""
    alpha, rng = np.full((100, 200), 255, np.uint8), default_rng(5)
    gaps = 0
    for _ in range(300):
        matrix = place(rng, alpha, (256, 144), 0.85, wide)
        lower = [matrix[1] @ (x, 100, 1) for x in (0, 200)]
        gaps += min(lower) < 144 - 1
    assert gaps == 0


def person() -> tuple[props.Picture, props.Picture]:
    """A grey frame, and the alpha of a head on shoulders."""
    frame, alpha = np.full((144, 256, 3), 120, np.uint8), np.zeros((144, 256), np.uint8)
    alpha[30:80, 110:146], alpha[80:, 80:176] = 255, 255
    return frame, alpha


def test_headphones_belong_to_the_person() -> None:
    frame, alpha = person()
    before = alpha.copy()
    props.headphones(default_rng(0), frame, alpha, alpha.copy())
    assert np.count_nonzero(alpha) > np.count_nonzero(before)
    assert (alpha >= before).all()
    assert alpha[45:65, 100:110].any() and alpha[45:65, 147:156].any()
    assert (frame != 120).any()


@pytest.mark.parametrize("seed", range(12))
def test_what_is_before_the_person_is_taken_out_of_the_mask(seed: int) -> None:
    frame, alpha = person()
    before = alpha.copy()
    props.before(default_rng(seed), frame, alpha, np.full((8, 8, 3), 255, np.uint8))
    assert (alpha <= before).all()
    changed = (frame != 120).any(2)
    assert not (alpha[changed & (frame > 250).all(2)] > 200).any()


def test_nobody_gets_no_headphones() -> None:
    frame, alpha = np.full((36, 64, 3), 120, np.uint8), np.zeros((36, 64), np.uint8)
    props.headphones(default_rng(0), frame, alpha, alpha)
    assert not alpha.any() and (frame == 120).all()


def test_a_hand_held_up_is_a_person_s_even_alone() -> None:
    hands = [Sample("hand_a_1", "hand", np.full((12, 8, 3), 200, np.uint8), np.full((12, 8), 255, np.uint8))]
    chances = Chances(nobody=1, hand=1, before=0)
    composer = Composer([sample("vt_1", True), *hands], [sample("h_2", False)], (64, 36), chances)
    seen = [composer.draw(np.random.default_rng(seed), 0)[1] for seed in range(20)]
    assert sum(alpha.max() == 255 for alpha in seen) > 15, "now and then it is out of the frame"
    none = Composer([sample("vt_1", True)], [sample("h_2", False)], (64, 36), chances)
    assert not none.draw(np.random.default_rng(0), 0)[1].any(), "a pool without cut-outs"


def test_a_cut_out_is_never_drawn_as_a_picture() -> None:
    pytest.importorskip("torch")
    from models.training.config import read_config
    from models.training.data import Composites

    config = dataclasses.replace(read_config("hd-core"), width=64, height=36, chances=Chances(nobody=0, hand=0))
    hand = Sample("hand_a_1", "hand", np.full((12, 8, 3), 7, np.uint8), np.full((12, 8), 255, np.uint8))
    data = Composites([hand, sample("vt_1", True)], [sample("h_2", False)], config)
    rng = np.random.default_rng(0)
    people = {int(np.searchsorted(data._cumulative, rng.random(), side="right")) for _ in range(50)}
    assert people == {1} and data[0][1].any()


def test_hands_are_cut_where_skin_does_not_touch_the_face() -> None:
    pytest.importorskip("torch")
    from models.training.hands import cut

    shares = np.zeros((256, 256, 6), np.float32)
    shares[..., 0] = 1
    for rows, columns, part in (
        (slice(20, 80), slice(100, 150), 3),  # the face
        (slice(82, 120), slice(110, 140), 2),  # the neck
        (slice(60, 100), slice(190, 220), 2),  # a raised hand
        (slice(10, 50), slice(10, 50), 2),  # skin-coloured, outside the person
        (slice(200, 206), slice(200, 206), 2),  # too small to tell
    ):
        shares[rows, columns] = np.eye(6, dtype=np.float32)[part]
    alpha = np.zeros((128, 128), np.uint8)
    alpha[:, 30:] = 255
    person = Sample("vid_1", "vid", np.zeros((128, 128, 3), np.uint8), alpha)
    (hand,) = cut(person, lambda _: shares)
    assert hand.kind == "hand" and hand.alpha.max() == 255
    assert abs(hand.alpha.shape[0] - 20) < 16 and abs(hand.alpha.shape[1] - 15) < 16


def test_what_was_taken_for_somebody_stands_behind_people_and_is_nobody() -> None:
    thing = Sample("thing_a_1", "thing", np.full((12, 8, 3), (0, 255, 0), np.uint8), np.full((12, 8), 255, np.uint8))
    rooms = [Sample("h_1", "h", np.full((36, 64, 3), 90, np.uint8), np.zeros((36, 64), np.uint8))]
    chances = Chances(nobody=1, thing=1, before=0)
    composer = Composer([sample("vt_1", True), thing], rooms, (64, 36), chances)
    drawn = [composer.draw(np.random.default_rng(seed), 0) for seed in range(20)]
    greener = [int(frame[..., 1].max()) - int(frame[..., 2].min()) for frame, _ in drawn]
    assert sum(more > 90 for more in greener) > 12, "now and then it is out of the frame"
    assert not any(alpha.any() for _, alpha in drawn)


def test_things_are_cut_out_where_a_network_errs_away_from_people() -> None:
    pytest.importorskip("torch")
    from models.training.things import things

    frame, alpha = np.zeros((90, 160, 3), np.uint8), np.zeros((90, 160), np.uint8)
    alpha[:, :60] = 255
    ours, theirs = np.zeros((90, 160), np.float32), np.zeros((90, 160), np.float32)
    ours[20:70, 0:64] = 1  # somebody, their edge with them
    ours[20:70, 80:100] = 1  # a lamp
    ours[0:3, 150:153] = 1  # too small
    theirs[20:70, 120:140] = 1  # what another network takes
    (lamp,) = things(frame, alpha, [lambda _: ours], "h_1")
    assert lamp.kind == "thing" and lamp.alpha.max() == 255
    assert abs(lamp.alpha.shape[1] - 20) < 16 and abs(lamp.alpha.shape[0] - 50) < 16
    assert len(list(things(frame, alpha, [lambda _: ours, lambda _: theirs], "h_1"))) == 2


def test_somebody_standing_is_in_the_frame_from_head_to_feet() -> None:
    alpha = np.zeros((400, 200), np.uint8)
    alpha[30:390, 60:140] = 255
    for seed in range(40):
        matrix = place(np.random.default_rng(seed), alpha, (256, 144), standing=0.45)
        mask = warp(alpha, matrix, (256, 144), cv2.BORDER_CONSTANT) > 127
        rows = np.flatnonzero(mask.any(1))
        assert len(rows) > 0.38 * 144, "not smaller than the room's depth makes them"
        assert rows[0] > 0 and rows[-1] >= 0.85 * 144
    far = place(np.random.default_rng(0), alpha, (256, 144), standing=0.01)
    near = place(np.random.default_rng(0), alpha, (256, 144), standing=0.9)
    assert far[1, 1] < near[1, 1]


def test_whoever_stands_may_be_as_small_as_the_chances_say() -> None:
    alpha = np.zeros((96, 64), np.uint8)
    alpha[4:92, 20:44] = 255
    person = Sample("whole_1", "whole", np.full((96, 64, 3), 90, np.uint8), alpha)

    def least(least_standing: float) -> float:
        chances = Chances(room_for_street=1, nobody=0, before=0, standing=1, least_standing=least_standing)
        composer = Composer([person], [sample("h_2", False)], (128, 72), chances)
        masks = (composer.draw(default_rng(seed), 0)[1] > 127 for seed in range(30))
        return min(float(mask.any(1).mean()) for mask in masks)

    assert least(0.15) < 0.4 < 0.6 < least(0.8)


def test_whoever_is_small_stays_where_they_are() -> None:
    """With `least_cut_out` a small figure is neither put on another room nor before others, a large one is."""

    def person(name: str, height: int) -> Sample:
        alpha = np.zeros((72, 128), np.uint8)
        alpha[:height, 50:70] = 255
        return Sample(name, "vid", np.full((72, 128, 3), 200, np.uint8), alpha)

    rooms, chances = [Sample("h_2", "h", np.zeros((72, 128, 3), np.uint8), np.zeros((72, 128), np.uint8))], {}
    for least in (0.0, 0.6):
        certain = Chances(other_room=1, nobody=0, before=0, cloth=0, chair=0, poster=0, least_cut_out=least)
        composer = Composer([person("small", 20), person("large", 60)], rooms, (128, 72), certain)
        # The rooms are black, the pictures are not: dark corners tell that somebody was put on a room.
        chances[least] = [composer.draw(default_rng(5), index)[0][-1, -1].max() < 60 for index in (0, 1)]
    assert chances == {0.0: [True, True], 0.6: [False, True]}


def test_only_the_last_foregrounds_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(augment, "FOREGROUNDS", 2)
    people = [sample(f"vt_{number}", True) for number in range(4)]
    composer = Composer(people, [sample("h_2", False)], (64, 36), Chances(nobody=0, second_person=0))
    first = composer.draw(default_rng(1), 0)
    for index in (1, 2, 3):
        composer.draw(default_rng(1), index)
    assert set(composer._foregrounds) == {"vt_2", "vt_3"}
    for before, again in zip(first, composer.draw(default_rng(1), 0), strict=True):
        np.testing.assert_array_equal(before, again)


def test_somebody_on_an_enlarged_room_may_be_as_blurred_as_it() -> None:
    """With `even` the person loses most of their detail on a room of a quarter of the size, and none on a large one."""
    rng = default_rng(3)
    alpha = np.zeros((144, 256), np.uint8)
    alpha[20:, 80:180] = 255
    person = Sample("vid_1", "vid", rng.integers(0, 255, (144, 256, 3), np.uint8), alpha)

    def details(even: float, size: tuple[int, int]) -> NDArray[np.float64]:
        room = Sample("h_2", "h", np.full((*size[::-1], 3), 120, np.uint8), np.zeros(size[::-1], np.uint8))
        things = dict.fromkeys(("cloth", "chair", "poster", "shadow", "second_person", "headphones"), 0.0)
        composer, found = Composer([person], [room], (256, 144), Chances(even=even, **things)), []
        for seed in range(12):
            frame, mask = composer._composite(default_rng(seed), person, 1.0)
            fine = np.abs(cv2.Laplacian(frame.astype(np.float32), -1)).mean(2)
            found.append(fine[cv2.erode(mask, np.ones((9, 9), np.uint8)) > 250].mean())
        return np.array(found)

    sharp = details(0, (64, 36))
    assert details(1, (64, 36)).mean() < 0.3 * sharp.mean()
    assert 3 <= np.count_nonzero(details(0.5, (64, 36)) < 0.6 * sharp) <= 9
    np.testing.assert_array_equal(details(1, (1024, 576)), details(0, (1024, 576)))


@pytest.mark.parametrize("times", [1.05, 1.37, 2.1, 3.3, 4.3])
def test_what_is_coarsened_stays_where_its_mask_is(times: float) -> None:
    frame = np.zeros((252, 448, 3), np.uint8)
    frame[220:, :] = frame[:, 400:] = 255
    blurred = coarsened(frame, times)
    assert abs(float((blurred[10, :, 0] / 255).sum()) - 48) < 0.2
    assert abs(float((blurred[:, 10, 0] / 255).sum()) - 32) < 0.2


def test_a_poster_shows_a_whole_picture_or_a_head() -> None:
    alpha = np.zeros((100, 200), np.uint8)
    alpha[30:, 80:120] = 255
    picture = np.repeat(alpha[..., None] // 2, 3, 2)
    picture[30:60, 80:120] = 255
    shown = [props.printed(default_rng(seed), picture, alpha) for seed in range(40)]
    heads = [part for part in shown if part.shape != picture.shape]
    assert 8 <= len(heads) <= 32
    assert all((part == 255).mean() > 0.4 and max(part.shape[:2]) <= 54 for part in heads)
    tiny = np.zeros_like(alpha)
    tiny[30:40, 80:90] = 255
    assert all(props.printed(default_rng(seed), picture, tiny) is picture for seed in range(5))


def test_posters_show_heads_and_whole_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = set()
    monkeypatch.setattr(props, "poster", lambda _, __, picture: shapes.add(picture.shape))
    alpha = np.zeros((100, 200), np.uint8)
    alpha[30:, 80:120] = 255
    person = Sample("vid_1", "vid", np.zeros((100, 200, 3), np.uint8), alpha)
    composer = Composer([person], [sample("h_2", False)], (64, 36), Chances(other_room=1, nobody=0, poster=1))
    for seed in range(12):
        composer.draw(default_rng(seed), 0)
    assert (100, 200, 3) in shapes and len(shapes) > 2
