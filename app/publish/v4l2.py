"""The sink that writes to a v4l2loopback device: a kernel camera that every Linux program can select."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable
from pathlib import Path

from app import own_camera
from app.capture.v4l2 import holders
from app.frame import Picture
from app.problems import SinkError
from app.publish import v4l2_ioctl
from app.publish.fit import Fitter

LOAD = f"sudo modprobe v4l2loopback exclusive_caps=1 card_label={own_camera.NAME} video_nr=10"
INSTALL = "sudo apt install v4l2loopback-dkms linux-headers-$(uname -r)"
_GROUP = "Join the group: sudo usermod -aG video $USER, then log in again."
_RELOAD = f"load the module anew: sudo modprobe -r v4l2loopback && {LOAD}"


def find_loopback(device: str = "auto", *, dev: Path = Path("/dev")) -> str:
    """The path of the loopback device to write to.

    Args:
        device: a path, or "auto": one that nobody writes to if there is one, of those one that is labelled "Greenroom",
            of those the first.
        dev: the folder of the device files.

    Raises:
        SinkError: there is none, or it is no loopback device; with the cure.
    """
    if device != "auto":
        return device
    found, forbidden = [], []
    for node in sorted(dev.glob("video[0-9]*"), key=_number):
        try:
            capability = _query(node)
        except PermissionError:
            forbidden.append(node)
        except OSError:  # unplugged just now, or no video node: not a candidate
            continue
        else:
            if capability.driver.decode() == own_camera.LOOPBACK_DRIVER:
                free = capability.in_force & v4l2_ioctl.CAP_VIDEO_OUTPUT
                found.append((not free, capability.label != own_camera.NAME, _number(node), str(node)))
    if found:
        return min(found)[-1]
    if forbidden:
        raise SinkError(f"You may not open {', '.join(map(str, forbidden))}.", _GROUP)
    raise SinkError("There is no v4l2loopback device.", how_to_load())


def states(*, dev: Path = Path("/dev")) -> dict[str, str]:
    """Every loopback device's path → "ready…", or what keeps it from being written to."""
    found = {}
    for node in sorted(dev.glob("video[0-9]*"), key=_number):
        try:
            capability = _query(node)
        except PermissionError:
            found[str(node)] = f"you may not open it. {_GROUP}"
            continue
        except OSError:  # unplugged just now, or no video node: not a candidate
            continue
        if capability.driver.decode() != own_camera.LOOPBACK_DRIVER:
            continue
        free = capability.in_force & v4l2_ioctl.CAP_VIDEO_OUTPUT
        found[str(node)] = f"ready, seen as {capability.label}" if free else f"is written to. {_held(str(node))}"
    return found


def how_to_load(modules: Path | None = None) -> str:
    """What to type to get a loopback device, from what is installed for this kernel."""
    modules = modules or Path("/lib/modules") / os.uname().release
    try:
        installed = "/v4l2loopback.ko" in (modules / "modules.dep").read_text()
    except OSError:  # a container's kernel has no modules here: then it is not installed either
        installed = False
    return f"Load the module: {LOAD}" if installed else f"Install and load the module: {INSTALL} && {LOAD}"


