"""Reading pictures safely: any kind, any size, from any user."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from app.capture.image_header import Header, read_header
from app.frame import Image
from app.problems import SourceError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})

MAX_SIDE = 8192
"""Pixels; what graphics hardware and video codecs take at most."""

_MOST_PIXELS = 40_000_000
"""Decoded at most, 120 MB: more than an 8K screen (33 million), less than what stops a small laptop."""

_MOST_BYTES = 512 << 20
"""A file larger than this is no picture of `_MOST_PIXELS`, even uncompressed with 16 bits a channel."""

# OpenCV writes warnings of its own to the terminal (3) for whatever it cannot open, which is told with the cure anyway.
cv2.utils.logging.setLogLevel(2)

_TRANSPARENT = 255
"""Transparent parts are laid over white, as picture viewers do."""


def read_image(path: Path | str, max_side: int = MAX_SIDE) -> Image:
    """Read a picture as uint8 BGR (H, W, 3), turned as its EXIF says, no side longer than `max_side` pixels.

    Gray and 16-bit pictures are converted, transparent parts become white. The header is read first: what is too
    large is decoded at a fraction of its size (baseline JPEG) or refused, without ever being in memory.

    Raises:
        SourceError: missing, empty, broken, too large, or no picture; the cure says what to do.
    """
    path = Path(path)
    header = _header(path)
    factor = _reduction(header, max_side)
    if _pixels(header, factor) > _MOST_PIXELS:
        raise SourceError(
            f"{path.name} is too large: {header.width} × {header.height} pixels.",
            f"Save it smaller, at most {max_side} pixels a side and {_MOST_PIXELS // 10**6} million pixels.",
        )
    image = _decode(path, header, factor)
    longest = max(image.shape[:2])
    if longest > max_side:
        height, width = (max(1, round(side * max_side / longest)) for side in image.shape[:2])
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(image)


def bgr(image: np.ndarray[Any, Any]) -> Image:
    """What a decoder gave, gray (H, W) or BGR (H, W, 3) uint8, as contiguous BGR."""
    return np.ascontiguousarray(np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image)


def _header(path: Path) -> Header:
    try:
        size = path.stat().st_size
        if size == 0:
            raise SourceError(f"{path.name} is empty.", "Copy or save the picture again.")
        if size > _MOST_BYTES:
            raise SourceError(f"{path.name} has {size >> 20} MB.", f"Pictures may have {_MOST_BYTES >> 20} MB.")
        with path.open("rb") as file:
            header = read_header(file)
    except ValueError as error:
        raise _broken(path, str(error)) from error
    except FileNotFoundError as error:
        raise SourceError(f"There is no picture {path}.", "Check the path.") from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror}).", "Check the file's permissions.") from error
    if header is None:
        raise SourceError(f"{path.name} is no picture of a known kind.", "Save it as JPEG or PNG.")
    return header


def _reduction(header: Header, max_side: int) -> int:
    """The divisor (1, 2, 4 or 8) to decode with: the largest that leaves `max_side` pixels, or what memory needs."""
    if not header.reducible:
        return 1
    longest = max(header.width, header.height)
    sharp = max((n for n in (1, 2, 4, 8) if longest // n >= max_side), default=1)
    return next((n for n in (1, 2, 4, 8) if n >= sharp and _pixels(header, n) <= _MOST_PIXELS), 8)


def _pixels(header: Header, factor: int) -> int:
    """How many pixels are decoded with this divisor."""
    return (header.width // factor) * (header.height // factor)


def _decode(path: Path, header: Header, factor: int) -> Image:
    # OpenCV turns pictures as EXIF says, except with IMREAD_UNCHANGED, which alone keeps transparency.
    flags = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4}.get(
        factor, cv2.IMREAD_REDUCED_COLOR_8
    )
    try:
        # Not cv2.imread: on Windows it cannot open paths with letters outside the code page.
        data = np.fromfile(path, np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED if header.alpha else flags)
    except (cv2.error, OSError) as error:
        raise _broken(path, str(error).splitlines()[0]) from error
    if image is None:
        raise _broken(path, f"it is no valid {header.format}")
    return _on_white(image) if header.alpha else image.astype(np.uint8, copy=False)


def _on_white(image: np.ndarray[Any, Any]) -> Image:
    """Convert what IMREAD_UNCHANGED gave (gray, BGR or BGRA; 8 or 16 bits) to BGR over white."""
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    if image.ndim == 2:
        return bgr(image)
    if image.shape[2] == 3:
        return image
    alpha = image[..., 3:].astype(np.uint16)
    blended = image[..., :3] * alpha + _TRANSPARENT * (255 - alpha)
    return ((blended + 127) // 255).astype(np.uint8)


def _broken(path: Path, why: str) -> SourceError:
    return SourceError(f"{path.name} is broken: {why}.", "Open and save it with a picture program, or take another.")
