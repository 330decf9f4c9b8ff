"""A picture's size from its header, so that a huge one is refused before it fills the memory."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture file says before it is decoded.

    Attributes:
        format: "JPEG", "PNG", "WebP", "BMP", "GIF" or "TIFF".
        width, height: pixels as stored, before any EXIF rotation.
        alpha: it may hold transparency.
        reducible: the decoder can decode it smaller without decoding it whole (baseline JPEG).
    """

    format: str
    width: int
    height: int
    alpha: bool = False
    reducible: bool = False


def read_header(file: BinaryIO) -> Header | None:
    """Read the header of an open picture file; None where it is of no known kind.

    Raises:
        ValueError: it is of a known kind but cut short or broken.
    """
    start = file.read(32)
    for magic, offset, parse in _PARSERS:
        if start[offset : offset + len(magic)] == magic:
            file.seek(0)
            try:
                header = parse(file)
            except struct.error as error:
                raise ValueError("its header is cut short") from error
            if header.width < 1 or header.height < 1:
                raise ValueError("its header says that it has no pixels")
            return header
    return None


def _unpack(layout: str, file: BinaryIO) -> tuple[int, ...]:
    return struct.unpack(layout, file.read(struct.calcsize(layout)))


def _png(file: BinaryIO) -> Header:
    file.seek(16)
    width, height, _, colour = _unpack(">IIBB", file)
    file.seek(33)
    transparent = colour in (4, 6)
    # A palette's transparency is a chunk before the first data chunk.
    while not transparent:
        length, kind = struct.unpack(">I4s", file.read(8))
        transparent = kind == b"tRNS"
        if kind in (b"IDAT", b"IEND"):
            break
        file.seek(length + 4, 1)
    return Header("PNG", width, height, transparent)


def _jpeg(file: BinaryIO) -> Header:
    file.seek(2)
    while True:
        marker = _unpack(">BB", file)
        while marker[1] == 0xFF:  # padding
            marker = (0xFF, *_unpack(">B", file))
        if marker[0] != 0xFF:
            raise ValueError("its segments are broken")
        kind = marker[1]
        (length,) = _unpack(">H", file)
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            _, height, width = _unpack(">BHH", file)
            # A progressive JPEG keeps all its coefficients in memory however small it is wanted.
            return Header("JPEG", width, height, reducible=kind in (0xC0, 0xC1))
        if kind == 0xDA or length < 2:
            raise ValueError("it has no frame header")
        file.seek(length - 2, 1)


def _webp(file: BinaryIO) -> Header:
    file.seek(12)
    kind = file.read(4)
    file.seek(20)
    if kind == b"VP8X":
        flags, *_, w0, w1, w2, h0, h1, h2 = _unpack("<10B", file)
        width, height = (w0 | w1 << 8 | w2 << 16) + 1, (h0 | h1 << 8 | h2 << 16) + 1
        return Header("WebP", width, height, bool(flags & 0x10))
    if kind == b"VP8L":
        _, bits = _unpack("<BI", file)
        return Header("WebP", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1))
    file.seek(26)
    width, height = _unpack("<HH", file)
    return Header("WebP", width & 0x3FFF, height & 0x3FFF)


def _bmp(file: BinaryIO) -> Header:
    file.seek(14)
    (size,) = _unpack("<I", file)
    width, height = _unpack("<HH" if size == 12 else "<ii", file)
    return Header("BMP", width, abs(height))


def _gif(file: BinaryIO) -> Header:
    file.seek(6)
    width, height = _unpack("<HH", file)
    return Header("GIF", width, height)


def _tiff(file: BinaryIO) -> Header:
    order = "<" if file.read(2) == b"II" else ">"
    _, offset = _unpack(order + "HI", file)
    file.seek(offset)
    (count,) = _unpack(order + "H", file)
    sizes = {}
    for _ in range(count):
        tag, kind = _unpack(order + "HH", file)
        file.seek(4, 1)
        value = file.read(4)
        # 256 and 257 are width and height, as SHORT (3) or LONG (4).
        if tag in (256, 257):
            (sizes[tag],) = struct.unpack(order + ("H2x" if kind == 3 else "I"), value)
    return Header("TIFF", sizes.get(256, 0), sizes.get(257, 0))


_PARSERS: tuple[tuple[bytes, int, Callable[[BinaryIO], Header]], ...] = (
    (b"\x89PNG\r\n\x1a\n", 0, _png),
    (b"\xff\xd8\xff", 0, _jpeg),
    (b"WEBP", 8, _webp),
    (b"BM", 0, _bmp),
    (b"GIF8", 0, _gif),
    (b"II*\0", 0, _tiff),
    (b"MM\0*", 0, _tiff),
)
