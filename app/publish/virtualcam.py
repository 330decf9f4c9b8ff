"""The sink for Windows and macOS: the virtual camera of OBS Studio or Unity Capture, through pyvirtualcam."""

from __future__ import annotations

import platform
from types import ModuleType
from typing import Any

from app.frame import Picture
from app.problems import SinkError

_CURES = {
    "Windows": (
        "Install OBS Studio (obsproject.com); it need not run. If OBS shows its own virtual camera, stop that one."
    ),
    "Darwin": (
        "Install OBS Studio 30 or newer, press Start Virtual Camera in it once, allow it in System Settings, stop it "
        "and quit OBS."
    ),
}
_ELSEWHERE = "On this system use the sinks v4l2 or pipewire."


class VirtualCamSink:
    """Publishes through pyvirtualcam; see `app.publish` for the contract.

    Args:
        device: the virtual camera's name, e.g. "OBS Virtual Camera" or "Unity Video Capture"; "auto" takes the first.

    Raises:
        SinkError: pyvirtualcam is missing, or no virtual camera could be started.
    """

    def __init__(self, width: int, height: int, fps: float, device: str = "auto") -> None:
        library = _library()
        named = None if device == "auto" else device
        try:
            self._camera: Any = library.Camera(width, height, fps, fmt=library.PixelFormat.I420, device=named)
        except (RuntimeError, ValueError) as error:
            # One line for each way that was tried.
            tried = "; ".join(str(error).splitlines()) or repr(error)
            raise SinkError(f"No virtual camera could be started: {tried}.", cure()) from error
        self._name: str = self._camera.device
        self.name = f"virtualcam:{self._name}"

    def write(self, picture: Picture) -> None:
        """Publish a picture.

        Raises:
            SinkError: the virtual camera went away.
        """
        try:
            self._camera.send(picture.i420)
        except (RuntimeError, ValueError, OSError) as error:
            raise SinkError(f"{self._name} takes no pictures any more ({error}).", cure()) from error

    def close(self) -> None:
        """Stop the virtual camera; programs that use it see its standby picture."""
        self._camera.close()


def cure() -> str:
    """What makes a virtual camera available on this system."""
    return _CURES.get(platform.system(), _ELSEWHERE)


def _library() -> ModuleType:
    try:
        import pyvirtualcam
    except (ImportError, OSError) as error:  # a wheel for another system fails with OSError
        raise SinkError(f"pyvirtualcam cannot be loaded ({error}).", "Run `make setup` again.") from error
    module: ModuleType = pyvirtualcam
    return module