class V4l2Sink:
    """Publishes on a v4l2loopback device; see `app.publish` for the contract.

    If a reader keeps the device in another size, which cannot change before it and this sink let go, pictures are
    fitted into that size.

    Args:
        device: see `find_loopback`.

    Raises:
        SinkError: no such device, no permission, not a loopback, held by another writer or in another format.
    """

    def __init__(self, width: int, height: int, fps: float, device: str = "auto") -> None:
        self.path = find_loopback(device)
        self.name = f"v4l2:{self.path}"
        self._handle = _open(self.path)
        try:
            _check(self._handle, self.path)
            self._fit = Fitter(self._start(width, height, fps))
        except BaseException:
            os.close(self._handle)
            raise
        self.fitted = self._fit.target != (width, height)

    @property
    def watched(self) -> bool:
        """Whether another program holds the device, as far as this user may see."""
        return any(process != os.getpid() for process, _ in holders(Path(self.path)))

    def write(self, picture: Picture) -> None:
        """Publish a picture; the kernel copies it.

        Raises:
            SinkError: the device went away.
        """
        i420 = self._fit(picture)
        try:
            written = os.write(self._handle, i420.data)
        except OSError as error:
            cure = "Another program writes to it; close that." if error.errno == errno.EBUSY else how_to_load()
            raise SinkError(f"{self.path} takes no pictures any more ({error.strerror}).", cure) from error
        if written != i420.nbytes:
            raise SinkError(f"{self.path} took {written} of {i420.nbytes} bytes.", "Another program changed its size.")

    def close(self) -> None:
        """Let go of the device; readers see that it ended."""
        os.close(self._handle)

    def _start(self, width: int, height: int, fps: float) -> tuple[int, int]:
        """Set format and rate and become the device's writer; the size it takes, which may be another."""
        try:
            pix = v4l2_ioctl.set_output_format(self._handle, width, height)
        except OSError as error:
            raise SinkError(f"{self.path} takes no {width}x{height} ({error.strerror}).", _held(self.path)) from error
        if pix.pixelformat != v4l2_ioctl.YU12 or pix.width % 2 or pix.height % 2:
            fourcc = pix.pixelformat.to_bytes(4, "little").decode("ascii", "replace")
            raise SinkError(f"{self.path} is kept at {pix.width}x{pix.height} {fourcc}.", _held(self.path))
        # Only STREAMON marks this opener as the writer in v4l2loopback up to 0.12 (Debian 12, Ubuntu 22.04). Without
        # it, and with exclusive_caps=1, the device offers neither output nor capture once we close it, until the
        # module is loaded anew. Versions from 0.14 on refuse it without buffers of ours (EINVAL): their write() does
        # all of it by itself.
        try:
            v4l2_ioctl.start_output(self._handle)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise SinkError(f"{self.path} does not start ({error.strerror}).", _held(self.path)) from error
        try:
            v4l2_ioctl.set_output_rate(self._handle, fps)
        except OSError as error:
            # Readers take the rate for advice; a device that has none still shows every picture.
            if error.errno not in (errno.EINVAL, errno.ENOTTY):
                raise SinkError(f"{self.path} takes no rate ({error.strerror}).", _held(self.path)) from error
        return pix.width, pix.height


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDWR)
    except FileNotFoundError as error:
        raise SinkError(f"There is no {path}.", f"{how_to_load()}, or choose another device.") from error
    except PermissionError as error:
        raise SinkError(f"You may not open {path}.", _GROUP) from error
    except OSError as error:
        raise SinkError(f"{path} does not open ({error.strerror}).", _held(path)) from error


def _check(handle: int, path: str) -> None:
    """Raise `SinkError` unless an open node is a loopback device that nobody writes to."""
    try:
        capability = v4l2_ioctl.query(handle)
    except OSError as error:
        raise SinkError(f"{path} is no video device.", "Choose a v4l2loopback device, or v4l2 alone.") from error
    driver = capability.driver.decode()
    if driver != own_camera.LOOPBACK_DRIVER:
        raise SinkError(
            f"{path} is a {driver} device ({capability.label}), not a v4l2loopback one.",
            f"Choose one that is, or v4l2 alone. {how_to_load()}",
        )
    if not capability.in_force & v4l2_ioctl.CAP_VIDEO_OUTPUT:
        raise SinkError(f"Another program writes to {path}.", _held(path))


def _held(path: str) -> str:
    """The cure for a device that somebody else holds, with their names as far as they can be known."""
    others = [(process, name) for process, name in holders(Path(path)) if process != os.getpid()]
    if not others:
        return f"None of your programs holds it: {_RELOAD}"
    return f"It is held by {_listed(f'{name} ({process})' for process, name in others)}: close that, or {_RELOAD}"


def _listed(items: Iterable[str]) -> str:
    *first, last = items
    return f"{', '.join(first)} and {last}" if first else last


def _query(node: Path) -> v4l2_ioctl.v4l2_capability:
    handle = os.open(node, os.O_RDWR | os.O_NONBLOCK)
    try:
        return v4l2_ioctl.query(handle)
    finally:
        os.close(handle)


def _number(node: Path) -> int:
    return int(re.sub(r"\D", "", node.name))
