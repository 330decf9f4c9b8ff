"""The sink that is a camera of PipeWire: no kernel module, no root; browsers find it through the desktop's portal."""

from __future__ import annotations

import ctypes
import json
import threading
from fractions import Fraction
from typing import TypeVar

from app import own_camera
from app.frame import Picture
from app.problems import SinkError
from app.publish import libpipewire as pw
from app.publish import spa
from app.publish.fit import Fitter

_ANSWER_SECONDS = 3.0
"""Longest wait for PipeWire to take the camera in; it takes some 10 ms here, also on a loaded machine below 1 s."""

_HELD_NS = 1_000_000_000
"""So long consumers may hold all buffers; a browser's tab that stands still this long may see a torn picture."""

_MOST_CONSUMERS = 2**31
"""A count above is one below zero, in 32 bits without a sign."""

_MISSING = "PipeWire does not run for this user."
_RESTART = "Start it as the user of this desktop: systemctl --user restart pipewire wireplumber"


class PipeWireSink:
    """Publishes as a PipeWire camera node; see `app.publish` for the contract.

    PipeWire's own thread copies the newest picture to each consumer; any number of them may come and go.

    Args:
        label: what people see in their list of cameras.

    Raises:
        SinkError: PipeWire's library or daemon is missing.
    """

    def __init__(self, width: int, height: int, fps: float, label: str = own_camera.NAME) -> None:
        self.name = f"pipewire:{label}"
        self._width, self._height = width, height
        self._fit = Fitter((width, height))
        # The contract between the threads: written by `write`, read by `_on_process`, both with the loop's lock held.
        self._picture: ctypes.Array[ctypes.c_char] = ctypes.create_string_buffer(width * height * 3 // 2)
        self._captured_ns = self._sent_ns = self._seq = 0
        # How many consumers hold each of the stream's buffers, by the buffer's address.
        self._busy: dict[int, pw.spa_meta_busy] = {}
        self._state, self._error = pw.STATE_CONNECTING, ""
        self._settled = threading.Event()
        self._pw = _load()
        self._loop, self._context = _context(self._pw, b"greenroom")
        self._stream: int | None = None
        try:
            self._connect(label, fps)
        except BaseException:
            self.close()
            raise

    @property
    def watched(self) -> bool:
        """Whether a consumer is there, which relies on the size."""
        return self._state == pw.STATE_STREAMING

    def write(self, picture: Picture) -> None:
        """Hand a picture to PipeWire; without a consumer it is only kept. One of another size is fitted.

        Raises:
            SinkError: PipeWire went away or ended the stream.
        """
        i420 = self._fit(picture)
        self._pw.pw_thread_loop_lock(self._loop)
        try:
            if self._state <= pw.STATE_UNCONNECTED:
                raise SinkError(f"PipeWire has ended the camera ({self._error or 'it is gone'}).", _RESTART)
            ctypes.memmove(self._picture, i420.ctypes.data, len(self._picture))
            self._captured_ns = round(picture.captured_at * 1e9)
            if self._state == pw.STATE_STREAMING:
                self._pw.pw_stream_trigger_process(self._stream)
        finally:
            self._pw.pw_thread_loop_unlock(self._loop)

    def close(self) -> None:
        """Remove the camera; consumers see that it ended."""
        self._pw.pw_thread_loop_lock(self._loop)
        if self._stream:
            self._pw.pw_stream_destroy(self._stream)
        self._pw.pw_thread_loop_unlock(self._loop)
        self._pw.pw_thread_loop_stop(self._loop)
        self._pw.pw_context_destroy(self._context)  # ends the connection as well
        self._pw.pw_thread_loop_destroy(self._loop)

    def _connect(self, label: str, fps: float) -> None:
        self._pw.pw_thread_loop_start(self._loop)
        self._pw.pw_thread_loop_lock(self._loop)
        try:
            core = self._pw.pw_context_connect(self._context, None, 0)
            if not core:
                raise SinkError(_MISSING, _RESTART)
            properties = self._pw.pw_properties_new_string(_properties(label))
            self._stream = self._pw.pw_stream_new(core, label.encode(), properties)
            self._listen()
            rate = Fraction(fps).limit_denominator(1001)
            format_pod = spa.i420_format(self._width, self._height, (rate.numerator, rate.denominator))
            # The driver sets the pace: a picture goes out when it is written, not when a clock asks for it.
            flags = pw.FLAG_MAP_BUFFERS | pw.FLAG_DRIVER
            result = self._pw.pw_stream_connect(
                self._stream, pw.DIRECTION_OUTPUT, pw.ID_ANY, flags, self._pods(format_pod), 1
            )
            if result < 0:
                raise SinkError(f"PipeWire refuses the camera (error {-result}).", _RESTART)
        finally:
            self._pw.pw_thread_loop_unlock(self._loop)
        if not self._settled.wait(_ANSWER_SECONDS) or self._state <= pw.STATE_UNCONNECTED:
            raise SinkError(f"PipeWire does not take the camera ({self._error or 'no answer'}).", _RESTART)

    def _listen(self) -> None:
        # PipeWire keeps pointers to both, so they live as long as the stream.
        self._events = pw.pw_stream_events(
            version=pw.EVENTS_VERSION,
            state_changed=pw.OnState(self._on_state),
            param_changed=pw.OnParam(self._on_param),
            add_buffer=pw.OnBuffer(self._on_add_buffer),
            remove_buffer=pw.OnBuffer(self._on_remove_buffer),
            process=pw.OnProcess(self._on_process),
        )
        self._hook = ctypes.create_string_buffer(pw.HOOK_BYTES)
        self._pw.pw_stream_add_listener(self._stream, self._hook, ctypes.byref(self._events), None)

    def _pods(self, *pods: bytes) -> ctypes.Array[ctypes.c_void_p]:
        """An array of pointers to pods, as PipeWire's calls take it; it copies them before it returns."""
        self._kept = [ctypes.create_string_buffer(pod, len(pod)) for pod in pods]
        return (ctypes.c_void_p * len(pods))(*[ctypes.addressof(kept) for kept in self._kept])

    # What follows runs in PipeWire's thread, which holds the loop's lock meanwhile.

    def _on_state(self, _: int, __: int, state: int, error: bytes | None) -> None:
        self._state = state
        self._error = (error or b"").decode("utf-8", "replace")
        if state != pw.STATE_CONNECTING:
            self._settled.set()
        if state == pw.STATE_PAUSED:  # the last consumer has left, or stands still
            self._free_buffers()

    def _on_param(self, _: int, param: int, pod: int | None) -> None:
        if param == spa.PARAM_FORMAT and pod:  # without a pod, the last consumer has left
            buffers = spa.i420_buffers(self._width, self._height)
            header = spa.header_meta(ctypes.sizeof(pw.spa_meta_header))
            self._pw.pw_stream_update_params(self._stream, self._pods(buffers, header), 2)

    def _on_add_buffer(self, _: int, added: ctypes._Pointer[pw.pw_buffer]) -> None:
        if busy := _meta(added.contents.buffer.contents, pw.META_BUSY, pw.spa_meta_busy):
            self._busy[ctypes.addressof(added.contents)] = busy

    def _on_remove_buffer(self, _: int, removed: ctypes._Pointer[pw.pw_buffer]) -> None:
        self._busy.pop(ctypes.addressof(removed.contents), None)

    def _free_buffers(self) -> None:
        # A consumer that dies gives back none of the buffers it holds, and PipeWire never writes to those again:
        # without this, the camera stood still after 15 browsers that had died (tests/e2e, as many consumers).
        for busy in self._busy.values():
            busy.count = 0

    def _forgive(self) -> None:
        # A consumer that lives on gives back what was taken from it above: less than nothing.
        for busy in self._busy.values():
            if busy.count > _MOST_CONSUMERS:
                busy.count = 0

    def _dequeued(self) -> ctypes._Pointer[pw.pw_buffer] | None:
        self._forgive()
        queued = self._next_buffer()
        if not queued and self._captured_ns - self._sent_ns > _HELD_NS:
            self._free_buffers()
            queued = self._next_buffer()
        return queued

    def _next_buffer(self) -> ctypes._Pointer[pw.pw_buffer] | None:
        # One that a consumer holds goes to the end of PipeWire's queue, and the call returns none: so all are tried.
        for _ in range(max(1, len(self._busy))):
            queued: ctypes._Pointer[pw.pw_buffer] = self._pw.pw_stream_dequeue_buffer(self._stream)
            if queued:
                return queued
        return None

    def _on_process(self, _: int) -> None:
        queued = self._dequeued()
        if not queued:  # consumers hold all buffers: this picture is dropped for them
            return
        buffer = queued.contents.buffer.contents
        data = buffer.datas[0]
        size = len(self._picture)
        fits = bool(data.data) and data.maxsize >= size
        if fits:
            ctypes.memmove(data.data, self._picture, size)
        chunk = data.chunk.contents
        chunk.offset, chunk.size, chunk.stride = 0, size if fits else 0, self._width
        if header := _meta(buffer, pw.META_HEADER, pw.spa_meta_header):
            header.flags = header.offset = header.dts_offset = 0
            header.pts, header.seq = self._captured_ns, self._seq
        self._seq += 1
        self._sent_ns = self._captured_ns
        self._pw.pw_stream_queue_buffer(self._stream, queued)


_Meta = TypeVar("_Meta", bound=ctypes.Structure)


def _meta(buffer: pw.spa_buffer, kind: int, structure: type[_Meta]) -> _Meta | None:
    """What is said of a kind about a buffer, in PipeWire's own memory; None if nothing is."""
    for meta in buffer.metas[: buffer.n_metas]:
        if meta.type == kind and meta.size >= ctypes.sizeof(structure):
            return structure.from_address(meta.data)
    return None


def state() -> str:
    """ "ready" when a camera could be made now, else what is missing."""
    try:
        library = _load()
        loop, context = _context(library, b"greenroom-probe")
    except SinkError as error:
        return str(error)
    try:
        return "ready" if library.pw_context_connect(context, None, 0) else f"{_MISSING} {_RESTART}"
    finally:
        library.pw_context_destroy(context)
        library.pw_thread_loop_destroy(loop)


def _load() -> ctypes.CDLL:
    try:
        return pw.load()
    except OSError as error:
        raise SinkError("PipeWire's library is missing.", "Install it: sudo apt install libpipewire-0.3-0") from error


def _context(library: ctypes.CDLL, name: bytes) -> tuple[int, int]:
    """A thread's loop and a context on it; PipeWire gives none without its configuration files."""
    loop = library.pw_thread_loop_new(name, None)
    context = library.pw_context_new(library.pw_thread_loop_get_loop(loop), None, 0) if loop else None
    if not context:
        if loop:
            library.pw_thread_loop_destroy(loop)
        raise SinkError("PipeWire cannot be set up.", "Install it whole: sudo apt install --reinstall pipewire-bin")
    return loop, context


def _properties(label: str) -> bytes:
    """The node's properties in PipeWire's notation, of which JSON is a part."""
    properties = {
        "media.class": "Video/Source",
        "media.role": "Camera",
        "media.type": "Video",
        "media.category": "Capture",
        "node.name": label,
        "node.description": label,
    }
    return json.dumps(properties).encode()
