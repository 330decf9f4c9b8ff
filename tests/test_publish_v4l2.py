"""The loopback sink against a kernel that is a function: what is asked in which order, and every refusal's cure."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.compose.planes import new_i420, planes
from app.frame import Picture
from app.problems import Problem, SinkError
from app.publish import v4l2, v4l2_ioctl
from app.publish.v4l2 import V4l2Sink, find_loopback, how_to_load, states

CAPTURE, OUTPUT, DEVICE_CAPS = 0x1, 0x2, 0x80000000


class Kernel:
    """The four calls as v4l2loopback answers them; device files are plain files that collect what is written."""

    def __init__(self) -> None:
        self.driver, self.card, self.caps = b"v4l2 loopback", b"Greenroom", OUTPUT
        self.kept: tuple[int, int] | None = None
        self.fourcc = 0
        self.errors: dict[int, int] = {}
        self.calls: list[int] = []

    def __call__(self, handle: int, request: int, data: Any) -> int:
        assert request >> 16 & 0x3FFF == ctypes.sizeof(data), "the size in the request is the structure's"
        self.calls.append(request)
        if request in self.errors:
            raise OSError(self.errors[request], os.strerror(self.errors[request]))
        if request == v4l2_ioctl.QUERYCAP:
            data.driver, data.card = self.driver, self.card
            data.capabilities, data.device_caps = DEVICE_CAPS | CAPTURE | OUTPUT, self.caps
        elif request == v4l2_ioctl.S_FMT:
            pix = data.fmt.pix
            assert (data.type, pix.pixelformat) == (2, v4l2_ioctl.YU12)
            if self.kept:
                pix.width, pix.height = self.kept
            pix.pixelformat = self.fourcc or pix.pixelformat
            pix.sizeimage = 1 << 20  # rounded up, as it does: not what is to be written
        elif request == v4l2_ioctl.S_PARM:
            time = data.parm.output.timeperframe
            assert time.denominator / time.numerator == 29.97
        else:
            assert (request, data.value) == (v4l2_ioctl.STREAMON, 2)
        return 0


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    fake = Kernel()
    monkeypatch.setattr(v4l2_ioctl.fcntl, "ioctl", fake)
    return fake


@pytest.fixture
def device(tmp_path: Path) -> Path:
    path = tmp_path / "video10"
    path.touch()
    return path


def opened(device: Path, width: int = 64, height: int = 48) -> V4l2Sink:
    return V4l2Sink(width, height, 29.97, str(device))


def refused(device: Path) -> Problem:
    with pytest.raises(SinkError) as caught:
        opened(device)
    assert caught.value.problem.cure
    return caught.value.problem


def picture(width: int = 64, height: int = 48, luma: int = 99) -> Picture:
    return Picture(0, 0.0, new_i420(width, height, (luma, 100, 200)))


def handles(path: Path) -> int:
    return sum(handle.resolve() == path for handle in Path("/proc/self/fd").iterdir())


def test_the_numbers_are_the_kernels() -> None:
    # From linux/videodev2.h on 64-bit machines.
    assert (v4l2_ioctl.QUERYCAP, v4l2_ioctl.S_FMT) == (0x80685600, 0xC0D05605)
    assert (v4l2_ioctl.STREAMON, v4l2_ioctl.S_PARM) == (0x40045612, 0xC0CC5616)
    assert v4l2_ioctl.v4l2_format.fmt.offset == 8


def test_it_becomes_the_writer_and_writes_whole_pictures(kernel: Kernel, device: Path) -> None:
    sink = opened(device)
    # Without STREAMON the device of v4l2loopback 0.12 cannot be used a second time.
    assert kernel.calls == [v4l2_ioctl.QUERYCAP, v4l2_ioctl.S_FMT, v4l2_ioctl.STREAMON, v4l2_ioctl.S_PARM]
    assert sink.name == f"v4l2:{device}"
    sink.write(picture())
    sink.write(picture())
    sink.close()
    assert device.read_bytes() == picture().i420.tobytes() * 2
    assert handles(device) == 0


def test_pictures_are_fitted_where_a_reader_keeps_another_size(kernel: Kernel, device: Path) -> None:
    kernel.kept = (64, 36)
    sink = opened(device, 64, 48)
    sink.write(picture(64, 48))
    sink.close()
    written = np.frombuffer(device.read_bytes(), np.uint8).reshape(54, 64)
    y, u, v = planes(written)
    assert y[18, 32] == 99 and (u[9, 16], v[9, 16]) == (100, 200)
    assert y[18, 1] == 16 and u[9, 1] == 128, "black bars beside"


def test_it_tells_who_keeps_it_in_a_size_and_takes_pictures_of_another(
    kernel: Kernel, device: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = opened(device, 64, 48)
    held = [(os.getpid(), "me")]
    monkeypatch.setattr(v4l2, "holders", lambda _: held)
    assert (sink.fitted, sink.watched) == (False, False)
    held.append((7, "firefox"))
    assert sink.watched
    sink.write(picture(128, 96))  # the size was changed while it is watched
    sink.write(picture(64, 48))
    sink.close()
    assert device.read_bytes() == picture(64, 48).i420.tobytes() * 2
    kernel.kept = (64, 36)
    sink = opened(device, 64, 48)
    assert sink.fitted
    sink.close()


def test_another_format_that_is_kept_is_refused(kernel: Kernel, device: Path) -> None:
    kernel.kept, kernel.fourcc = (64, 48), int.from_bytes(b"YUYV", "little")
    assert "64x48 YUYV" in refused(device).message
    assert handles(device) == 0


def test_versions_that_start_by_themselves_are_fine(kernel: Kernel, device: Path) -> None:
    kernel.errors[v4l2_ioctl.STREAMON] = errno.EINVAL
    kernel.errors[v4l2_ioctl.S_PARM] = errno.ENOTTY
    opened(device).close()


@pytest.mark.parametrize("request_", [v4l2_ioctl.S_FMT, v4l2_ioctl.STREAMON, v4l2_ioctl.S_PARM])
def test_a_busy_device_names_who_holds_it(
    kernel: Kernel, device: Path, request_: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel.errors[request_] = errno.EBUSY
    monkeypatch.setattr(v4l2, "holders", lambda _: [(os.getpid(), "me"), (7, "obs"), (8, "zoom")])
    assert "obs (7) and zoom (8)" in refused(device).cure
    assert handles(device) == 0


def test_a_device_that_another_program_writes_to_is_refused(kernel: Kernel, device: Path) -> None:
    kernel.caps = CAPTURE
    assert refused(device).message == f"Another program writes to {device}."


def test_a_real_camera_is_refused(kernel: Kernel, device: Path) -> None:
    kernel.driver, kernel.card = b"uvcvideo", b"HD Webcam"
    assert "uvcvideo device (HD Webcam)" in refused(device).message


def test_what_is_no_video_device_is_refused(device: Path) -> None:
    assert "is no video device" in refused(device).message  # the real ioctl on a plain file


def test_a_missing_device_and_a_forbidden_one(kernel: Kernel, device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "modprobe" in refused(device.with_name("video99")).cure
    monkeypatch.setattr(v4l2.os, "open", _raising(errno.EACCES))
    assert "usermod -aG video" in refused(device).cure


@pytest.mark.parametrize(
    ("number", "cure"), [(errno.ENODEV, "modprobe"), (errno.EBUSY, "Another program"), (errno.EIO, "modprobe")]
)
def test_a_device_that_vanishes(
    kernel: Kernel, device: Path, number: int, cure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = opened(device)
    with monkeypatch.context() as patched:
        patched.setattr(v4l2.os, "write", _raising(number))
        with pytest.raises(SinkError, match=cure):
            sink.write(picture())
    sink.close()
    assert handles(device) == 0


def test_half_a_picture_is_an_error(kernel: Kernel, device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = opened(device)
    monkeypatch.setattr(v4l2.os, "write", lambda _, data: len(data) // 2)
    with pytest.raises(SinkError, match="of 4608 bytes"):
        sink.write(picture())
    sink.close()


def test_the_device_labelled_greenroom_is_taken_first(kernel: Kernel, tmp_path: Path) -> None:
    cards = {"video2": b"Other", "video10": b"Greenroom", "video11": b"Greenroom"}
    for name in cards:
        (tmp_path / name).touch()

    taken: set[str] = set()

    def ioctl(handle: int, request: int, data: Any) -> int:
        name = Path(f"/proc/self/fd/{handle}").resolve().name
        kernel.card, kernel.caps = cards[name], CAPTURE if name in taken else OUTPUT
        return kernel(handle, request, data)

    v4l2_ioctl.fcntl.ioctl = ioctl  # the fixture's patch is undone by itself
    assert find_loopback(dev=tmp_path) == str(tmp_path / "video10")
    taken.add("video10")
    assert find_loopback(dev=tmp_path) == str(tmp_path / "video11"), "one that another program writes to comes last"
    taken.clear()
    cards["video10"] = cards["video11"] = b"Third"
    assert find_loopback(dev=tmp_path) == str(tmp_path / "video2")
    assert list(states(dev=tmp_path)) == [str(tmp_path / name) for name in ("video2", "video10", "video11")]


def test_without_a_device_the_cure_fits_what_is_installed(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="There is no v4l2loopback device"):
        find_loopback(dev=tmp_path)
    assert "apt install v4l2loopback-dkms" in how_to_load(tmp_path)
    (tmp_path / "modules.dep").write_text("updates/dkms/v4l2loopback.ko: kernel/videodev.ko\n")
    assert how_to_load(tmp_path).startswith("Load the module: sudo modprobe v4l2loopback exclusive_caps=1")


def test_devices_one_may_not_open_are_named(device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(v4l2.os, "open", _raising(errno.EACCES))
    with pytest.raises(SinkError, match=rf"{device}.*usermod -aG video"):
        find_loopback(dev=device.parent)
    assert "usermod" in states(dev=device.parent)[str(device)]


def test_states_tell_free_devices_from_taken_ones(kernel: Kernel, device: Path) -> None:
    assert states(dev=device.parent) == {str(device): "ready, seen as Greenroom"}
    kernel.caps = CAPTURE
    assert states(dev=device.parent)[str(device)].startswith("is written to.")
    kernel.driver = b"vivid"
    assert states(dev=device.parent) == {}


def _raising(number: int) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail
