"""Draws the pictures of docs/compositing.md from the bundled clip: `make docs`.

Each shows the same piece of a frame at 100 % twice: composited plainly, and as Greenroom does it, with one mask; or
with the mask of a whole frame, and with that of the region that Greenroom looks at.
"""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from app.compose.blur import Blur, sigma_of
from app.compose.compositor import Compositor
from app.compose.planes import from_bgr, new_i420, to_bgr, yuv_of
from app.compose.view import View
from app.loaded import load_known, unhurried
from app.matte.refine import Refiner
from app.settings import Settings
from assets import asset
from models.region import Look, Region

FOLDER = Path(__file__).parent / "pictures"
BLUR = 60
GREEN = "#00b140"
PIECE = (480, 320)
"""Width and height of the piece shown."""

Picture = NDArray[np.uint8]


def frame_and_alpha() -> tuple[Picture, Picture]:
    """The clip's first frame, uint8 BGR (720, 1280, 3), and its exact alpha, uint8 (720, 1280)."""
    pictures = []
    for name, form in (("clips/sample.mp4", "bgr24"), ("clips/sample-alpha.mp4", "gray")):
        with av.open(str(asset(name))) as container:
            pictures.append(next(container.decode(video=0)).to_ndarray(format=form))
    return pictures[0], pictures[1]


def plainly(frame: Picture, alpha: Picture, background: Picture) -> Picture:
    """alpha · frame + (1 − alpha) · background, as most virtual cameras do it."""
    share = alpha[..., None].astype(np.float32) / 255
    blended: Picture = np.rint(frame * share + background * (1 - share)).astype(np.uint8)
    return blended


def ours(frame: Picture, alpha: Picture, background: Picture | None) -> Picture:
    """As the product does it, over a picture or, without one, the blurred room."""
    view = View(frame.shape[1], frame.shape[0])
    view.turn_to(from_bgr(frame))
    view.lay(cv2.resize(alpha, view.half.shape[::-1], interpolation=cv2.INTER_AREA))
    out = new_i420(frame.shape[1], frame.shape[0]) if background is None else from_bgr(background)
    if background is None:
        Blur(BLUR).fill(view, out)
    Compositor(frame.shape[1], frame.shape[0]).compose(view, out)
    return to_bgr(out)


def piece(alpha: Picture) -> tuple[slice, slice]:
    """Where the person's outline turns: beside the head."""
    rows = np.flatnonzero(alpha.max(axis=1) > 127)
    middle = rows[0] + (rows[-1] - rows[0]) // 4
    columns = np.flatnonzero(alpha[middle] > 127)
    x = int(np.clip(columns[-1] - PIECE[0] // 2, 0, alpha.shape[1] - PIECE[0]))
    y = int(np.clip(middle - PIECE[1] // 2, 0, alpha.shape[0] - PIECE[1]))
    return slice(y, y + PIECE[1]), slice(x, x + PIECE[0])


def far_away(frame: Picture, alpha: Picture) -> Picture:
    """The person half as large in another room."""
    height, width = alpha.shape
    room = np.asarray(cv2.imread(str(asset("backgrounds/living.jpg"))), np.uint8)
    room = np.asarray(cv2.resize(room, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    half = (width // 2, height // 2)
    small, share = (np.asarray(cv2.resize(p, half, interpolation=cv2.INTER_AREA), np.uint8) for p in (frame, alpha))
    place = slice(height - half[1], height), slice(width // 4, width // 4 + half[0])
    room[place] = plainly(small, share, room[place])
    return room


def looked_at(frame: Picture, green: Picture) -> list[Picture]:
    """A frame with the masks of `hd`: as it is, and as the product looks at it."""
    loaded = load_known(Settings().replace(model="hd"), realtime=False)
    height, width = frame.shape[:2]
    pictures = []
    # Copied, for the next look overwrites it.
    whole = Look(loaded.segmenter(frame).copy(), Region(0, 0, width, height))
    for look in (whole, unhurried(loaded).look(frame)):
        refiner = Refiner(width, height, look.mask.shape[1], look.mask.shape[0], region=look.region)
        gray = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        luminance = refiner.luminance(cv2.resize(gray, refiner.half_size, interpolation=cv2.INTER_AREA))
        pictures.append(ours(frame, refiner(look.mask, luminance), green))
    loaded.close()
    return pictures


def main() -> None:
    frame, alpha = frame_and_alpha()
    where = piece(alpha)
    height, width = alpha.shape
    blurred = cv2.GaussianBlur(frame, (0, 0), sigma_of(BLUR, width, height))
    green = to_bgr(new_i420(width, height, yuv_of(GREEN)))
    pairs: dict[str, tuple[Picture, ...]] = {
        "blur": (plainly(frame, alpha, blurred), ours(frame, alpha, None)),
        "edge": (plainly(frame, alpha, green), ours(frame, alpha, green)),
    }
    small = cv2.resize(alpha, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    far = cv2.copyMakeBorder(small, height // 2, 0, width // 4, width // 4, cv2.BORDER_CONSTANT, value=0)
    wheres = dict.fromkeys(pairs, where) | {"closer": piece(np.asarray(far, np.uint8))}
    pairs["closer"] = tuple(looked_at(far_away(frame, alpha), green))
    FOLDER.mkdir(exist_ok=True)
    for name, pictures in pairs.items():
        gap = np.full((PIECE[1], 8, 3), 255, np.uint8)
        before, after = (picture[wheres[name]] for picture in pictures)
        cv2.imwrite(str(FOLDER / f"{name}.png"), np.hstack([before, gap, after]))


if __name__ == "__main__":
    main()
