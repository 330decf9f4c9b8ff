"""The part of libpipewire-0.3 that a camera needs, as ctypes prototypes; structures are named as in its headers."""

from __future__ import annotations

import ctypes
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from functools import lru_cache

LIBRARY = "libpipewire-0.3.so.0"

STATE_ERROR, STATE_UNCONNECTED, STATE_CONNECTING, STATE_PAUSED, STATE_STREAMING = -1, 0, 1, 2, 3
DIRECTION_OUTPUT = 1
ID_ANY = 0xFFFFFFFF
FLAG_MAP_BUFFERS, FLAG_DRIVER = 1 << 2, 1 << 3
META_HEADER, META_BUSY = 1, 7
HOOK_BYTES = 48
"""Size of struct spa_hook: a list's two pointers, three more and a private one."""


class spa_chunk(ctypes.Structure):
    """The part of a block that is valid."""

    _fields_ = (("offset", c_uint32), ("size", c_uint32), ("stride", c_int32), ("flags", c_int32))


class spa_data(ctypes.Structure):
    """A block of memory."""

    _fields_ = (
        ("type", c_uint32),
        ("flags", c_uint32),
        ("fd", c_int64),
        ("mapoffset", c_uint32),
        ("maxsize", c_uint32),
        ("data", c_void_p),
        ("chunk", POINTER(spa_chunk)),
    )


class spa_meta(ctypes.Structure):
    """Something said about a buffer."""

    _fields_ = (("type", c_uint32), ("size", c_uint32), ("data", c_void_p))


class spa_meta_header(ctypes.Structure):
    """A buffer's number and time in nanoseconds."""

    _fields_ = (
        ("flags", c_uint32),
        ("offset", c_uint32),
        ("pts", c_int64),
        ("dts_offset", c_int64),
        ("seq", c_uint64),
    )


class spa_meta_busy(ctypes.Structure):
    """How many consumers hold a buffer; it is not to be written to meanwhile."""

    _fields_ = (("flags", c_uint32), ("count", c_uint32))


class spa_buffer(ctypes.Structure):
    """Blocks and what is said about them."""

    _fields_ = (
        ("n_metas", c_uint32),
        ("n_datas", c_uint32),
        ("metas", POINTER(spa_meta)),
        ("datas", POINTER(spa_data)),
    )


class pw_buffer(ctypes.Structure):
    """A buffer in a stream's queue. Newer versions append fields, which are not read here."""

    _fields_ = (("buffer", POINTER(spa_buffer)), ("user_data", c_void_p), ("size", c_uint64), ("requested", c_uint64))


OnState = CFUNCTYPE(None, c_void_p, c_int, c_int, c_char_p)
OnParam = CFUNCTYPE(None, c_void_p, c_uint32, c_void_p)
OnBuffer = CFUNCTYPE(None, c_void_p, POINTER(pw_buffer))
OnProcess = CFUNCTYPE(None, c_void_p)


class pw_stream_events(ctypes.Structure):
    """Version 2 of a stream's callbacks."""

    _fields_ = (
        ("version", c_uint32),
        ("destroy", c_void_p),
        ("state_changed", OnState),
        ("control_info", c_void_p),
        ("io_changed", c_void_p),
        ("param_changed", OnParam),
        ("add_buffer", OnBuffer),
        ("remove_buffer", OnBuffer),
        ("process", OnProcess),
        ("drained", c_void_p),
        ("command", c_void_p),
        ("trigger_done", c_void_p),
    )


EVENTS_VERSION = 2

_PROTOTYPES = (
    ("pw_thread_loop_new", c_void_p, (c_char_p, c_void_p)),
    ("pw_thread_loop_get_loop", c_void_p, (c_void_p,)),
    ("pw_thread_loop_start", c_int, (c_void_p,)),
    ("pw_thread_loop_stop", None, (c_void_p,)),
    ("pw_thread_loop_lock", None, (c_void_p,)),
    ("pw_thread_loop_unlock", None, (c_void_p,)),
    ("pw_thread_loop_destroy", None, (c_void_p,)),
    ("pw_context_new", c_void_p, (c_void_p, c_void_p, c_size_t)),
    ("pw_context_connect", c_void_p, (c_void_p, c_void_p, c_size_t)),
    ("pw_context_destroy", None, (c_void_p,)),
    ("pw_properties_new_string", c_void_p, (c_char_p,)),
    ("pw_stream_new", c_void_p, (c_void_p, c_char_p, c_void_p)),
    ("pw_stream_add_listener", None, (c_void_p, c_void_p, POINTER(pw_stream_events), c_void_p)),
    ("pw_stream_connect", c_int, (c_void_p, c_int, c_uint32, c_int, c_void_p, c_uint32)),
    ("pw_stream_update_params", c_int, (c_void_p, c_void_p, c_uint32)),
    ("pw_stream_dequeue_buffer", POINTER(pw_buffer), (c_void_p,)),
    ("pw_stream_queue_buffer", c_int, (c_void_p, POINTER(pw_buffer))),
    ("pw_stream_trigger_process", c_int, (c_void_p,)),
    ("pw_stream_destroy", None, (c_void_p,)),
)


@lru_cache(maxsize=1)
def load() -> ctypes.CDLL:
    """The library, initialised.

    Raises:
        OSError: it is not installed.
    """
    library = ctypes.CDLL(LIBRARY)
    library.pw_init(None, None)
    for name, result, arguments in _PROTOTYPES:
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
