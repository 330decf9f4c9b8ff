"""Which cameras this machine has."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2

from app import own_camera
from app.capture import v4l2
from app.capture.v4l2 import Mode

_PROBED = 4
"""OpenCV lists no cameras on Windows and macOS, so this many numbers are tried; each costs up to a second."""

_GRAY = frozenset({"GREY", "Y8", "Y8I", "Y10", "Y12", "Y12I", "Y16", "Z16"})
"""Formats of infrared and depth cameras, which laptops show beside the real one."""

_BACKENDS = {"linux": cv2.CAP_V4L2, "win32": cv2.CAP_MSMF, "darwin": cv2.CAP_AVFOUNDATION}


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """One camera.

    Attributes:
        id: what opens it: a path such as "/dev/video0" on Linux, a number such as "0" elsewhere.
        name: for people; OpenCV cannot tell it on Windows and macOS, where it is "Camera 1", "Camera 2", …
        modes: what it can deliver; empty where the system does not say.
        virtual: another program feeds it (a loopback device).
    """

    id: str
    name: str
    modes: tuple[Mode, ...] = ()
    virtual: bool = False

    @property
    def colour(self) -> bool:
        """False for infrared and depth cameras; True where the system does not say."""
        return not self.modes or any(mode.fourcc not in _GRAY for mode in self.modes)

    @property
    def order(self) -> tuple[bool, bool]:
        """Sorts cameras that a person would show themselves with first."""
        return self.virtual, not self.colour


def api() -> int:
    """OpenCV's backend for cameras on this system."""
    return _BACKENDS.get(sys.platform, cv2.CAP_ANY)


def list_cameras() -> list[CameraInfo]:
    """The cameras of this machine, the likeliest first: colour before infrared, real before virtual.

    Without outputs, metadata nodes and Greenroom's own virtual camera. Linux answers in milliseconds and while a
    camera is in use; elsewhere every camera is opened for a moment, so those in use are left out.
    """
    found = _linux_cameras() if sys.platform == "linux" else _probed_cameras()
    return sorted(found, key=lambda camera: camera.order)


def _linux_cameras(dev: Path = Path("/dev")) -> list[CameraInfo]:
    nodes = sorted(dev.glob("video[0-9]*"), key=lambda path: int(re.sub(r"\D", "", path.name)))
    return [camera for node in nodes if (camera := _linux_camera(node)) is not None]


def _linux_camera(path: Path, sysfs: Path = Path("/sys/class/video4linux")) -> CameraInfo | None:
    try:
        handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except PermissionError:
        return _unreadable_camera(path, sysfs / path.name)
    except OSError:
        return None  # gone since it was listed
    try:
        node = v4l2.query(handle)
        if not node.captures or (node.driver == own_camera.LOOPBACK_DRIVER and node.card == own_camera.NAME):
            return None
        return CameraInfo(str(path), node.card, v4l2.modes(handle), node.driver == own_camera.LOOPBACK_DRIVER)
    except OSError:
        return None  # no V4L2 device, or unplugged while it was asked
    finally:
        os.close(handle)


def _unreadable_camera(path: Path, sysfs: Path) -> CameraInfo | None:
    """A camera this user may not open is still listed, so that choosing it tells the cure; metadata nodes are not."""
    try:
        if int((sysfs / "index").read_text()) != 0:
            return None
        name = (sysfs / "name").read_text().strip()
    except (OSError, ValueError):
        return None
    return None if name == own_camera.NAME else CameraInfo(str(path), name)


def _probed_cameras(opens: Callable[[int], bool] | None = None) -> list[CameraInfo]:
    opens = opens or _opens
    return [CameraInfo(str(index), f"Camera {index + 1}") for index in range(_PROBED) if opens(index)]


def _opens(index: int) -> bool:
    capture = cv2.VideoCapture(index, api())
    try:
        return capture.isOpened()
    finally:
        capture.release()
