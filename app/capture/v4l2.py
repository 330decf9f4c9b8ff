"""What Linux says about its video devices, asked with the standard library alone.

The structures are those of `linux/videodev2.h`, which never change (they are the kernel's interface).
"""

from __future__ import annotations

import errno
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

_QUERYCAP = 0x80685600
_ENUM_FMT = 0xC0405602
_REQBUFS = 0xC0145608
_ENUM_FRAMESIZES = 0xC02C564A
_ENUM_FRAMEINTERVALS = 0xC034564B

_CAPABILITY = struct.Struct("16s32s32s6I")
_FMTDESC = struct.Struct("3I32s5I")
_FRMSIZE = struct.Struct("11I")
_FRMIVAL = struct.Struct("13I")
_REQUESTBUFFERS = struct.Struct("5I")

_CAP_VIDEO_CAPTURE = 0x1
_CAP_VIDEO_CAPTURE_MPLANE = 0x1000
_CAP_DEVICE_CAPS = 0x80000000
_BUF_TYPE_VIDEO_CAPTURE = 1
_MEMORY_MMAP = 1
_DISCRETE = 1

_MOST = 64
"""No real camera lists more formats, sizes or rates; a broken driver that never ends its list is cut here."""

_COMMON_SIZES = ((640, 480), (1280, 720), (1920, 1080))
"""Asked about where a driver takes any size in a range."""

Ioctl = Callable[[int, int, bytearray], object]


@dataclass(frozen=True, slots=True)
class Mode:
    """One way a camera delivers: pixel format (e.g. "MJPG", "YUYV"), size in pixels, frames a second, highest first."""

    fourcc: str
    width: int
    height: int
    rates: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Node:
    """What a video node says of itself; `captures` is False for outputs, metadata and codecs."""

    driver: str
    card: str
    captures: bool


def _ioctl(handle: int, request: int, data: bytearray) -> object:
    # Windows has no fcntl, and this module is imported there; mypy reads it as the system it runs on.
    if sys.platform == "win32":
        raise OSError(errno.ENOSYS, "V4L2 is Linux's")
    import fcntl

    return fcntl.ioctl(handle, request, data, True)


def query(handle: int, ioctl: Ioctl = _ioctl) -> Node:
    """Ask an open video node what it is.

    Raises:
        OSError: it is no video node, or it went away.
    """
    data = bytearray(_CAPABILITY.size)
    ioctl(handle, _QUERYCAP, data)
    driver, card, _, _, capabilities, device_caps, *_ = _CAPABILITY.unpack(data)
    caps = device_caps if capabilities & _CAP_DEVICE_CAPS else capabilities
    return Node(_text(driver), _text(card), bool(caps & (_CAP_VIDEO_CAPTURE | _CAP_VIDEO_CAPTURE_MPLANE)))


def modes(handle: int, ioctl: Ioctl = _ioctl) -> tuple[Mode, ...]:
    """Every mode of an open camera, in the driver's order."""
    found = []
    for data in _enumerate(
        handle, ioctl, _ENUM_FMT, _FMTDESC, lambda i: (i, _BUF_TYPE_VIDEO_CAPTURE, 0, b"", *[0] * 5)
    ):
        pixel_format = data[4]
        for width, height in _sizes(handle, ioctl, pixel_format):
            rates = _rates(handle, ioctl, pixel_format, width, height)
            found.append(Mode(_fourcc(pixel_format), width, height, rates))
    return tuple(found)


def is_busy(handle: int, ioctl: Ioctl = _ioctl) -> bool:
    """Whether somebody streams from the camera over another handle, be it of this program; asking takes nothing.

    Freeing zero buffers is allowed to whoever might stream, so the answer is EBUSY only while another handle owns them.
    """
    data = bytearray(_REQUESTBUFFERS.pack(0, _BUF_TYPE_VIDEO_CAPTURE, _MEMORY_MMAP, 0, 0))
    try:
        ioctl(handle, _REQBUFS, data)
    except OSError as error:
        return error.errno == errno.EBUSY
    return False


def holders(path: Path, proc: Path = Path("/proc")) -> list[tuple[int, str]]:
    """Process number and name of the programs that hold a file open, as far as this user may see."""
    real, found = path.resolve(), []
    for process in proc.glob("[0-9]*"):
        try:
            if any(_leads_to(handle, real) for handle in (process / "fd").iterdir()):
                found.append((int(process.name), (process / "comm").read_text().strip()))
        except OSError:  # another user's process, or one that has just ended: it cannot be named
            continue
    return sorted(found)


def _leads_to(handle: Path, real: Path) -> bool:
    try:
        return handle.readlink() == real
    except OSError:  # closed meanwhile, as the one that lists them is; the process's others still count
        return False


def _enumerate(
    handle: int, ioctl: Ioctl, request: int, layout: struct.Struct, ask: Callable[[int], tuple[object, ...]]
) -> Iterator[tuple[int, ...]]:
    """The driver's answers to one ENUM request, from index 0 until it says EINVAL."""
    for index in range(_MOST):
        data = bytearray(layout.pack(*ask(index)))
        try:
            ioctl(handle, request, data)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOTTY, errno.ENODATA):
                return
            raise
        yield layout.unpack(data)


def _sizes(handle: int, ioctl: Ioctl, pixel_format: int) -> Iterator[tuple[int, int]]:
    answers = _enumerate(handle, ioctl, _ENUM_FRAMESIZES, _FRMSIZE, lambda i: (i, pixel_format, *[0] * 9))
    for _, _, kind, *numbers in answers:
        if kind == _DISCRETE:
            yield numbers[0], numbers[1]
            continue
        min_width, max_width, _, min_height, max_height, *_ = numbers
        for width, height in _COMMON_SIZES:
            if min_width <= width <= max_width and min_height <= height <= max_height:
                yield width, height
        return


def _rates(handle: int, ioctl: Ioctl, pixel_format: int, width: int, height: int) -> tuple[float, ...]:
    found = set()
    answers = _enumerate(
        handle, ioctl, _ENUM_FRAMEINTERVALS, _FRMIVAL, lambda i: (i, pixel_format, width, height, *[0] * 9)
    )
    for _, _, _, _, kind, *numbers in answers:
        # Intervals are fractions of a second: one for a discrete rate, else shortest and longest.
        pairs = [numbers[0:2]] if kind == _DISCRETE else [numbers[0:2], numbers[2:4]]
        for numerator, denominator in pairs:
            if numerator and denominator:
                found.add(round(denominator / numerator, 2))
        if kind != _DISCRETE:
            break
    return tuple(sorted(found, reverse=True))


def _fourcc(pixel_format: int) -> str:
    return struct.pack("<I", pixel_format & 0x7FFFFFFF).decode("ascii", "replace").rstrip()


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "replace").strip()
