"""Properties of the matte: shapes, ranges, edges that follow the picture, stillness without ghosts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from app.matte.refine import Refiner
from app.matte.temporal import Memory, steady

SIZES = st.tuples(st.integers(1, 90), st.integers(1, 70))


@settings(max_examples=60, deadline=None)
@given(size=SIZES, mask_size=SIZES, seed=st.integers(0, 2**32 - 1), enabled=st.booleans())
def test_alpha_has_half_the_frames_size_whatever_the_sizes(
    size: tuple[int, int], mask_size: tuple[int, int], seed: int, enabled: bool
) -> None:
    rng = np.random.default_rng(seed)
    width, height = size
    mask = rng.random(mask_size[::-1], np.float32)
    refiner = Refiner(width, height, *mask_size, enabled)
    half = (max(1, height // 2), max(1, width // 2))
    luminance = refiner.luminance(rng.integers(0, 256, half, np.uint8))
    alpha = refiner(mask, luminance)
    assert alpha.shape == half
    assert alpha.dtype == np.uint8


@settings(max_examples=40, deadline=None)
@given(
    mask=hnp.arrays(np.float32, (36, 64), elements=st.sampled_from([0.0, 1.0])),
    seed=st.integers(0, 2**32 - 1),
)
def test_where_the_mask_is_sure_so_is_alpha(mask: np.ndarray, seed: int) -> None:
    """Whatever the picture shows: far from the mask's edge the filter changes nothing, so no room shines through."""
    import cv2

    frame = np.random.default_rng(seed).integers(0, 256, (144, 256), np.uint8)
    refiner = Refiner(512, 288, 64, 36)
    alpha = refiner(mask, refiner.luminance(frame))
    around = np.ones((5, 5), np.uint8)
    surely_room = cv2.resize(cv2.dilate(mask, around), (256, 144), interpolation=cv2.INTER_NEAREST) == 0
    surely_person = cv2.resize(cv2.erode(mask, around), (256, 144), interpolation=cv2.INTER_NEAREST) == 1
    assert not alpha[surely_room].any()
    assert (alpha[surely_person] == 255).all()


def test_the_edge_moves_to_the_pictures_edge() -> None:
    """A mask whose edge is a mask pixel off is pulled to the luminance edge."""
    frame = np.full((288, 512), 40, np.uint8)
    frame[:, 256:] = 210
    mask = np.zeros((72, 128), np.float32)
    mask[:, 63] = 0.7  # the true edge is between 63 and 64
    mask[:, 64:] = 1.0
    error = {}
    for enabled in (False, True):
        refiner = Refiner(1024, 576, 128, 72, enabled)
        alpha = refiner(mask, refiner.luminance(frame)).astype(int)
        error[enabled] = np.abs(alpha - np.where(frame > 128, 255, 0)).mean()
    assert error[True] < 0.8 * error[False]


def test_flicker_is_taken_out_where_nothing_moves() -> None:
    rng = np.random.default_rng(1)
    luminance = np.full((36, 64), 100, np.uint8)
    memory: Memory | None = None
    raw, smooth = [], []
    for _ in range(40):
        mask = np.clip(0.5 + rng.normal(0, 0.1, (36, 64)), 0, 1).astype(np.float32)
        noisy = np.clip(luminance + rng.normal(0, 3, luminance.shape), 0, 255).astype(np.uint8)
        out, memory = steady(mask, noisy, memory)
        raw.append(mask.copy())
        smooth.append(out.copy())
    assert np.abs(np.diff(smooth[5:], axis=0)).mean() < 0.4 * np.abs(np.diff(raw[5:], axis=0)).mean()


def test_motion_is_taken_at_once() -> None:
    still, moved = np.full((36, 64), 50, np.uint8), np.full((36, 64), 120, np.uint8)
    _, memory = steady(np.zeros((36, 64), np.float32), still, None)
    out, _ = steady(np.full((36, 64), 0.3, np.float32), moved, memory)
    np.testing.assert_allclose(out, 0.3, atol=1e-6)


def test_who_enters_is_taken_at_once_even_without_contrast() -> None:
    luminance = np.full((36, 64), 50, np.uint8)
    _, memory = steady(np.zeros((36, 64), np.float32), luminance, None)
    out, _ = steady(np.ones((36, 64), np.float32), luminance, memory)
    np.testing.assert_allclose(out, 1.0)


@settings(max_examples=30, deadline=None)
@given(
    masks=hnp.arrays(np.float32, (4, 9, 16), elements=st.floats(0, 1, width=32)),
    frames=hnp.arrays(np.uint8, (4, 9, 16)),
)
def test_smoothing_never_leaves_the_range(masks: np.ndarray, frames: np.ndarray) -> None:
    memory: Memory | None = None
    for mask, frame in zip(masks, frames, strict=True):
        out, memory = steady(mask, frame, memory)
        assert out.min() >= -1e-6
        assert out.max() <= 1 + 1e-6


def test_a_new_mask_size_starts_anew() -> None:
    _, memory = steady(np.ones((9, 16), np.float32), np.zeros((9, 16), np.uint8), None)
    out, memory = steady(np.zeros((18, 32), np.float32), np.zeros((18, 32), np.uint8), memory)
    assert out.shape == memory.alpha.shape == (18, 32)
    assert out.max() == pytest.approx(0)
