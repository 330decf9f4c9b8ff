"""The few SPA pods that a PipeWire camera needs: PipeWire's own serialised values.

A pod is its body's size and its type (two uint32), then the body, filled up to whole 8 bytes; all little-endian, as
on every machine this runs on. Numbers are those of spa/utils/type.h and spa/param/**, which are PipeWire's interface.
"""

from __future__ import annotations

import struct

TYPE_ID, TYPE_INT, TYPE_RECTANGLE, TYPE_FRACTION, TYPE_OBJECT, TYPE_CHOICE = 3, 4, 10, 11, 15, 19
_CHOICE_RANGE, _CHOICE_FLAGS = 1, 4

OBJECT_FORMAT, OBJECT_BUFFERS, OBJECT_META = 0x40003, 0x40004, 0x40005
PARAM_ENUM_FORMAT, PARAM_FORMAT, PARAM_BUFFERS, PARAM_META = 3, 4, 5, 6

FORMAT_MEDIA_TYPE, FORMAT_MEDIA_SUBTYPE = 1, 2
FORMAT_VIDEO_FORMAT, FORMAT_VIDEO_SIZE, FORMAT_VIDEO_FRAMERATE = 0x20001, 0x20003, 0x20004
MEDIA_TYPE_VIDEO, MEDIA_SUBTYPE_RAW, VIDEO_FORMAT_I420 = 2, 1, 2

BUFFERS_COUNT, BUFFERS_BLOCKS, BUFFERS_SIZE, BUFFERS_STRIDE, BUFFERS_DATA_TYPE = 1, 2, 3, 4, 6
DATA_MEM_PTR, DATA_MEM_FD = 1, 2

META_TYPE, META_SIZE = 1, 2
META_HEADER = 1


def pod(kind: int, body: bytes) -> bytes:
    """A pod of any type."""
    return struct.pack("<II", len(body), kind) + body + bytes(-len(body) % 8)


def identifier(value: int) -> bytes:
    """A pod of one value of an enumeration."""
    return pod(TYPE_ID, struct.pack("<I", value))


def integer(value: int) -> bytes:
    """A pod of one int32."""
    return pod(TYPE_INT, struct.pack("<i", value))


def rectangle(width: int, height: int) -> bytes:
    """A pod of a size."""
    return pod(TYPE_RECTANGLE, struct.pack("<II", width, height))


def fraction(numerator: int, denominator: int) -> bytes:
    """A pod of a fraction, e.g. a rate."""
    return pod(TYPE_FRACTION, struct.pack("<II", numerator, denominator))


def integer_range(default: int, least: int, most: int) -> bytes:
    """A pod that lets the other side choose an int32 of a closed interval."""
    return _choice(_CHOICE_RANGE, default, least, most)


def integer_flags(value: int) -> bytes:
    """A pod that lets the other side choose any of these bits."""
    return _choice(_CHOICE_FLAGS, value)


def obj(kind: int, param: int, properties: dict[int, bytes]) -> bytes:
    """A pod of an object of a type, for a parameter, with pods as properties."""
    body = b"".join(struct.pack("<II", key, 0) + value for key, value in properties.items())
    return pod(TYPE_OBJECT, struct.pack("<II", kind, param) + body)


def i420_format(width: int, height: int, fps: tuple[int, int]) -> bytes:
    """The one format a camera offers: I420 of one size and rate (numerator, denominator)."""
    return obj(
        OBJECT_FORMAT,
        PARAM_ENUM_FORMAT,
        {
            FORMAT_MEDIA_TYPE: identifier(MEDIA_TYPE_VIDEO),
            FORMAT_MEDIA_SUBTYPE: identifier(MEDIA_SUBTYPE_RAW),
            FORMAT_VIDEO_FORMAT: identifier(VIDEO_FORMAT_I420),
            FORMAT_VIDEO_SIZE: rectangle(width, height),
            FORMAT_VIDEO_FRAMERATE: fraction(*fps),
        },
    )


def i420_buffers(width: int, height: int) -> bytes:
    """What the buffers must be: one block of memory that holds a whole I420 picture."""
    return obj(
        OBJECT_BUFFERS,
        PARAM_BUFFERS,
        {
            # 4 as PipeWire's own examples; at least 2, so that one can be filled while the other is read.
            BUFFERS_COUNT: integer_range(4, 2, 16),
            BUFFERS_BLOCKS: integer(1),
            BUFFERS_SIZE: integer(width * height * 3 // 2),
            BUFFERS_STRIDE: integer(width),
            BUFFERS_DATA_TYPE: integer_flags(1 << DATA_MEM_PTR | 1 << DATA_MEM_FD),
        },
    )


def header_meta(size: int) -> bytes:
    """Asks for a header (sequence number and time) of so many bytes with every buffer."""
    return obj(OBJECT_META, PARAM_META, {META_TYPE: identifier(META_HEADER), META_SIZE: integer(size)})


def _choice(kind: int, *values: int) -> bytes:
    """A choice's body: its kind, flags, the size and type of each value, then the values."""
    return pod(TYPE_CHOICE, struct.pack(f"<IIII{len(values)}i", kind, 0, 4, TYPE_INT, *values))
