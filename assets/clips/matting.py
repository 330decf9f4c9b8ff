"""Cuts the person out of scikit-image's `astronaut`: GrabCut for the shape, closed-form matting for the hair."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, diags  # type: ignore[import-untyped]
from scipy.sparse.linalg import cg  # type: ignore[import-untyped]
from skimage import data

from assets.painting import Floats, floats

# Outlines in the 512 × 512 picture: surely the person, surely not.
_PERSON = [
    [(185, 40), (215, 24), (255, 24), (285, 50), (293, 95), (270, 130), (252, 175), (195, 175), (175, 110), (163, 95)],
    [
        (135, 165),
        (295, 265),
        (331, 258),
        (341, 282),
        (352, 345),
        (300, 400),
        (285, 511),
        (40, 511),
        (30, 400),
        (60, 280),
        (120, 220),
    ],
    [(290, 400), (370, 350), (440, 360), (485, 440), (485, 511), (285, 511)],
]
_NOT_PERSON = [
    [(0, 0), (511, 0), (511, 10), (0, 10)],
    [(0, 0), (140, 0), (135, 110), (110, 175), (60, 220), (10, 330), (0, 511)],
    [(315, 0), (511, 0), (511, 330), (370, 330), (368, 250), (330, 215), (290, 165), (312, 100)],
]


def cut_out() -> tuple[Floats, Floats]:
    """The person's colour (512, 512, 3) BGR and alpha (512, 512), float32 in 0–1; colour is free of the backdrop."""
    image = np.ascontiguousarray(data.astronaut()[..., ::-1])
    shape = _shape(image)
    inside = cv2.erode(shape, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5)))
    outside = 1 - cv2.dilate(shape, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5)))
    # Hair is as fine as the picture gets, so there the uncertain band is wide.
    hair = np.zeros_like(shape)
    cv2.ellipse(hair, (228, 85), (105, 90), 0, 0, 360, 1, -1)
    hair[140:] = 0
    wide = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (13, 13))
    inside = np.where(hair == 1, cv2.erode(shape, wide), inside)
    outside = np.where(hair == 1, 1 - cv2.dilate(shape, wide), outside)
    alpha = _closed_form(image.astype(np.float32) / 255, inside == 1, outside == 1)
    return _foreground(image.astype(np.float32) / 255, alpha, outside == 1), alpha


def _shape(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """1 where GrabCut sees the person, else 0."""
    labels = np.full(image.shape[:2], cv2.GC_PR_FGD, np.uint8)
    for outline in _PERSON:
        cv2.fillPoly(labels, [np.asarray(outline, np.int32)], cv2.GC_FGD)
    for outline in _NOT_PERSON:
        cv2.fillPoly(labels, [np.asarray(outline, np.int32)], cv2.GC_BGD)
    cv2.setRNGSeed(1)
    cv2.grabCut(image, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), 8, cv2.GC_INIT_WITH_MASK)
    shape = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    shape = cv2.morphologyEx(shape, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7)))
    count, parts, stats, _ = cv2.connectedComponentsWithStats(shape)
    largest = 1 + int(np.argmax(stats[1:count, cv2.CC_STAT_AREA]))
    filled = (parts == largest).astype(np.uint8)
    closed = cv2.morphologyEx(filled, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7)))
    return np.asarray(closed, np.uint8)


def _closed_form(image: Floats, inside: NDArray[np.bool_], outside: NDArray[np.bool_]) -> Floats:
    """Alpha by Levin, Lischinski and Weiss, "A Closed-Form Solution to Natural Image Matting" (2008)."""
    height, width = inside.shape
    known = inside | outside
    indices = np.arange(height * width).reshape(height, width)
    near = cv2.dilate((~known).astype(np.uint8), np.ones((3, 3), np.uint8))[1:-1, 1:-1] == 1
    windows = np.lib.stride_tricks.sliding_window_view(indices, (3, 3)).reshape(height - 2, width - 2, 9)[near]
    colours = image.reshape(-1, 3)[windows].astype(np.float64)
    mean = colours.mean(axis=1, keepdims=True)
    offsets = colours - mean
    covariance = np.einsum("nij,nik->njk", offsets, offsets) / 9 + 1e-5 / 9 * np.eye(3)
    weights = (1 + np.einsum("nij,njk,nlk->nil", offsets, np.linalg.inv(covariance), offsets)) / 9
    rows, columns = np.repeat(windows, 9, axis=1).ravel(), np.tile(windows, (1, 9)).ravel()
    affinity = coo_matrix((weights.ravel(), (rows, columns)), shape=(height * width,) * 2).tocsr()
    laplacian = diags(np.asarray(affinity.sum(axis=1)).ravel()) - affinity
    trust = diags(known.ravel().astype(np.float64) * 100 + 1e-6)
    start = inside.ravel().astype(np.float64)
    start[~known.ravel()] = 0.5
    solution, _ = cg(laplacian + trust, 100.0 * inside.ravel(), x0=start, rtol=1e-6, maxiter=3000)
    return floats(np.clip(solution.reshape(height, width), 0, 1))


def _foreground(image: Floats, alpha: Floats, outside: NDArray[np.bool_]) -> Floats:
    """The person's own colour at every pixel, also under half-transparent hair and beyond the edge."""
    backdrop = _spread(image, outside.astype(np.float32))
    a = np.maximum(alpha, 0.05)[..., None]
    own = np.clip((image - (1 - a) * backdrop) / a, 0, 1)
    # Where little of the person is seen, its colour is a guess: take it from where more is.
    trust = np.clip((alpha - 0.6) / 0.35, 0, 1)
    return floats(own * trust[..., None] + _spread(own, trust**4) * (1 - trust[..., None]))


def _spread(image: Floats, weight: Floats) -> Floats:
    """Carry colours from where the weight is over to where it is not, from the nearest outwards."""
    result = image * weight[..., None]
    total = weight.copy()
    for sigma in (2, 4, 8, 16, 32, 64):
        blurred = cv2.GaussianBlur(image * weight[..., None], (0, 0), sigma)
        amount = cv2.GaussianBlur(weight, (0, 0), sigma)
        missing = np.clip(1 - total, 0, 1) * np.clip(amount * 20, 0, 1)
        result += blurred / np.maximum(amount, 1e-6)[..., None] * missing[..., None]
        total += missing
    return result / np.maximum(total, 1e-6)[..., None]
