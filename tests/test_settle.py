"""Settling by colour: what it is, what it must not do, and that it helps where colours tell person and room apart."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import settle
from models.settle import Settler

WIDTH, HEIGHT = 128, 72


def _by_the_book(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The same, in doubles and with numpy's own solver."""
    size = settle.shrunk(*mask.shape[::-1])
    guide = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float64) / 255
    low = cv2.resize(mask.astype(np.float64), size, interpolation=cv2.INTER_AREA)
    weight = (2 * low - 1) ** 4 + settle.LEAST
    assert settle.SQUARINGS == 2
    side = 2 * settle.radius(size[0]) + 1

    def mean(x: np.ndarray) -> np.ndarray:
        return cv2.blur(x, (side, side))

    total = mean(weight)
    colours = np.stack([mean(weight * guide[..., i]) / total for i in range(3)], -1)
    level = mean(weight * low) / total
    matrix = np.zeros((*low.shape, 3, 3))
    toward = np.zeros((*low.shape, 3))
    for i in range(3):
        for j in range(3):
            matrix[..., i, j] = mean(weight * guide[..., i] * guide[..., j]) / total - colours[..., i] * colours[..., j]
        matrix[..., i, i] += settle.EPSILON
        toward[..., i] = mean(weight * guide[..., i] * low) / total - colours[..., i] * level
    slopes = np.linalg.solve(matrix, toward[..., None])[..., 0]
    answer = (slopes * (guide - colours)).sum(-1) + level
    answer = np.clip(settle.CONTRAST * (answer - 0.5) + 0.5, 0, 1)
    square = np.ones((settle.AREA, settle.AREA), np.uint8)
    doubt = cv2.dilate(cv2.erode(4 * low * (1 - low), square), square)
    return np.clip(mask + cv2.resize(doubt * (answer - low), mask.shape[::-1]), 0, 1)


def _scene(seed: int, size: tuple[int, int] = (WIDTH, HEIGHT)) -> tuple[np.ndarray, np.ndarray]:
    """A blotchy picture and a blotchy mask."""
    rng = np.random.default_rng(seed)
    picture = cv2.resize(rng.integers(0, 256, (9, 16, 3), dtype=np.uint8), (WIDTH, HEIGHT))
    mask = cv2.resize(rng.random((5, 8), np.float32), size)
    return picture, np.clip(2 * mask - 0.5, 0, 1)


LOOKS = {
    "in colour": lambda picture: picture,
    "grey": lambda picture: np.repeat(picture[..., :1], 3, -1),
    "dark": lambda picture: picture // 24,
}
"""A picture without colour has matrices that but for `EPSILON` could not be solved."""


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("size", [(WIDTH, HEIGHT), (97, 55), (40, 70)], ids=str)
def test_it_is_the_weighted_fit_that_it_claims_to_be(look: str, size: tuple[int, int]) -> None:
    """Also of a mask of another size than the picture, and one that is a part of a larger array."""
    for seed in range(4):
        picture, mask = _scene(seed, size)
        picture = LOOKS[look](picture)
        whole = np.pad(mask, ((0, 0), (3, 5)))
        settled = whole[:, 3:-5]
        Settler(*size)(picture, settled)
        assert np.abs(settled - mask).max() > 0.05
        assert np.allclose(settled, _by_the_book(picture, mask), atol=2e-4)  # float32, and colours that hardly vary
        assert not whole[:, :3].any() and not whole[:, -5:].any()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([(128, 72), (64, 36), (33, 57), (8, 4), (2, 2), (1, 1)]), st.booleans())
def test_a_mask_stays_a_mask(seed: int, size: tuple[int, int], flat: bool) -> None:
    rng = np.random.default_rng(seed)
    width, height = size
    picture = np.full((height, width, 3), 77, np.uint8) if flat else rng.integers(0, 256, (height, width, 3), np.uint8)
    mask = np.round(rng.random((height, width), np.float32), 1)
    settled = mask.copy()
    Settler(width, height)(picture, settled)
    assert np.isfinite(settled).all()
    assert settled.min() >= -1e-6 and settled.max() <= 1 + 1e-6


def test_an_edge_is_not_in_doubt() -> None:
    """However sharp an edge, a pixel or two lie between 0 and 1; a fold of the room's colour must not eat into it."""
    picture, _ = _scene(3)
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    cv2.circle(mask, (60, 50), 30, 1.0, -1, cv2.LINE_AA)
    mask = cv2.blur(mask, (3, 3))
    settled = mask.copy()
    Settler(WIDTH, HEIGHT)(picture, settled)
    assert np.abs(settled - mask).max() < 0.12
    assert np.abs(settled - mask).mean() < 5e-4


def test_doubt_is_settled_by_the_colours_beside_it() -> None:
    """A red person before a blue room, both sure; a blue cushion and a red sleeve that the network is not sure of."""
    picture, mask = np.full((HEIGHT, WIDTH, 3), (200, 60, 40), np.uint8), np.zeros((HEIGHT, WIDTH), np.float32)
    picture[20:, 40:80], mask[20:, 40:80] = (40, 50, 210), 1
    noise = np.random.default_rng(5).integers(-12, 13, picture.shape)
    mask[50:, 80:95] = 0.55  # a cushion of the room's colour
    picture[40:55, 28:40], mask[40:55, 28:40] = (40, 50, 210), 0.45  # a sleeve
    picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
    Settler(WIDTH, HEIGHT)(picture, mask)
    assert mask[54:70, 80:92].max() < 0.25
    assert mask[43:52, 31:38].min() > 0.75


def test_what_colour_half_says_is_said_more_clearly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two thirds of a colour's pixels are surely somebody's: of the rest, in doubt, it says more than two thirds."""
    picture, mask = np.full((HEIGHT, WIDTH, 3), 120, np.uint8), np.zeros((HEIGHT, WIDTH), np.float32)
    mask[np.arange(HEIGHT) % 18 < 12] = 1
    mask[:, 54:74] = 0.5
    plain = mask.copy()
    Settler(WIDTH, HEIGHT)(picture, mask)
    monkeypatch.setattr(settle, "CONTRAST", 1.0)
    Settler(WIDTH, HEIGHT)(picture, plain)
    middle = slice(30, 42), slice(62, 66)
    assert plain[middle].min() > 0.55 and plain[middle].max() < 0.75
    assert np.allclose(mask[middle] - 0.5, 1.5 * (plain[middle] - 0.5), atol=0.02)


def test_where_colours_tell_nothing_the_edge_stays_in_the_middle() -> None:
    """Person and room look alike: doubt between them becomes a ramp, and no edge is invented beside it."""
    picture, mask = np.full((HEIGHT, WIDTH, 3), 120, np.uint8), np.zeros((HEIGHT, WIDTH), np.float32)
    mask[:, 64:] = 1
    mask[:, 54:74] = 0.5
    mask = cv2.blur(mask, (5, 5))
    before = mask.copy()
    Settler(WIDTH, HEIGHT)(picture, mask)
    assert np.abs(mask - before).max() > 0.1
    assert (np.diff(mask, axis=1) >= -0.02).all()
    assert np.abs(mask[:, 63:65] - 0.5).max() < 0.1


def test_where_nothing_is_in_doubt_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    picture, _ = _scene(0)
    mask = np.full((HEIGHT, WIDTH), 0.003, np.float32)
    monkeypatch.delattr(Settler, "_weigh")
    Settler(WIDTH, HEIGHT)(picture, mask)
    assert (mask == np.float32(0.003)).all()
