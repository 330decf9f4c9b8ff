"""Cameras: what Linux says of them, which is chosen, and every way they fail, without one being there."""

from __future__ import annotations

import errno
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pytest

from app import own_camera
from app.capture import camera as camera_module
from app.capture import devices, v4l2
from app.capture.camera import CameraSource, wishes
from app.capture.devices import CameraInfo
from app.capture.naming import find_camera, spec_of
from app.capture.v4l2 import Mode, Node
from app.problems import SourceError

MJPG, YUYV = 0x47504A4D, 0x56595559
WEBCAM = CameraInfo(
    "/dev/video0",
    "HD Webcam",
    (
        Mode("YUYV", 640, 480, (30.0, 15.0)),
        Mode("YUYV", 1280, 720, (10.0,)),
        Mode("MJPG", 1280, 720, (30.0,)),
        Mode("MJPG", 640, 480, (30.0,)),
    ),
)


class Driver:
    """A V4L2 driver as a function: a webcam with MJPG at two sizes and YUYV at any size up to 1280 × 960."""

    def __init__(self, caps: int = 0x85200001, device_caps: int = 0x04200001, driver: bytes = b"uvcvideo") -> None:
        self.caps, self.device_caps, self.driver = caps, device_caps, driver
        self.busy = False

    def __call__(self, handle: int, request: int, data: bytearray) -> None:
        number = request & 0xFF
        assert request >> 16 & 0x3FFF == len(data), "the size in the request is the structure's"
        answer = {0: self._capability, 2: self._format, 8: self._buffers, 74: self._size, 75: self._rate}[number]
        answer(data)

    def _capability(self, data: bytearray) -> None:
        fields = (self.driver, b"HD Webcam: HD", b"usb-1", 0x60100, self.caps, self.device_caps)
        struct.pack_into("16s32s32s3I", data, 0, *fields)

    def _format(self, data: bytearray) -> None:
        index, kind = struct.unpack_from("2I", data)
        if index > 1 or kind != 1:
            raise OSError(errno.EINVAL, "no more")
        struct.pack_into("I32sI", data, 8, 0, b"name", (MJPG, YUYV)[index])

    def _size(self, data: bytearray) -> None:
        index, pixel_format = struct.unpack_from("2I", data)
        if pixel_format == MJPG and index < 2:
            struct.pack_into("3I", data, 8, 1, *((1280, 720), (640, 480))[index])
        elif pixel_format == YUYV and index == 0:
            struct.pack_into("7I", data, 8, 3, 2, 1280, 2, 2, 960, 2)
        else:
            raise OSError(errno.EINVAL, "no more")

    def _rate(self, data: bytearray) -> None:
        index, pixel_format = struct.unpack_from("2I", data)
        if pixel_format == MJPG and index < 2:
            struct.pack_into("3I", data, 16, 1, 1, (15, 30)[index])
        elif pixel_format == YUYV and index == 0:
            struct.pack_into("7I", data, 16, 3, 1, 60, 1, 1, 0, 0)
        else:
            raise OSError(errno.EINVAL, "no more")

    def _buffers(self, data: bytearray) -> None:
        assert struct.unpack_from("3I", data) == (0, 1, 1)
        if self.busy:
            raise OSError(errno.EBUSY, "busy")


def test_modes_of_a_driver_are_read() -> None:
    assert v4l2.modes(0, Driver()) == (
        Mode("MJPG", 1280, 720, (30.0, 15.0)),
        Mode("MJPG", 640, 480, (30.0, 15.0)),
        Mode("YUYV", 640, 480, (60.0, 1.0)),
        Mode("YUYV", 1280, 720, (60.0, 1.0)),
    )


def test_nodes_are_told_apart() -> None:
    assert v4l2.query(0, Driver()) == Node("uvcvideo", "HD Webcam: HD", captures=True)
    assert not v4l2.query(0, Driver(device_caps=0x04A00000)).captures  # the metadata node of the same camera
    assert not v4l2.query(0, Driver(caps=0x2, device_caps=0)).captures  # an output of an old driver


