"""From a frame of any size to a mask: resizing, padding, and refusing what is no mask."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from conftest import FakeSession
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.manifest import get_model
from models.segmenter import MOST_HALVES, Segmenter, UntrustedMask, shrink
from models.settle import Settler

LITE = get_model("lite")
WIDTH, HEIGHT = LITE.input.width, LITE.input.height


def make(network: object) -> tuple[Segmenter, FakeSession]:
    session = FakeSession(LITE, network)  # type: ignore[arg-type]
    return Segmenter(LITE, session.input, session.output, session.run), session


def red_is_person(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    return (image[..., 2] > 127) * np.float32(0.98)  # of a mask of ones everywhere nothing is trusted


@settings(max_examples=80, deadline=None)
@given(width=st.integers(1, 400), height=st.integers(1, 400))
def test_frames_of_any_size_give_a_mask_of_the_network_s(width: int, height: int) -> None:
    segmenter, _ = make(red_is_person)
    frame = np.zeros((height, width, 3), np.uint8)
    frame[..., 2] = 255
    mask = segmenter(frame)
    assert mask.shape == (HEIGHT, WIDTH)
    assert mask.min() > 0.9, "a frame that is all person is all person, whatever was padded"


@pytest.mark.parametrize("size", [(1280, 720), (640, 480), (720, 1280), (1000, 200), (256, 144)])
def test_the_mask_lies_where_the_person_is(size: tuple[int, int]) -> None:
    """The left upper quarter, in the frame's own proportions, padded or stretched."""
    segmenter, _ = make(red_is_person)
    frame = np.zeros((size[1], size[0], 3), np.uint8)
    frame[: size[1] // 2, : size[0] // 2] = (0, 0, 255)
    mask = segmenter(frame)
    expected = np.zeros((HEIGHT, WIDTH), np.float32)
    expected[: HEIGHT // 2, : WIDTH // 2] = 1
    assert np.abs(mask - expected).mean() < 0.03


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280)])
def test_an_alpha_of_half_the_size_lies_where_the_person_is(size: tuple[int, int]) -> None:
    half = dataclasses.replace(LITE.output, width=WIDTH // 2, height=HEIGHT // 2)
    model = dataclasses.replace(LITE, output=half)
    image, alpha = np.zeros(model.input.shape, np.uint8), np.zeros(half.shape, np.float32)

    def run() -> None:
        alpha[0, ..., 0] = red_is_person(image[0])[::2, ::2]

    frame = np.zeros((size[1], size[0], 3), np.uint8)
    frame[: size[1] // 2, : size[0] // 2] = (0, 0, 255)
    mask = Segmenter(model, image, alpha, run)(frame)
    assert mask.shape == (HEIGHT // 2, WIDTH // 2)
    expected = np.zeros(mask.shape, np.float32)
    expected[: HEIGHT // 4, : WIDTH // 4] = 1
    assert np.abs(mask - expected).mean() < 0.05


def test_a_tall_frame_is_padded_instead_of_squeezed() -> None:
    segmenter, session = make(red_is_person)
    segmenter(np.full((1280, 720, 3), 255, np.uint8))
    columns = np.flatnonzero(session.input[0].any(axis=(0, 2)))
    assert len(columns) < 0.5 * WIDTH
    segmenter(np.full((480, 640, 3), 255, np.uint8))
    assert session.input[0].all(), "4:3 fits without padding"


def doubtful(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Half sure by colour, with a wide band of doubt in the middle."""
    mask = (image[..., 2] > 127).astype(np.float32)
    mask[HEIGHT // 4 : HEIGHT * 3 // 4] = 0.6
    return mask


@pytest.mark.parametrize(
    ("size", "box"),
    [((1280, 720), (0, WIDTH)), ((640, 480), (0, WIDTH)), ((720, 1280), (71, 71 + 113))],
    ids=["wide", "stretched", "padded"],
)
@pytest.mark.parametrize("scale", [1, 2])
def test_what_the_network_is_unsure_of_is_settled(size: tuple[int, int], box: tuple[int, int], scale: int) -> None:
    """By the colours of that which shows the frame, and of nothing that was padded."""
    output = dataclasses.replace(LITE.output, width=WIDTH // scale, height=HEIGHT // scale)
    model = dataclasses.replace(LITE, output=output)
    image, alpha = np.zeros(model.input.shape, np.uint8), np.zeros(output.shape, np.float32)

    def run() -> None:
        alpha[0, ..., 0] = doubtful(image[0])[::scale, ::scale]

    frame = np.random.default_rng(1).integers(0, 60, (size[1], size[0], 3), np.uint8)
    frame[: size[1] // 3, size[0] // 3 :, 2] += 190
    frame[size[1] // 2 :, : size[0] // 2, 2] += 190
    asked = Segmenter(model, image, alpha, run, settled=False)
    raw = asked(frame).copy()
    left, right = (round(side / scale) for side in box)
    expected = alpha[0, :, left:right, 0].copy()
    Settler(right - left, HEIGHT // scale)(image[0, :, slice(*box)], expected)
    expected = cv2.resize(expected, (WIDTH // scale, HEIGHT // scale), interpolation=cv2.INTER_LINEAR)
    mask = Segmenter(model, image, alpha, run)(frame)
    assert np.abs(mask - raw).max() > 0.3, "there is something to settle"
    assert np.abs(mask - expected).max() < 1e-5
    assert np.abs(mask - expected).mean() < 0.01 * np.abs(mask - raw).mean()


def test_a_settled_mask_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter, _ = make(doubtful)
    monkeypatch.setattr(Settler, "__call__", lambda self, picture, mask: mask.__setitem__((3, 3), np.nan))
    with pytest.raises(UntrustedMask, match="lite"):
        segmenter(np.zeros((72, 128, 3), np.uint8))


def test_a_tall_camera_s_buffers_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its whole frames are padded, the regions between them are not."""
    made = []
    monkeypatch.setattr("models.segmenter.Settler", lambda *size: made.append(size) or Settler(*size))
    segmenter, _ = make(doubtful)
    for _ in range(3):
        for size in ((720, 1280), (720, 405)):
            segmenter(np.zeros((size[1], size[0], 3), np.uint8))
    assert len(made) == 2


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -0.5, 1.5, 255.0])
def test_one_wrong_value_is_enough_to_distrust(value: float) -> None:
    def network(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        mask = np.zeros(image.shape[:2], np.float32)
        mask[40, 99] = value
        return mask

    segmenter, _ = make(network)
    with pytest.raises(UntrustedMask, match="lite"):
        segmenter(np.zeros((72, 128, 3), np.uint8))


def test_a_run_that_writes_nothing_leaves_no_old_mask_to_trust() -> None:
    segmenter, session = make(red_is_person)
    segmenter(np.full((72, 128, 3), 255, np.uint8))
    lost, alpha = Segmenter(LITE, session.input, session.output, lambda: None), session.output
    alpha.fill(0.9)
    with pytest.raises(UntrustedMask):
        lost(np.zeros((72, 128, 3), np.uint8))


def test_a_file_of_another_shape_than_the_manifest_s_is_refused() -> None:
    with pytest.raises(ValueError, match="by the manifest"):
        Segmenter(LITE, np.zeros((1, 8, 8, 3), np.uint8), np.zeros(LITE.output.shape, np.float32), lambda: None)


def test_shrinking_uses_its_halves_again_and_keeps_few() -> None:
    halves: dict[tuple[int, int], NDArray[np.uint8]] = {}
    out, frame = np.empty((90, 160, 3), np.uint8), np.random.default_rng(1).integers(0, 256, (360, 640, 3), np.uint8)
    expected = np.empty_like(out)
    shrink(frame, expected)
    for _ in range(3):
        shrink(frame, out, halves)
        np.testing.assert_array_equal(out, expected)
        kept = list(halves.values())
        assert [half.shape[:2] for half in kept] == [(180, 320), (90, 160)]
    shrink(frame, out, halves)
    assert all(one is other for one, other in zip(kept, halves.values(), strict=True))
    for width in range(330, 390, 4):
        shrink(frame[:, :width], out, halves)
    assert len(halves) <= MOST_HALVES


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080), (640, 360)])
def test_shrinking_does_not_alias(size: tuple[int, int]) -> None:
    """Fine stripes become grey, at least as even as by averaging whole areas; nearest or bilinear leaves stripes."""
    frame = np.zeros((size[1], size[0], 3), np.uint8)
    frame[:, ::2] = 255
    out = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    shrink(frame, out)
    area = cv2.resize(frame, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    assert np.abs(out - 127.5).mean() <= np.abs(area - 127.5).mean() + 1
