"""A camera, through OpenCV: V4L2 on Linux, Media Foundation on Windows, AVFoundation on macOS."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import cv2

from app import own_camera
from app.capture import v4l2
from app.capture.devices import CameraInfo, api
from app.capture.image import bgr
from app.capture.v4l2 import Mode
from app.frame import Image
from app.problems import SourceError

# OpenCV waits 10 s for a frame of a stalled V4L2 camera unless told otherwise, and it does not support
# CAP_PROP_READ_TIMEOUT_MSEC there. It reads this when it first waits, so setting it at import is early enough.
# Media Foundation and AVFoundation have no such setting: there a stall may take OpenCV's own time to show.
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "2")

_BUFFERS = 2
"""One the driver fills while the other is decoded, so a frame is never older than one interval. With a single buffer
the driver has none while OpenCV decodes, and cameras then drop to half their rate."""

_FIRST_FRAME_TRIES = 3
"""Some cameras take over two seconds (one time-out) from streaming on to the first frame, e.g. after suspend."""

_TORN = 5
"""Frames in a row that may fail at once before the camera is given up: cameras on a long cable or a full bus send torn
JPEGs now and then, and opening the camera anew takes about a second."""

_AT_ONCE = 1.0
"""Seconds: a failure that took longer is a time-out (two seconds), after which nothing is to be hoped for."""

_RAW = ("NV12", "YUYV", "UYVY", "YU12")
"""Uncompressed formats OpenCV converts, cheapest first; MJPG costs about 4 ms more a 720p frame."""


class Capture(Protocol):
    """The part of `cv2.VideoCapture` that is used, so that tests can stand in for it."""

    def isOpened(self) -> bool: ...  # noqa: N802
    def read(self, image: Image | None = None, /) -> tuple[bool, Image | None]: ...
    def get(self, prop: int, /) -> float: ...
    def release(self) -> None: ...


Opener = Callable[[str, list[int]], Capture]


class CameraSource:
    """Frames of one camera; see `app.capture` for the contract.

    Width, height and rate are wishes: the camera takes the nearest it has. The constructor waits for a first frame,
    since many cameras open well and then deliver nothing.

    Raises:
        SourceError: missing, forbidden, in use by another program, Greenroom's own output, or silent.
    """

    live = True

    def __init__(
        self, camera: CameraInfo, *, width: int, height: int, fps: float, opener: Opener | None = None
    ) -> None:
        self.name = camera.name
        self._id = camera.id
        _refuse_impossible(camera)
        if _busy(camera.id):  # asked first: while we hold the camera ourselves, it is always busy
            raise why_silent(camera.id, self.name)
        self._capture = (opener or _open)(camera.id, wishes(camera.modes, width, height, fps))
        self._first = self._first_frame()
        if self._first is None:
            self._capture.release()
            raise why_silent(camera.id, self.name)
        self.fps = max(self._capture.get(cv2.CAP_PROP_FPS), 0.0)

    def read(self) -> Image:
        """The next frame; waits at most two seconds for it (Linux).

        Raises:
            SourceError: the camera stalled or was unplugged.
        """
        return self._read(None)

    def read_into(self, array: Image) -> Image:
        """The next frame, in this array if it has the frame's size, else in another."""
        return self._read(array)

    def _read(self, array: Image | None) -> Image:
        if self._first is not None:
            frame, self._first = self._first, None
            return frame
        for _ in range(_TORN):
            asked = time.monotonic()
            if (image := self._grab(array)) is not None:
                return image
            if time.monotonic() - asked > _AT_ONCE:
                break
        self._capture.release()  # else it is we who keep it busy
        raise why_silent(self._id, self.name)

    def close(self) -> None:
        """Give the camera back."""
        self._capture.release()

    def _first_frame(self) -> Image | None:
        if not self._capture.isOpened():
            return None
        for _ in range(_FIRST_FRAME_TRIES):
            if (image := self._grab()) is not None:
                return image
        return None

    def _grab(self, array: Image | None = None) -> Image | None:
        try:
            delivered, image = self._capture.read(array)
        except cv2.error:  # e.g. a torn JPEG: no frame
            return None
        if not delivered or image is None or image.size == 0:
            return None
        return bgr(image)


