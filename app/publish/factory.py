"""From what the user wrote to a sink."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from app import own_camera
from app.files import named
from app.problems import SinkError
from app.publish import Sink
from app.publish.null import NullSink

# The sinks of one system import what other systems lack, so each is imported where it is opened.


@dataclass(frozen=True, slots=True)
class Wish:
    """What a sink is opened for: pixels, pictures a second, and whether pictures come in real time."""

    width: int
    height: int
    fps: float
    realtime: bool


def _auto(_: str, wish: Wish) -> Sink:
    if not _on_linux():
        return _virtualcam("", wish)
    failures = []
    for opener in (_v4l2, _pipewire):
        try:
            return opener("", wish)
        except SinkError as error:
            failures.append(error.problem)
    loopback, pipewire = failures
    raise SinkError(
        f"No virtual camera can be made. {loopback.message} {pipewire.message}",
        f"{loopback.cure} Or without a kernel module: {pipewire.cure}",
    )


def _v4l2(device: str, wish: Wish) -> Sink:
    _only_on_linux("v4l2")
    from app.publish.v4l2 import V4l2Sink

    return V4l2Sink(wish.width, wish.height, wish.fps, device or "auto")


def _pipewire(label: str, wish: Wish) -> Sink:
    _only_on_linux("pipewire")
    from app.publish.pipewire import PipeWireSink

    return PipeWireSink(wish.width, wish.height, wish.fps, label or own_camera.NAME)


def _virtualcam(device: str, wish: Wish) -> Sink:
    # pyvirtualcam can use a v4l2loopback device only once (see V4l2Sink), so on Linux ours stands in for it.
    if _on_linux():
        return _v4l2(device, wish)
    from app.publish.virtualcam import VirtualCamSink

    return VirtualCamSink(wish.width, wish.height, wish.fps, device or "auto")


def _file(path: str, wish: Wish) -> Sink:
    from app.publish.file import FileSink

    return FileSink(named(path), wish.width, wish.height, wish.fps, realtime=wish.realtime)


KINDS: dict[str, tuple[Callable[[str, Wish], Sink], str]] = {
    "auto": (_auto, "the virtual camera this system has"),
    "v4l2": (_v4l2, "a v4l2loopback device (Linux), or v4l2:/dev/videoN"),
    "pipewire": (_pipewire, "a PipeWire camera (Linux, no root needed), or pipewire:NAME"),
    "virtualcam": (_virtualcam, "the camera of OBS or Unity Capture (Windows, macOS), or virtualcam:NAME"),
    "null": (lambda _, __: NullSink(), "nothing"),
    "file": (_file, "file:PATH, or just the path, of a .mp4, .mov, .mkv or .webm"),
}
"""Every kind of sink: how it is opened and what it is."""


def open_sink(spec: str, width: int, height: int, fps: float, *, realtime: bool) -> Sink:
    """Open the sink that a specification names; see `KINDS`.

    Args:
        spec: the kind, with `:` and what it needs; or a path.
        width, height: of the pictures to come, even.
        fps: their rate.
        realtime: False when pictures come as fast as they can be made, all of which must be kept.

    Raises:
        SinkError: there is no such kind, or it cannot be opened; with the cure.
    """
    kind, rest = _parse(spec)
    return KINDS[kind][0](rest, Wish(width, height, fps, realtime))


def is_file(spec: str) -> bool:
    """Whether a specification names a file."""
    return _parse(spec)[0] == "file"


def check_file(spec: str) -> None:
    """Refuse a file that no later try could write.

    Raises:
        SinkError: it is a folder, lies where nothing can be, or is no kind of video that can be written.
    """
    from app.publish.file import format_of

    path = named(_parse(spec)[1])
    try:
        folder = path.is_dir()
    except OSError as error:
        raise SinkError(f"{path} cannot be written ({error.strerror}).", "Choose another file.") from error
    if folder:
        raise SinkError(f"{spec!r} is a folder.", f"Name a file in it, such as {path / 'out.mp4'}.")
    format_of(path)


def list_outputs() -> dict[str, str]:
    """Every virtual camera of this machine → "ready…" when it can be used now, else what is missing."""
    return dict(_linux_outputs() if _on_linux() else _other_outputs())


def _linux_outputs() -> Iterator[tuple[str, str]]:
    from app.publish import pipewire, v4l2

    states = v4l2.states()
    yield from ((f"v4l2:{path}", state) for path, state in states.items())
    if not states:
        yield "v4l2", f"there is no device. {v4l2.how_to_load()}"
    yield "pipewire", pipewire.state()


def _other_outputs() -> Iterator[tuple[str, str]]:
    try:
        # Started and stopped at once: nothing else tells whether it works.
        sink = _virtualcam("", Wish(1280, 720, 30, realtime=True))
    except SinkError as error:
        yield "virtualcam", str(error)
        return
    yield sink.name, "ready"
    sink.close()


def _parse(spec: str) -> tuple[str, str]:
    """The kind of a specification and the rest; whatever is no kind is a path."""
    kind, _, rest = spec.partition(":")
    if kind in KINDS:
        return kind, rest
    if spec.startswith("/dev/video"):
        return "v4l2", spec
    if not spec:
        raise SinkError("A sink has no name.", f"Name a file, or choose one of: {', '.join(KINDS)}.")
    return "file", spec


def _on_linux() -> bool:
    return platform.system() == "Linux"


def _only_on_linux(kind: str) -> None:
    if not _on_linux():
        raise SinkError(f"The sink {kind} is Linux's.", "Use virtualcam here.")