def test_busy_is_told_without_streaming() -> None:
    driver = Driver()
    assert not v4l2.is_busy(0, driver)
    driver.busy = True
    assert v4l2.is_busy(0, driver)


def test_structures_have_the_kernels_sizes() -> None:
    sizes = [layout.size for layout in (v4l2._CAPABILITY, v4l2._FMTDESC, v4l2._FRMSIZE, v4l2._FRMIVAL)]
    assert sizes == [104, 64, 44, 52]


def test_a_handle_that_is_closed_meanwhile_hides_no_other(tmp_path: Path) -> None:
    process = tmp_path / "proc" / "7"
    (process / "fd").mkdir(parents=True)
    (process / "comm").write_text("zoom\n")
    (process / "fd" / "3").write_text("")  # no link: as one that has just been closed, it cannot be read as one
    (device := tmp_path / "video0").touch()
    (process / "fd" / "4").symlink_to(device)
    assert v4l2.holders(device, tmp_path / "proc") == [(7, "zoom")]


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_holders_names_the_program(tmp_path: Path) -> None:
    path = tmp_path / "device"
    path.touch()
    assert v4l2.holders(path) == []
    with path.open():
        assert os.getpid() in [pid for pid, _ in v4l2.holders(path)]


def test_cameras_are_found_by_number_path_and_name() -> None:
    ir = CameraInfo("/dev/video2", "IR Camera", (Mode("GREY", 640, 360),))
    fed = CameraInfo("/dev/video9", "OBS", virtual=True)
    cameras = sorted([fed, ir, WEBCAM], key=lambda camera: camera.order)
    assert cameras == [WEBCAM, ir, fed]
    assert find_camera("", cameras) is WEBCAM
    assert find_camera("2", cameras) is ir
    assert find_camera("/dev/video9", cameras) is fed
    assert find_camera("webcam", cameras) is WEBCAM
    with pytest.raises(SourceError, match=r"IR Camera \(/dev/video2\)"):
        find_camera("7", cameras)
    with pytest.raises(SourceError, match="No camera was found"):
        find_camera("", [])


def test_the_whole_name_comes_before_a_part_of_one() -> None:
    cameras = [CameraInfo("/dev/video0", "Other Webcam 4K"), CameraInfo("/dev/video2", "Webcam")]
    assert find_camera("webcam", cameras) is cameras[1]
    assert find_camera("webcam", cameras[:1]) is cameras[0]
    with pytest.raises(SourceError, match="There is no camera 'Webcam'"):
        find_camera("Webcam", cameras[:1], exact=True)


def test_cameras_of_one_name_are_told_apart() -> None:
    cameras = [CameraInfo(f"/dev/video{n}", name) for n, name in enumerate(("HD", "HD Pro", "Eye", "Eye"))]
    for wanted in cameras:
        which = spec_of(wanted, cameras).removeprefix("camera:")
        assert find_camera(which, cameras) is wanted
        for rest in ([c for c in cameras if c is not wanted], [c for c in cameras if c.name != wanted.name]):
            with pytest.raises(SourceError, match="There is no camera"):
                find_camera(which, rest)


def test_own_output_metadata_and_vanished_nodes_are_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in (0, 1, 2, 3, 10):
        (tmp_path / f"video{n}").write_text(str(n))
    answers = {
        "0": Node("uvcvideo", "HD Webcam", captures=True),
        "1": Node("uvcvideo", "HD Webcam", captures=False),
        "2": Node(own_camera.LOOPBACK_DRIVER, own_camera.NAME, captures=True),
        "10": Node(own_camera.LOOPBACK_DRIVER, "OBS", captures=True),
    }

    def query(handle: int) -> Node:
        try:
            return answers[os.read(handle, 9).decode()]
        except KeyError:
            raise OSError(errno.ENODEV, "gone") from None

    monkeypatch.setattr(v4l2, "query", query)
    monkeypatch.setattr(v4l2, "modes", lambda handle: ())
    found = devices._linux_cameras(tmp_path)
    assert [(Path(camera.id).name, camera.virtual) for camera in found] == [("video0", False), ("video10", True)]