def wishes(modes: Sequence[Mode], width: int, height: int, fps: float) -> list[int]:
    """The parameters for `cv2.VideoCapture`: pairs of property and value, the format first as it limits the rest.

    MJPG where no uncompressed mode of this size is fast enough: over USB 2, raw 720p gives 10 frames a second. Where
    the modes are unknown, MJPG from 720p on.
    """
    parameters = []
    if fourcc := _choose_fourcc(modes, width, height, fps):
        code = cv2.VideoWriter.fourcc(*fourcc)
        parameters += [cv2.CAP_PROP_FOURCC, code]
    parameters += [cv2.CAP_PROP_FRAME_WIDTH, width, cv2.CAP_PROP_FRAME_HEIGHT, height]
    parameters += [cv2.CAP_PROP_FPS, round(fps)]
    if sys.platform == "linux":
        parameters += [cv2.CAP_PROP_BUFFERSIZE, _BUFFERS]
    return parameters


def _choose_fourcc(modes: Sequence[Mode], width: int, height: int, fps: float) -> str:
    if not modes:
        return "MJPG" if height >= 720 and sys.platform != "darwin" else ""
    enough = {
        mode.fourcc
        for mode in modes
        if (mode.width, mode.height) == (width, height) and (not mode.rates or mode.rates[0] >= fps - 1)
    }
    offered = {mode.fourcc for mode in modes}
    for fourcc in _RAW:
        if fourcc in enough:
            return fourcc
    return "MJPG" if "MJPG" in offered else ""


def _open(camera_id: str, parameters: list[int]) -> Capture:
    target: int | str = int(camera_id) if camera_id.isdigit() else camera_id
    capture = cv2.VideoCapture(target, api())
    # Set one by one: given at once, the first that a camera refuses would make opening fail.
    for prop, value in zip(parameters[::2], parameters[1::2], strict=True):
        capture.set(prop, value)
    return capture


def _refuse_impossible(camera: CameraInfo) -> None:
    """Raise for what can be told before opening; on Linux only, as elsewhere cameras are mere numbers."""
    path = Path(camera.id)
    if camera.id.isdigit():
        return
    if not path.exists():
        raise _missing(camera.id, camera.name)
    try:
        handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except PermissionError as error:
        raise SourceError(
            f"{_called(camera.id, camera.name)} may not be opened by this user.",
            "Join the group `video` (sudo usermod -aG video $USER), then log out and in again.",
        ) from error
    except OSError as error:
        raise _missing(camera.id, camera.name) from error
    try:
        node = v4l2.query(handle)
    except OSError as error:
        raise SourceError(f"{camera.id} is no camera ({error.strerror}).", "See `greenroom devices`.") from error
    finally:
        os.close(handle)
    if node.driver == own_camera.LOOPBACK_DRIVER and (node.card == own_camera.NAME or _held_by_us(path)):
        raise SourceError(
            f"{camera.id} is Greenroom's own virtual camera: it would show itself.",
            "Choose the real camera; see `greenroom devices`.",
        )
    if not node.captures:
        raise SourceError(f"{_called(camera.id, camera.name)} delivers no video.", "Choose one of `greenroom devices`.")


def why_silent(camera_id: str, name: str) -> SourceError:
    """Find out why a camera gives no frame: unplugged, in use elsewhere, or stalled."""
    if not camera_id.isdigit() and not Path(camera_id).exists():
        return _missing(camera_id, name)
    if _busy(camera_id):
        users = [f"{comm} (process {pid})" for pid, comm in v4l2.holders(Path(camera_id)) if pid != os.getpid()]
        who = " and ".join(users) or "another program"
        return SourceError(
            f"{_called(camera_id, name)} is in use by {who}.",
            "Close the camera there, and choose Greenroom as the camera there instead.",
        )
    if camera_id.isdigit():
        return SourceError(
            f"{name} delivers no picture.",
            "Close other programs that use it, allow cameras in the system's privacy settings, or plug it in again.",
        )
    return SourceError(
        f"{_called(camera_id, name)} stopped delivering frames.", "Wait, or unplug it and plug it in again."
    )


def _missing(camera_id: str, name: str) -> SourceError:
    return SourceError(f"{_called(camera_id, name)} is not there.", "Plug it in; it is used again by itself.")


def _called(camera_id: str, name: str) -> str:
    """A camera's name with its device; the name alone where a device is all that is known of it."""
    return name if camera_id == name else f"{name} ({camera_id})"


def _busy(camera_id: str) -> bool:
    if camera_id.isdigit():
        return False
    try:
        handle = os.open(camera_id, os.O_RDWR | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return v4l2.is_busy(handle)
    finally:
        os.close(handle)


def _held_by_us(path: Path) -> bool:
    return any(pid == os.getpid() for pid, _ in v4l2.holders(path))
