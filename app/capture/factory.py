"""From what the user wrote to a source."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from app.capture import Source
from app.capture.camera import CameraSource
from app.capture.devices import CameraInfo, list_cameras
from app.capture.file import FolderSource, ImageSource, VideoFileSource
from app.capture.image import MAX_SIDE, SUFFIXES
from app.capture.naming import find_camera, is_id, spec_of
from app.capture.standin import StandIn
from app.capture.supervisor import SupervisedSource
from app.capture.testpattern import TestPattern
from app.files import exists, named
from app.problems import SourceError
from assets import asset

CLIP = "clips/sample.mp4"

_INDEFINITE = ("auto", "camera")
"""Kinds of sources that mean another one when other cameras are there."""

LOOK_SECONDS = 3.0 if sys.platform == "linux" else 30.0
"""Pause between two looks for a camera while the clip stands in for it. On Linux a look takes a few milliseconds, less
than the clip waits for its next frame; elsewhere cameras are found by opening them, which may hold the clip up for
seconds."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of a source besides where it comes from: pixels, frames a second, begin again at the end.

    `max_side` bounds the pictures of files: they are shrunk to it as they are read. `exact` takes no camera for a part
    of its name.
    """

    width: int
    height: int
    fps: float
    loop: bool
    max_side: int = MAX_SIDE
    exact: bool = False


def _camera(which: str, wish: Wish) -> Source:
    cameras = list_cameras()
    if which.startswith("/dev/") and all(camera.id != which for camera in cameras):
        cameras = [CameraInfo(which, which)]  # opened all the same: the trouble with it then has its own cure
    camera = find_camera(which, cameras, exact=wish.exact)
    return CameraSource(camera, width=wish.width, height=wish.height, fps=wish.fps)


def _clip(_: str, wish: Wish) -> Source:
    try:
        return VideoFileSource(asset(CLIP), loop=wish.loop)
    except FileNotFoundError as error:
        raise SourceError("The bundled clip is missing.", str(error)) from error


def _pattern(_: str, wish: Wish) -> Source:
    return TestPattern(wish.width, wish.height, wish.fps)


def _file(path: str, wish: Wish) -> Source:
    file = named(path)
    if exists(file) and file.is_dir():
        return FolderSource(file, fps=wish.fps, loop=wish.loop, max_side=wish.max_side)
    if file.suffix.lower() in SUFFIXES:
        return ImageSource(file, fps=wish.fps, loop=wish.loop, max_side=wish.max_side)
    return VideoFileSource(file, loop=wish.loop)


KINDS: dict[str, tuple[Callable[[str, Wish], Source], str]] = {
    "auto": (lambda _, wish: _open(settle("auto"), wish), "the first camera, or the bundled clip where there is none"),
    "camera": (_camera, "the first camera, or camera:N, camera:/dev/videoN, camera:PART-OF-NAME"),
    "clip": (_clip, "the bundled clip"),
    "pattern": (_pattern, "the moving test pattern"),
    "file": (_file, "file:PATH, or just the path, of a video, a picture or a folder of pictures"),
}
"""Every kind of source: how it is opened and what it is."""


def open_source(spec: str, *, width: int, height: int, fps: float, loop: bool) -> Source:
    """Open the source that a specification names; see `KINDS`.

    Raises:
        SourceError: there is no such kind or file, or it cannot be opened.
    """
    return _open(spec, Wish(width, height, fps, loop))


def settle(spec: str) -> str:
    """Make a specification definite: `auto` and `camera` become the one camera they mean now; see `spec_of`.

    So a source that is opened again later is the same: a camera that was unplugged is waited for, rather than
    replaced by the clip or by another camera. Where no camera is there, `auto` becomes `clip`.
    """
    if spec not in _INDEFINITE:
        return spec
    return _definite(spec) or ("clip" if spec == "auto" else spec)


def _definite(spec: str) -> str | None:
    """The one source that a specification means with the cameras of now, None while there is none such."""
    kind, _, which = spec.partition(":")
    if kind not in _INDEFINITE or (which.isdigit() and sys.platform != "linux"):  # where to list them takes seconds
        return spec
    cameras = list_cameras()
    try:
        camera = find_camera(which, [camera for camera in cameras if kind == "camera" or not camera.virtual])
    except SourceError:
        return None
    return spec if is_id(which, camera) else spec_of(camera, cameras)


def supervise(spec: str, *, width: int, height: int, fps: float, loop: bool, realtime: bool = True) -> SupervisedSource:
    """A source that is kept alive. It is opened where its frames are asked for, not here, so this never fails.

    Large pictures are shrunk to twice what is wanted, or scaling them would take longer than a frame has time. A camera
    that was found once is the only one from then on. In real time, the clip that `auto` takes gives way to the first
    camera that is plugged in.
    """
    definite: str | None = None
    wish = Wish(width, height, fps, loop, max_side=2 * max(width, height))

    def reopen() -> Source:
        nonlocal definite
        definite = definite or _definite(spec)
        if definite is not None:
            return _open(definite, replace(wish, exact=True))
        if spec != "auto":
            return _open(spec, wish)
        clip = _open("clip", wish)
        return StandIn(clip, lambda: _definite(spec) is not None, LOOK_SECONDS) if realtime else clip

    return SupervisedSource(reopen, name=spec, fps=fps, realtime=realtime)


def parse(spec: str) -> tuple[str, str]:
    """The kind of a specification, one of `KINDS`, and the rest, e.g. the path of a "file".

    Raises:
        SourceError: there is no such kind or file.
    """
    kind, _, rest = spec.partition(":")
    if kind in KINDS and (rest or kind != "file"):
        return kind, rest
    if spec.startswith("/dev/video"):
        return "camera", spec
    if spec and exists(named(spec)):
        return "file", spec
    if Path(spec).suffix or "/" in spec or "\\" in spec:
        raise SourceError(f"There is no file or folder {spec}.", "Check the path, and that you may read it.")
    choices = "; ".join(f"{name}: {text}" for name, (_, text) in KINDS.items())
    raise SourceError(f"There is no source {spec!r}.", f"Choose one of these, or the path of a file. {choices}.")


def _open(spec: str, wish: Wish) -> Source:
    kind, rest = parse(spec)
    return KINDS[kind][0](rest, wish)
