"""The test pattern, and that its wall is found exactly where it can be seen: the privacy tests rest on this."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from app.capture import testpattern
from app.capture.testpattern import TestPattern, contains_raw_background, draw, figure, wall
from app.frame import Image

WIDTH, HEIGHT = 1280, 720


def i420(bgr: Image) -> Image:
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420)


def photo_like(seed: int, width: int = WIDTH, height: int = HEIGHT) -> Image:
    """Noise with the spectrum of photos (amplitude 1/f), which has detail at every scale."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = 1
    planes = [
        np.fft.irfft2(np.fft.rfft2(rng.standard_normal((height, width))) / frequency, (height, width)) for _ in range(3)
    ]
    stack = np.stack([planes[0], planes[0] + 0.3 * planes[1], planes[0] + 0.3 * planes[2]], axis=-1)
    return np.clip(128 + 55 * stack / stack.std(), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("size", [(1280, 720), (640, 480), (320, 240), (854, 480), (1920, 1080)])
def test_raw_frame_is_found_at_every_size(size: tuple[int, int]) -> None:
    frame = draw(7, WIDTH, HEIGHT)
    assert contains_raw_background(i420(cv2.resize(frame, size, interpolation=cv2.INTER_AREA)))
    assert contains_raw_background(i420(cv2.resize(frame, size)))
    assert contains_raw_background(i420(draw(7, *size)))


def test_raw_frame_is_found_as_bgr_bgra_and_mirrored() -> None:
    frame = draw(0, WIDTH, HEIGHT)
    assert contains_raw_background(frame)
    assert contains_raw_background(cv2.cvtColor(frame, cv2.COLOR_BGR2BGRA))
    assert contains_raw_background(i420(np.ascontiguousarray(frame[:, ::-1])))


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_any_64_pixel_block_is_found(strength: float) -> None:
    rng, raw = np.random.default_rng(1), wall(WIDTH, HEIGHT)
    for _ in range(40):
        picture = np.full((HEIGHT, WIDTH, 3), rng.integers(0, 256, 3), np.uint8)
        y, x = rng.integers(0, HEIGHT - 64), rng.integers(0, WIDTH - 64)
        block = np.s_[y : y + 64, x : x + 64]
        picture[block] = strength * raw[block] + (1 - strength) * picture[block]
        assert contains_raw_background(i420(picture)), (x, y)


@pytest.mark.parametrize("seed", range(3))
def test_half_blend_with_a_photo_is_found(seed: int) -> None:
    blend = cv2.addWeighted(draw(seed, WIDTH, HEIGHT), 0.5, photo_like(seed), 0.5, 0)
    assert contains_raw_background(i420(blend))


def test_thin_leak_beside_the_figure_is_found() -> None:
    picture = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    picture[100:164, 300:940] = wall(WIDTH, HEIGHT)[100:164, 300:940]
    assert contains_raw_background(i420(picture))


@pytest.mark.parametrize("sigma", [8, 12, 20, 40])
def test_blurred_frame_is_not_found(sigma: float) -> None:
    assert not contains_raw_background(i420(cv2.GaussianBlur(draw(3, WIDTH, HEIGHT), (0, 0), sigma)))
    assert not contains_raw_background(i420(cv2.blur(draw(3, WIDTH, HEIGHT), (round(3.5 * sigma), round(3.5 * sigma)))))


def test_blur_at_other_sizes_is_not_found() -> None:
    for width, height in ((640, 480), (1920, 1080)):
        blurred = cv2.GaussianBlur(draw(3, width, height), (0, 0), 8 * height / 720)
        assert not contains_raw_background(i420(blurred))


def test_blurred_wall_behind_the_sharp_figure_is_not_found() -> None:
    frame, alpha = draw(11, WIDTH, HEIGHT), figure(11, WIDTH, HEIGHT)[..., None] / 255
    composite = frame * alpha + cv2.GaussianBlur(frame, (0, 0), 10) * (1 - alpha)
    assert not contains_raw_background(i420(composite.astype(np.uint8)))


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (64, 177, 0), (128, 128, 128)])
def test_flat_colour_is_not_found(colour: tuple[int, int, int]) -> None:
    assert not contains_raw_background(i420(np.full((HEIGHT, WIDTH, 3), colour, np.uint8)))


@pytest.mark.parametrize("seed", range(6))
def test_photos_and_noise_are_not_found(seed: int) -> None:
    assert not contains_raw_background(i420(photo_like(seed)))
    noise = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    assert not contains_raw_background(i420(noise))
    cells = cv2.resize(noise[:90, :160], (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
    assert not contains_raw_background(i420(cells))


def test_strength_is_the_part_of_the_wall_that_is_seen() -> None:
    raw, flat = wall(WIDTH, HEIGHT), np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    for part in (1.0, 0.5, 0.25):
        strength, _ = testpattern.detect(i420(cv2.addWeighted(raw, part, flat, 1 - part, 0)))
        assert np.median(strength) == pytest.approx(part, abs=0.02)


def test_frames_are_deterministic_and_move() -> None:
    first, again = TestPattern(640, 360), TestPattern(640, 360)
    frames = [first.read() for _ in range(3)]
    assert all(np.array_equal(frame, again.read()) for frame in frames)
    assert not np.array_equal(frames[0], frames[1])
    assert not np.array_equal(figure(0, 640, 360), figure(20, 640, 360))


def test_wall_is_in_the_frame_where_the_figure_is_not() -> None:
    frame, alpha = draw(5, 640, 360), figure(5, 640, 360)
    assert np.array_equal(frame[alpha == 0], wall(640, 360)[alpha == 0])
    assert 0.15 < (alpha > 127).mean() < 0.5


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (161, 91)])
def test_odd_sizes_are_drawn(size: tuple[int, int]) -> None:
    assert TestPattern(*size).read().shape == (size[1], size[0], 3)
