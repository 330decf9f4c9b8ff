"""From what the user wrote to a source."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.capture import Source
from app.capture.camera import CameraSource
from app.capture.devices import CameraInfo, find_camera, list_cameras
from app.capture.file import FolderSource, ImageSource, VideoFileSource
from app.capture.image import MAX_SIDE, SUFFIXES
from app.capture.supervisor import SupervisedSource
from app.capture.testpattern import TestPattern
from app.problems import SourceError
from assets import asset

CLIP = "clips/sample.mp4"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of a source besides where it comes from: pixels, frames a second, begin again at the end.

    `max_side` bounds the pictures of files: they are shrunk to it as they are read.
    """

    width: int
    height: int
    fps: float
    loop: bool
    max_side: int = MAX_SIDE


def _camera(which: str, wish: Wish) -> Source:
    cameras = list_cameras()
    if which.startswith("/dev/") and all(camera.id != which for camera in cameras):
        cameras = [CameraInfo(which, which)]  # opened all the same: the trouble with it then has its own cure
    camera = find_camera(which, cameras)
    return CameraSource(camera, width=wish.width, height=wish.height, fps=wish.fps)


def _clip(_: str, wish: Wish) -> Source:
    try:
        return VideoFileSource(asset(CLIP), loop=wish.loop)
    except FileNotFoundError as error:
        raise SourceError("The bundled clip is missing.", str(error)) from error


def _pattern(_: str, wish: Wish) -> Source:
    return TestPattern(wish.width, wish.height, wish.fps)


def _file(path: str, wish: Wish) -> Source:
    file = Path(path).expanduser()
    if file.is_dir():
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
    """Make a specification definite: `auto` and `camera` become the one camera they mean now, by its name.

    So a source that is opened again later is the same: a camera that was unplugged is waited for, rather than
    replaced by the clip or by another camera. Where no camera is there, `auto` becomes `clip`.
    """
    if spec not in ("auto", "camera"):
        return spec
    cameras = [camera for camera in list_cameras() if spec == "camera" or not camera.virtual]
    if not cameras:
        return "clip" if spec == "auto" else spec
    # By name on Linux, where a camera may get another number when it is plugged in again.
    return f"camera:{cameras[0].name if sys.platform == 'linux' else cameras[0].id}"


def supervise(spec: str, *, width: int, height: int, fps: float, loop: bool, realtime: bool = True) -> SupervisedSource:
    """A source that is kept alive. It is opened where its frames are asked for, not here, so this never fails.

    Large pictures are shrunk to twice what is wanted, or scaling them would take longer than a frame has time.
    """
    definite: list[str] = []
    wish = Wish(width, height, fps, loop, max_side=2 * max(width, height))

    def reopen() -> Source:
        if not definite or definite[0] == "camera":
            definite[:] = [settle(spec)]
        return _open(definite[0], wish)

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
    if spec and Path(spec).expanduser().exists():
        return "file", spec
    if Path(spec).suffix or "/" in spec or "\\" in spec:
        raise SourceError(f"There is no file or folder {spec}.", "Check the path.")
    choices = "; ".join(f"{name}: {text}" for name, (_, text) in KINDS.items())
    raise SourceError(f"There is no source {spec!r}.", f"Choose one of these, or the path of a file. {choices}.")


def _open(spec: str, wish: Wish) -> Source:
    kind, rest = parse(spec)
    return KINDS[kind][0](rest, wish)