def test_forbidden_cameras_are_listed_by_name(tmp_path: Path) -> None:
    (tmp_path / "index").write_text("0\n")
    (tmp_path / "name").write_text("HD Webcam\n")
    assert devices._unreadable_camera(Path("/dev/video0"), tmp_path) == CameraInfo("/dev/video0", "HD Webcam")
    (tmp_path / "index").write_text("1\n")
    assert devices._unreadable_camera(Path("/dev/video1"), tmp_path) is None


def test_elsewhere_cameras_are_probed_by_number() -> None:
    found = devices._probed_cameras(lambda index: index in (0, 2))
    assert [(camera.id, camera.name) for camera in found] == [("0", "Camera 1"), ("2", "Camera 3")]


def wish_of(modes: tuple[Mode, ...], width: int, height: int) -> tuple[str, dict[int, int]]:
    flat = wishes(modes, width, height, 30)
    values = dict(zip(flat[::2], flat[1::2], strict=True))
    return struct.pack("<I", values.pop(cv2.CAP_PROP_FOURCC, 0)).decode().strip("\0"), values


def test_format_follows_what_is_fast_enough() -> None:
    assert wish_of(WEBCAM.modes, 640, 480)[0] == "YUYV"  # 30 a second uncompressed
    assert wish_of(WEBCAM.modes, 1280, 720)[0] == "MJPG"  # uncompressed gives 10
    assert wish_of((Mode("YUYV", 640, 480, (30.0,)),), 1280, 720)[0] == ""  # its own choice
    assert wish_of((Mode("NV12", 1280, 720, (29.97,)), Mode("MJPG", 1280, 720)), 1280, 720)[0] == "NV12"
    _, values = wish_of(WEBCAM.modes, 1280, 720)
    assert values[cv2.CAP_PROP_FRAME_WIDTH] == 1280 and values[cv2.CAP_PROP_FPS] == 30


class FakeCapture:
    """Delivers the given images; None and exceptions are failures; then fails for ever.

    While one is `taken` and not released the camera is busy for every other handle, as a driver has it.
    """

    taken: ClassVar[list[FakeCapture]] = []

    def __init__(self, *images: np.ndarray | Exception | None, opened: bool = True) -> None:
        self.images, self.opened, self.released = list(images), opened, False

    def isOpened(self) -> bool:  # noqa: N802
        return self.opened

    def read(self, image: np.ndarray | None = None) -> tuple[bool, np.ndarray | None]:
        item = self.images.pop(0) if self.images else None
        if isinstance(item, Exception):
            raise item
        if item is not None and image is not None and image.shape == item.shape:  # as OpenCV does
            image[...] = item
            item = image
        return item is not None, item

    def get(self, prop: int, /) -> float:
        return 30.0

    def release(self) -> None:
        self.released = True


def frame(level: int) -> np.ndarray:
    return np.full((4, 6, 3), level, np.uint8)


Make = Callable[[FakeCapture], CameraSource]


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A camera's path that exists and answers as a webcam."""
    path = tmp_path / "video0"
    path.touch()
    monkeypatch.setattr(v4l2, "query", lambda handle: Node("uvcvideo", "HD Webcam", captures=True))
    monkeypatch.setattr(FakeCapture, "taken", [])
    monkeypatch.setattr(v4l2, "is_busy", lambda handle: not all(capture.released for capture in FakeCapture.taken))
    return path


def source(node: Path, capture: FakeCapture) -> CameraSource:
    def opener(camera_id: str, parameters: list[int]) -> FakeCapture:
        FakeCapture.taken.append(capture)
        return capture

    return CameraSource(CameraInfo(str(node), "HD Webcam"), width=6, height=4, fps=30, opener=opener)


def test_frames_of_a_camera(node: Path) -> None:
    capture = FakeCapture(frame(1), frame(2), np.full((4, 6), 3, np.uint8))
    camera = source(node, capture)
    assert (camera.live, camera.fps, camera.name) == (True, 30.0, "HD Webcam")
    frames = [camera.read() for _ in range(3)]
    assert [int(image[0, 0, 0]) for image in frames] == [1, 2, 3]
    assert frames[2].shape == (4, 6, 3)  # an infrared camera's gray
    camera.close()
    assert capture.released


