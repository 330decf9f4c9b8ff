"""Properties of the compositor and the effects: nothing bleeds either way, nothing of the room is published."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.capture.testpattern import contains_raw_background, draw, figure
from app.compose.backgrounds import bundled
from app.compose.blur import Blur, sigma_of
from app.compose.card import card
from app.compose.compositor import Compositor
from app.compose.effects import build_effect, lay_out
from app.compose.planes import double, fit_frame, from_bgr, new_i420, planes, to_bgr, yuv_of
from app.compose.view import View
from app.frame import Image
from app.problems import EffectError, SourceError
from app.settings import Settings

GREEN = "#00b140"
EVEN = st.integers(1, 40).map(lambda n: 2 * n)


def halved(alpha: Image) -> Image:
    """An alpha at half its size, as the compositor takes it."""
    return cv2.resize(alpha, (alpha.shape[1] // 2, alpha.shape[0] // 2), interpolation=cv2.INTER_AREA)


def view_of(frame: Image, alpha: Image | None) -> View:
    """An I420 frame with an alpha of its size, or none."""
    view = View(frame.shape[1], frame.shape[0] * 2 // 3)
    view.turn_to(frame)
    view.lay(None if alpha is None else halved(alpha))
    return view


def ellipse(width: int, height: int, feather: float) -> Image:
    """A soft-edged alpha in the middle."""
    alpha = np.zeros((height, width), np.uint8)
    cv2.ellipse(alpha, (width // 2, height // 2), (width // 5, height // 3), 0, 0, 360, 255, -1)
    return cv2.GaussianBlur(alpha, (0, 0), feather)


@settings(max_examples=60, deadline=None)
@given(width=EVEN, height=EVEN, seed=st.integers(0, 2**32 - 1), strength=st.integers(0, 100))
def test_any_size_gives_a_whole_picture(width: int, height: int, seed: int, strength: int) -> None:
    rng = np.random.default_rng(seed)
    frame = from_bgr(rng.integers(0, 256, (height, width, 3), np.uint8))
    alpha = rng.integers(0, 256, (height, width), np.uint8)
    out, view = np.full_like(frame, 77), view_of(frame, alpha)
    Blur(strength).fill(view, out)
    Compositor(width, height).compose(view, out)
    assert out.shape == (height * 3 // 2, width)
    bgra = np.full((height, width, 4), 77, np.uint8)
    Compositor(width, height).cut_out(view, bgra)
    np.testing.assert_array_equal(bgra[..., 3], double(view.alpha, alpha))
    assert not bgra[alpha == 0].any()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_all_person_is_the_frame_and_all_room_is_the_background(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frame = from_bgr(rng.integers(0, 256, (72, 128, 3), np.uint8))
    background = new_i420(128, 72, yuv_of(GREEN))
    compositor = Compositor(128, 72)
    out = background.copy()
    compositor.compose(view_of(frame, np.full((72, 128), 255, np.uint8)), out)
    np.testing.assert_array_equal(out, frame)
    out = background.copy()
    compositor.compose(view_of(frame, np.zeros((72, 128), np.uint8)), out)
    np.testing.assert_array_equal(out, background)


def test_the_room_never_rims_the_person() -> None:
    """A dark person before a white wall, put on black: no pixel of the edge is brighter than the person."""
    alpha = ellipse(1280, 720, 4.0)
    a = alpha[..., None] / 255.0
    camera = (30 * a + 250 * (1 - a)).astype(np.uint8).repeat(3, axis=2)
    frame = from_bgr(camera)
    out = new_i420(1280, 720)
    Compositor(1280, 720).compose(view_of(frame, alpha), out)
    person = int(planes(from_bgr(np.full((2, 2, 3), 30, np.uint8)))[0][0, 0])
    plain = planes(from_bgr((camera * a).astype(np.uint8)))[0]
    assert plain.max() > person + 20, "the test's plain blend must show the rim"
    assert planes(out)[0].max() <= person + 4


def test_the_person_never_bleeds_into_the_blurred_room() -> None:
    """A red person in a gray room: the blurred room stays gray up to the edge."""
    alpha = ellipse(1280, 720, 2.0)
    a = alpha[..., None] / 255.0
    camera = np.rint((0, 0, 255) * a + 128 * (1 - a)).astype(np.uint8)
    frame = from_bgr(camera)
    out = new_i420(1280, 720)
    for strength in (0, 60, 100):
        Blur(strength).fill(view_of(frame, alpha), out)
        outside = cv2.dilate(alpha, np.ones((5, 5), np.uint8)) == 0
        colour = to_bgr(out)[outside].astype(int)
        assert np.abs(colour - 128).max() <= 3, f"strength {strength}"


@pytest.mark.parametrize("size", [(640, 360), (1280, 720), (1920, 1080)])
@pytest.mark.parametrize("strength", [75, 100])
def test_the_blur_is_nearly_a_gaussian_of_the_whole_frame(size: tuple[int, int], strength: int) -> None:
    """Though computed on a sixteenth of the lines: over 46 dB, that is 1.3 steps of 255, and no grid to be seen."""
    rng = np.random.default_rng(5)
    coarse = rng.integers(0, 256, (9, 16, 3), np.uint8)
    camera = cv2.resize(coarse, size, interpolation=cv2.INTER_NEAREST)  # hard edges, every 80 pixels of 720p
    frame, out = from_bgr(camera), new_i420(*size)
    Blur(strength).fill(view_of(frame, None), out)
    exact = cv2.GaussianBlur(planes(frame)[0].astype(np.float32), (0, 0), sigma_of(strength, *size))
    assert 10 * np.log10(255**2 / np.square(planes(out)[0] - exact).mean()) > 46
    kinks = np.abs(np.diff(planes(out)[0].astype(int), 2, axis=1))
    assert kinks.max() <= 3


def test_cut_out_is_straight_and_hides_the_room() -> None:
    frame = from_bgr(draw(0, 640, 360))
    view = view_of(frame, figure(0, 640, 360))
    alpha = double(view.alpha, np.empty((360, 640), np.uint8))
    bgra, compositor = np.full((360, 640, 4), 77, np.uint8), Compositor(640, 360)
    compositor.cut_out(
        view_of(from_bgr(draw(40, 640, 360)), figure(40, 640, 360)), bgra
    )  # what is left of it must not matter
    compositor.cut_out(view, bgra)
    assert not bgra[alpha == 0].any()
    np.testing.assert_array_equal(bgra[..., 3], alpha)
    inside = cv2.erode(alpha, np.ones((5, 5), np.uint8)) == 255  # colour has half the resolution
    np.testing.assert_allclose(bgra[inside, :3].astype(int), to_bgr(frame)[inside].astype(int), atol=2)
    white = bgra[..., :3] * (alpha[..., None] / 255.0) + 255 * (1 - alpha[..., None] / 255.0)
    assert not contains_raw_background(white.astype(np.uint8))


def test_a_cut_out_is_straight_where_the_mask_is_unsure_everywhere() -> None:
    view = view_of(from_bgr(np.full((90, 160, 3), 200, np.uint8)), np.full((90, 160), 128, np.uint8))
    bgra = np.zeros((90, 160, 4), np.uint8)
    Compositor(160, 90).cut_out(view, bgra)
    np.testing.assert_allclose(bgra.reshape(-1, 4).mean(0), [200, 200, 200, 128], atol=2)
    room = draw(3, 640, 360)
    faint = view_of(from_bgr(room), np.full((360, 640), 8, np.uint8))
    bgra = np.zeros((360, 640, 4), np.uint8)
    Compositor(640, 360).cut_out(faint, bgra)
    assert not contains_raw_background(np.ascontiguousarray(bgra[..., :3])), "nor with its alpha dropped"
    assert bgra[..., :3].std() < 0.1 * room.std()


@pytest.mark.parametrize("effect", ["blur", "image", "colour", "alpha", "none"])
@pytest.mark.parametrize("covered", [True, False])
@pytest.mark.parametrize("size", [(1280, 720), (640, 360), (1920, 1080), (1280, 180)])
def test_no_effect_shows_the_room(effect: str, covered: bool, size: tuple[int, int]) -> None:
    """At its weakest, too."""
    image = next(iter(bundled()))
    chosen = Settings().replace(effect=effect, blur=0, show_room=True, image=image, size=f"{size[0]}x{size[1]}")
    frame = from_bgr(draw(3, *size))
    assert contains_raw_background(frame), "the test's wall must be seen in the raw frame"
    alpha = figure(3, *size)
    out, view = new_i420(*size), view_of(frame, None if covered else alpha)
    build_effect(chosen).fill(view, out)
    if not covered:
        Compositor(*size).compose(view, out)
    assert not contains_raw_background(out)


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    width=EVEN,
    height=EVEN,
    fit=st.sampled_from(["fit", "fill", "tile"]),
)
def test_backgrounds_of_any_size_are_laid_out(size: tuple[int, int], width: int, height: int, fit: str) -> None:
    image = np.full((size[1], size[0], 3), 200, np.uint8)
    out = lay_out(image, width, height, fit)
    assert out.shape == (height * 3 // 2, width)
    if fit != "fit":
        assert planes(out)[0].min() > 150, "no bars"


@settings(max_examples=40, deadline=None)
@given(size=st.tuples(st.integers(1, 99), st.integers(1, 99)), width=EVEN, height=EVEN, mirror=st.booleans())
def test_frames_of_any_size_fill_the_output(size: tuple[int, int], width: int, height: int, mirror: bool) -> None:
    image = np.full((size[1], size[0], 3), 90, np.uint8)
    out = fit_frame(image, width, height, mirror=mirror)
    np.testing.assert_array_equal(out, np.full((height, width, 3), 90, np.uint8))


def test_mirror_turns_left_to_right() -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    image[:, 0] = 255
    assert fit_frame(image, 6, 4, mirror=True)[:, 5].all()


@pytest.mark.parametrize(
    ("name", "content"), [("empty.png", b""), ("broken.png", b"\x89PNG\r\n\x1a\nrubbish"), ("text.jpg", b"hello")]
)
def test_broken_background_pictures_are_refused_with_a_cure(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(EffectError, match=name):
        build_effect(Settings().replace(effect="image", image=str(path)))
    with pytest.raises(EffectError, match=name):
        build_effect(Settings().replace(effect="video", video=str(path)))


def test_missing_choices_say_how_to_choose() -> None:
    with pytest.raises(EffectError, match="--image"):
        build_effect(Settings().replace(effect="image"))
    with pytest.raises(EffectError, match="--video"):
        build_effect(Settings().replace(effect="video"))
    with pytest.raises(EffectError, match="nowhere"):
        build_effect(Settings().replace(effect="image", image="nowhere.png"))


def test_a_background_of_20000_pixels_a_side_is_refused_or_shrunk(tmp_path: Path) -> None:
    """1.2 GB decoded: its header says so before anything is allocated."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 20000, 20000, 8, 2, 0, 0, 0)
    path = tmp_path / "huge.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
    with pytest.raises(EffectError, match="20000 × 20000"):
        build_effect(Settings().replace(effect="image", image=str(path)))


