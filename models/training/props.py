"""Things of a room, drawn where the photographs have none: behind the person, on them, and before them.

Everything works in place on a uint8 BGR frame (h, w, 3). What belongs to the person (headphones) is added to the uint8
alpha (h, w), what hides them (a desk's edge, a microphone) is taken out of it, and the rest leaves it alone.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Box = tuple[int, int, int, int]
"""Left, top, right, bottom of the person, of which the last two lie outside."""


LEAST_PRINTED = 24
"""Pixels across from which somebody is cut out of a picture for a poster 30 to 100 high: fewer would be a blur."""


def extent(alpha: Picture) -> Box | None:
    """The box (left, top, right, bottom) of the person, or None without one."""
    columns, rows = np.flatnonzero(alpha.max(0) > 127), np.flatnonzero(alpha.max(1) > 127)
    if not len(columns):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def lay(frame: Picture, texture: Picture, mask: Picture) -> None:
    """Lay a texture, stretched over the mask's box, on the frame where the uint8 mask (h, w) is."""
    box = extent(mask)
    if box is None:
        return
    left, top, right, bottom = box
    part = frame[top:bottom, left:right]
    share = mask[top:bottom, left:right, None].astype(np.float32) / 255
    over = cv2.resize(texture, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    part[...] = np.rint(part + (over - part) * share)


def cloth(rng: Generator, picture: Picture, alpha: Picture) -> Picture:
    """A piece of what a person wears (of their face, rarely): what a bed's cover may look like, too."""
    box = extent(alpha) or (0, 0, alpha.shape[1], alpha.shape[0])
    best, best_share = picture[:8, :8], -1.0
    for _ in range(4):
        side = int(rng.integers(12, 60))
        x = int(rng.integers(box[0], max(box[0] + 1, box[2] - side)))
        y = int(rng.integers((2 * box[1] + box[3]) // 3, max((2 * box[1] + box[3]) // 3 + 1, box[3] - side)))
        share = float(alpha[y : y + side, x : x + side].mean())
        if share > best_share:
            best, best_share = picture[y : y + side, x : x + side], share
    return best


def plain(rng: Generator) -> Picture:
    """A texture of one colour with light falling across it: mostly dark or grey, as chairs and devices are."""
    value = rng.uniform(10, 90) if rng.random() < 0.6 else rng.uniform(60, 240)
    colour = np.clip(value + rng.normal(0, 6 if rng.random() < 0.7 else 45, 3), 0, 255)
    shades = np.clip(colour * np.exp(rng.normal(0, 0.2, (2, 2, 1))), 0, 255)
    return np.asarray(shades, np.uint8)


def wall(rng: Generator) -> Picture:
    """A plain wall, mostly light and of little colour, brighter to one side or in one corner as by a window or lamp."""
    colour = rng.uniform(70, 245) + rng.normal(0, 5 if rng.random() < 0.7 else 25, 3)
    shades = colour * np.exp(rng.normal(0, rng.uniform(0.03, 0.3), (3, 4, 1)))
    return np.clip(shades, 0, 255).astype(np.uint8)


def blob(rng: Generator, size: tuple[int, int], centre: tuple[float, float], radius: float) -> Picture:
    """The mask of a rounded or jagged shape about a point, up to three times as long as wide."""
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    waves = sum(rng.normal(0, 0.28 / k) * np.cos(k * turn + rng.uniform(0, 2 * np.pi)) for k in range(2, 7))
    reach = radius * np.maximum(0.25, 1 + waves)
    long, angle = np.exp(rng.uniform(0, 0.55)), rng.uniform(0, np.pi)
    x, y = reach * np.cos(turn) * long, reach * np.sin(turn) / long
    points = np.stack([x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)], 1) + centre
    return _filled(size, [points])


def _filled(size: tuple[int, int], polygons: list[NDArray[np.float64]]) -> Picture:
    """The mask of polygons, their edges a pixel soft."""
    mask = np.zeros(size[::-1], np.uint8)
    for points in polygons:
        cv2.fillPoly(mask, [np.rint(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return mask


def behind(rng: Generator, frame: Picture, texture: Picture, body: Box) -> None:
    """A piece of cloth somewhere beside or behind the body's lower part: a bed, a cushion, a coat on its hook."""
    left, top, right, bottom = body
    x = rng.uniform(left - 0.3 * (right - left), right + 0.3 * (right - left))
    y = rng.uniform(top + 0.25 * (bottom - top), frame.shape[0])
    radius = frame.shape[0] * rng.uniform(0.06, 0.32)
    lay(frame, texture, blob(rng, frame.shape[1::-1], (x, y), radius))


def chair(rng: Generator, frame: Picture, texture: Picture, body: Box) -> None:
    """The back of a chair, about as wide as the shoulders, seen on both sides of them or on one."""
    left, top, right, bottom = body
    width = rng.uniform(0.7, 1.25) * min(right - left, bottom - top)
    middle = (left + right) / 2 + rng.normal(0, 0.15) * width
    upper = top + rng.uniform(0.05, 0.5) * (bottom - top)
    lower = max(upper + 0.4 * width, frame.shape[0])
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    power = rng.uniform(2.5, 6.0)  # of a superellipse: between an ellipse and a rectangle
    round_x = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** (2 / power)
    round_y = np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** (2 / power)
    points = np.stack([middle + width / 2 * round_x, (upper + lower) / 2 + (lower - upper) / 2 * round_y], 1)
    lay(frame, texture, _filled((frame.shape[1], frame.shape[0]), [points]))


def printed(rng: Generator, picture: Picture, alpha: Picture) -> Picture:
    """What a poster shows of a picture: all of it or, as often, somebody's head and shoulders, unless they are tiny."""
    box = extent(alpha)
    if box is None or box[2] - box[0] < LEAST_PRINTED or rng.random() < 0.5:
        return picture
    side = round(rng.uniform(0.8, 1.3) * (box[2] - box[0]))
    middle, top = (box[0] + box[2]) // 2, max(0, box[1] - side // 8)
    return picture[top : top + side, max(0, middle - side // 2) : middle + side // 2 + 1]


def poster(rng: Generator, frame: Picture, picture: Picture) -> None:
    """A framed picture, of a person perhaps, on the wall or put up somewhere: nobody who is in the room."""
    height = rng.uniform(0.12, 0.4) * frame.shape[0]
    width = height * picture.shape[1] / picture.shape[0]
    if width > 0.4 * frame.shape[1]:
        return
    x, y = rng.uniform(0, frame.shape[1] - width), rng.uniform(0, 0.85) * (frame.shape[0] - height)
    border = rng.uniform(0.02, 0.1) * height
    for grow, texture in ((border, plain(rng)), (0.0, picture)):
        left, top, right, bottom = x - grow, y - grow, x + width + grow, y + height + grow
        corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
        lay(frame, texture, _filled((frame.shape[1], frame.shape[0]), [corners]))


def shadow(rng: Generator, frame: Picture, mask: Picture) -> None:
    """The person's shadow on the wall behind them."""
    reach = frame.shape[1] * 0.08
    shift = np.array([[1, 0, rng.normal(0, reach)], [0, 1, abs(rng.normal(0, reach / 2))]])
    cast = cv2.warpAffine(mask, shift, (frame.shape[1], frame.shape[0]))
    cast = cv2.GaussianBlur(cast, (0, 0), frame.shape[1] * rng.uniform(0.006, 0.03))
    frame[...] = frame * (1 - cast[..., None].astype(np.float32) * np.float32(rng.uniform(0.15, 0.6) / 255))


def head(mask: Picture) -> tuple[float, float, float] | None:
    """Where the ears are, as (x, y, head's width), or None: the row that lies 0.65 of its width below the top."""
    box = extent(mask)
    if box is None or box[1] <= 1:
        return None  # the frame cuts the head
    for row in range(box[1] + 2, box[3]):
        columns = np.flatnonzero(mask[row] > 127)
        if not len(columns):
            return None
        width = int(columns[-1] - columns[0]) + 1
        if row - box[1] >= 0.65 * width:
            return float(columns[0] + columns[-1]) / 2, float(row), float(width)
    return None


def headphones(rng: Generator, frame: Picture, alpha: Picture, mask: Picture) -> None:
    """Headphones on the person's head, which are theirs: a band over it and a cup on each side."""
    ears = head(mask)
    if ears is None or ears[2] < 8:
        return
    x, y, width = ears
    top = (extent(mask) or (0, 0, 0, 0))[1]
    drawn = np.zeros_like(alpha)
    thick = max(1, round(width * rng.uniform(0.06, 0.14)))
    axes = (round(width * 0.52), round(y - top + thick * 0.3))
    cv2.ellipse(drawn, (round(x), round(y)), axes, 0, 180, 360, 255, thick, cv2.LINE_AA)
    cup = (max(2, round(width * rng.uniform(0.1, 0.16))), max(3, round(width * rng.uniform(0.2, 0.32))))
    for side in (-1, 1):
        cv2.ellipse(drawn, (round(x + side * width * 0.5), round(y)), cup, 0, 0, 360, 255, -1, cv2.LINE_AA)
    lay(frame, plain(rng), drawn)
    np.maximum(alpha, drawn, out=alpha)


def before(rng: Generator, frame: Picture, alpha: Picture, texture: Picture) -> None:
    """Something before the person, which is not theirs: a desk's or a laptop's edge, a microphone, a thing put down."""
    height, width = alpha.shape
    size = (width, height)
    kind = rng.random()
    if kind < 0.4:
        left, right = np.sort(rng.uniform(-0.2, 1.2, 2)) * width if rng.random() < 0.5 else (-1.0, width + 1.0)
        rise = rng.uniform(0.03, 0.22) * height
        slope = rng.normal(0, 0.04) * height
        corners = [[left, height - rise], [right, height - rise + slope], [right, height + 1], [left, height + 1]]
        mask = _filled(size, [np.array(corners)])
    elif kind < 0.7:
        x, y = rng.uniform(0.2, 0.8) * width, rng.uniform(0.55, 0.95) * height
        mask = np.zeros_like(alpha)
        foot = (round(x + rng.normal(0, 0.35) * width), height + 4)
        cv2.line(mask, (round(x), round(y)), foot, 255, max(1, round(height * 0.015)), cv2.LINE_AA)
        axes = (max(2, round(height * rng.uniform(0.02, 0.06))), max(3, round(height * rng.uniform(0.05, 0.12))))
        cv2.ellipse(mask, (round(x), round(y)), axes, rng.normal(0, 25), 0, 360, 255, -1, cv2.LINE_AA)
        texture = plain(rng)
    else:
        centre = (rng.uniform(0, 1) * width, rng.uniform(0.6, 1.05) * height)
        mask = blob(rng, size, centre, height * rng.uniform(0.04, 0.16))
    lay(frame, texture, mask)
    np.minimum(alpha, 255 - mask, out=alpha)