def test_a_frame_is_decoded_into_the_array_that_was_lent_if_it_fits(node: Path) -> None:
    camera = source(node, FakeCapture(frame(1), frame(2), np.full((2, 2, 3), 3, np.uint8)))
    lent = np.empty((4, 6, 3), np.uint8)
    assert camera.read_into(lent) is not lent, "the first has been read before"
    assert camera.read_into(lent) is lent and lent[0, 0, 0] == 2
    assert camera.read_into(lent).shape == (2, 2, 3)


def test_a_slow_first_frame_is_waited_for(node: Path) -> None:
    assert source(node, FakeCapture(None, cv2.error("torn JPEG"), frame(5))).read()[0, 0, 0] == 5


def test_stalled_camera(node: Path) -> None:
    camera = source(node, FakeCapture(frame(1)))
    camera.read()
    with pytest.raises(SourceError, match="stopped delivering"):
        camera.read()


def test_torn_frames_are_passed_over_but_a_time_out_is_believed(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torn = [None, cv2.error("torn JPEG"), None]
    camera = source(node, FakeCapture(frame(1), *torn, frame(2), *torn, frame(3)))
    assert [camera.read()[0, 0, 0] for _ in range(3)] == [1, 2, 3]
    camera.close()
    camera = source(node, slow := FakeCapture(frame(1), None, frame(2)))
    camera.read()
    clock = iter((0.0, 2.0))
    monkeypatch.setattr("app.capture.camera.time.monotonic", lambda: next(clock))
    with pytest.raises(SourceError, match="stopped delivering"):
        camera.read()
    assert len(slow.images) == 1, "asked only once"


def test_unplugged_camera(node: Path) -> None:
    camera = source(node, FakeCapture(frame(1)))
    camera.read()
    node.unlink()
    with pytest.raises(SourceError, match=r"is not there\. Plug it in"):
        camera.read()


def test_missing_camera(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is not there"):
        source(tmp_path / "video7", FakeCapture())


def test_busy_camera_names_the_program(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FakeCapture.taken.append(FakeCapture())
    monkeypatch.setattr(v4l2, "holders", lambda path: [(os.getpid(), "greenroom"), (4711, "zoom")])
    with pytest.raises(SourceError, match=r"in use by zoom \(process 4711\)\. Close the camera there"):
        source(node, FakeCapture(frame(1)))


def test_a_camera_that_does_not_open_is_given_back(node: Path) -> None:
    with pytest.raises(SourceError, match="stopped delivering"):
        source(node, capture := FakeCapture(opened=False))
    assert capture.released


def test_forbidden_camera(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(camera_module.os, "open", refuse)
    with pytest.raises(SourceError, match="group `video`"):
        source(node, FakeCapture())


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (Node(own_camera.LOOPBACK_DRIVER, own_camera.NAME, captures=True), "own virtual camera"),
        (Node("uvcvideo", "HD Webcam", captures=False), "delivers no video"),
    ],
)
def test_own_output_and_metadata_are_refused(
    node: Path, monkeypatch: pytest.MonkeyPatch, answer: Node, text: str
) -> None:
    monkeypatch.setattr(v4l2, "query", lambda handle: answer)
    with pytest.raises(SourceError, match=text):
        source(node, FakeCapture(frame(1)))


def test_loopback_that_this_process_writes_is_refused(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(v4l2, "query", lambda handle: Node(own_camera.LOOPBACK_DRIVER, "OBS", captures=True))
    camera = source(node, FakeCapture(frame(1)))
    assert camera.read().any()
    camera.close()
    with node.open(), pytest.raises(SourceError, match="own virtual camera"):
        source(node, FakeCapture(frame(1)))


def test_what_is_no_camera_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("no device")
    with pytest.raises(SourceError, match="is no camera"):
        source(path, FakeCapture(frame(1)))