def test_a_video_background_moves_and_loops() -> None:
    from assets import asset

    chosen = Settings().replace(effect="video", video=str(asset("clips/sample.mp4")), size="320x180")
    effect = build_effect(chosen)
    out, seen = new_i420(320, 180), set()
    view = view_of(new_i420(320, 180), None)
    import time

    end = time.monotonic() + 5
    while len(seen) < 4 and time.monotonic() < end:
        effect.fill(view, out)
        seen.add(out.tobytes())
        time.sleep(0.02)
    assert len(seen) >= 4


def test_a_picture_of_a_video_background_stays_as_it_is() -> None:
    """While it is handed to a GPU, a frame that is covered may already have shown the next."""
    import time

    from app.compose.effects import Video
    from assets import asset

    effect = Video(asset("clips/sample.mp4"), 320, 180, "fill")
    shown = [(effect.current(), effect.current().copy())]
    end = time.monotonic() + 5
    while len(shown) < 5 and time.monotonic() < end:
        if (picture := effect.current()) is not shown[-1][0]:
            shown.append((picture, picture.copy()))
        time.sleep(0.01)
    assert len(shown) == 5
    for picture, before in shown:
        np.testing.assert_array_equal(picture, before)


def test_a_video_background_never_keeps_a_frame_waiting_and_tells_what_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder that takes its time leaves the last picture standing; one that fails is heard of."""
    import threading
    import time

    from app.compose.effects import Video
    from assets import asset

    effect = Video(asset("clips/sample.mp4"), 320, 180, "fill")
    out, view = new_i420(320, 180), view_of(new_i420(320, 180), None)
    go = threading.Event()

    def broken() -> Image:
        go.wait(10)
        raise SourceError("The disk was pulled out.", "Put it in again.")

    monkeypatch.setattr(effect._source, "read", broken)
    seen = set()
    for _ in range(5):
        time.sleep(0.04)
        effect.fill(view, out)
        seen.add(out.tobytes())
    assert 1 <= len(seen) <= 2, "what was decoded before, and then nothing new"
    go.set()
    with pytest.raises(SourceError, match="pulled out"):
        for _ in range(100):
            effect.fill(view, out)
            time.sleep(0.02)


@pytest.mark.parametrize("size", [(2, 2), (640, 360), (1280, 720), (720, 1280)])
def test_the_card_fits_and_is_shared(size: tuple[int, int]) -> None:
    assert card(*size).shape == (size[1] * 3 // 2, size[0])
    assert card(*size) is card(*size)
    with pytest.raises(ValueError, match="read-only"):
        card(*size)[0, 0] = 1
