"""What a camera is called in a specification, and which camera one means.

OpenCV is not imported here: the window names cameras before it needs that.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.problems import SourceError

if TYPE_CHECKING:
    from app.capture.devices import CameraInfo


def spec_of(camera: CameraInfo, cameras: Sequence[CameraInfo]) -> str:
    """The source that means this camera: by its name, which stays when it is plugged in elsewhere, if no other's
    contains it, and where names are more than numbers."""
    others = [other.name.casefold() for other in cameras if other is not camera]
    named = sys.platform == "linux" and not any(camera.name.casefold() in name for name in others)
    return f"camera:{camera.name if named else camera.id}"


def is_id(which: str, camera: CameraInfo) -> bool:
    """Whether this is the camera's id or its number N (/dev/videoN on Linux)."""
    return which in (camera.id, camera.id.removeprefix("/dev/video"))


def find_camera(which: str, cameras: Sequence[CameraInfo], *, exact: bool = False) -> CameraInfo:
    """Pick a camera by its id or number, its name or a part of that; "" picks the first.

    Args:
        which: what the user wrote.
        cameras: those there are, the likeliest first.
        exact: a part of a name is not enough: another camera must not stand in for one that was unplugged.

    Raises:
        SourceError: there is none such; the cure lists those there are.
    """
    if not cameras:
        raise SourceError("No camera was found.", "Plug one in, or choose a video file, `clip` or `pattern`.")
    if not which:
        return cameras[0]
    by_id = [camera for camera in cameras if is_id(which, camera)]
    by_name = [camera for camera in cameras if which.casefold() == camera.name.casefold()]
    by_part = [camera for camera in cameras if not exact and which.casefold() in camera.name.casefold()]
    if found := by_id or by_name or by_part:
        return found[0]
    there = ", ".join(f"{camera.name} ({camera.id})" for camera in cameras)
    raise SourceError(f"There is no camera {which!r}.", f"Plug it in, or choose one of: {there}.")
