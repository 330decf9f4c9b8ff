"""The way from a specification to a source, and which camera it stays with."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from threading import Event

import cv2
import numpy as np
import pytest
from test_capture_supervisor import SIZE, Clock, FakeSource

from app.capture import EndOfSource, factory
from app.capture.devices import CameraInfo
from app.capture.factory import KINDS, open_source, settle, supervise
from app.capture.standin import StandIn
from app.capture.supervisor import CHANGE_OVER, SupervisedSource
from app.problems import SourceError


def no_cameras() -> list[CameraInfo]:
    return []


@pytest.mark.parametrize("spec", ["/closed/x.mp4", "file:/closed/x.mp4", f"file:{'x' * 300}"])
def test_a_path_that_may_not_be_looked_at_is_refused_with_a_cure(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.stat", refuse)
    with pytest.raises(SourceError, match="that you may read it"):
        open_source(spec, **SIZE)


def test_unknown_source_lists_the_choices() -> None:
    with pytest.raises(SourceError) as error:
        open_source("webcamm", **SIZE)
    assert all(kind in error.value.problem.cure for kind in KINDS)


@pytest.mark.parametrize("spec", ["holiday.mp4", "./pictures", "~/none.png", "~nosuchuser/x.mp4", "C:\\\\clips\\\\a"])
def test_a_path_that_leads_nowhere_is_taken_for_a_path(spec: str) -> None:
    with pytest.raises(SourceError, match="There is no file or folder") as error:
        open_source(spec, **SIZE)
    assert error.value.problem.cure == "Check the path, and that you may read it."


def test_a_broken_picture_of_a_folder_is_left_out_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for n in (1, 3):
        assert cv2.imwrite(str(tmp_path / f"{n}.png"), np.full((4, 6, 3), n, np.uint8))
    (tmp_path / "2.png").write_bytes(b"broken")
    source = supervise(str(tmp_path), **SIZE, realtime=False)
    images = [int(captured.image[0, 0, 0]) for captured in islice(source.frames(Event()), 5)]
    assert images == [1, 3, 1, 3, 1]
    assert "2.png" in caplog.text


def test_large_pictures_are_shrunk_where_they_must_come_in_time_only(tmp_path: Path) -> None:
    assert cv2.imwrite(str(tmp_path / "a.png"), np.zeros((300, 640, 3), np.uint8))
    for spec in (str(tmp_path / "a.png"), str(tmp_path)):
        shrunk = next(supervise(spec, **SIZE).frames(Event())).image
        assert shrunk.shape == (60, 128, 3)
        assert open_source(spec, **SIZE).read().shape == (300, 640, 3)


def test_pattern_has_the_wanted_size() -> None:
    assert open_source("pattern", **SIZE).read().shape == (48, 64, 3)


def test_paths_become_video_picture_or_folder(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.zeros((3, 5, 3), np.uint8))
    for spec in (str(path), f"file:{path}", str(tmp_path), f"file:{tmp_path}"):
        assert open_source(spec, **SIZE).read().shape == (3, 5, 3)
    with pytest.raises(SourceError, match="There is no video"):
        open_source(f"file:{tmp_path}/none.mp4", **SIZE)


def test_camera_by_path_tells_what_is_wrong_with_it() -> None:
    for spec in ("/dev/video77", "camera:/dev/video77"):
        with pytest.raises(SourceError, match=r"^/dev/video77 is not there"):
            open_source(spec, **SIZE)


def test_auto_takes_a_real_camera_and_the_clip_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    real, fed = CameraInfo("/dev/video2", "HD Webcam"), CameraInfo("/dev/video9", "OBS", virtual=True)
    monkeypatch.setattr(factory, "list_cameras", lambda: [real, fed])
    monkeypatch.setattr(factory.sys, "platform", "linux")
    assert settle("auto") == settle("camera") == "camera:HD Webcam"
    monkeypatch.setattr(factory, "list_cameras", lambda: [fed])
    assert (settle("auto"), settle("camera")) == ("clip", "camera:OBS")
    monkeypatch.setattr(factory, "list_cameras", no_cameras)
    assert (settle("auto"), settle("camera"), settle("pattern")) == ("clip", "camera", "pattern")


def test_unplugged_camera_is_not_replaced_by_the_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    cameras = [CameraInfo("/dev/video2", "HD Webcam")]
    opened = []

    def fake_camera(which: str, wish: factory.Wish) -> FakeSource:
        if not cameras:
            raise SourceError("No camera was found.", "")
        opened.append(which)
        cameras.clear()  # unplugged after its first frame
        return FakeSource(Clock(), {1: SourceError("Unplugged.", "")})

    monkeypatch.setattr(factory, "list_cameras", lambda: list(cameras))
    monkeypatch.setattr(factory.sys, "platform", "linux")
    monkeypatch.setitem(KINDS, "camera", (fake_camera, ""))
    source, waits = supervise("auto", **SIZE), []

    def wait(stop: Event, seconds: float) -> bool:
        waits.append(seconds)
        if len(waits) == 2:
            cameras.append(CameraInfo("/dev/video4", "HD Webcam"))  # plugged in again, under another number
        return False

    monkeypatch.setattr(source, "_wait", wait)
    assert len(list(islice(source.frames(Event()), 2))) == 2
    assert opened == ["HD Webcam", "HD Webcam"]


def clip_then_camera(monkeypatch: pytest.MonkeyPatch, *, realtime: bool) -> tuple[list[str], SupervisedSource]:
    """What is opened, and a source that began without a camera; one is plugged in after the clip's first second."""
    clock, opened = Clock(), []
    cameras: list[CameraInfo] = []

    def fake(kind: str) -> Callable[[str, factory.Wish], FakeSource]:
        def open_it(which: str, wish: factory.Wish) -> FakeSource:
            opened.append(f"{kind}:{which}")
            end = {300: EndOfSource()} if kind == "clip" else {}
            return FakeSource(clock, end, live=kind == "camera")

        return open_it

    def plugged() -> list[CameraInfo]:
        return cameras if clock.time < 101 else [CameraInfo("/dev/video0", "HD Webcam")]

    for kind in ("camera", "clip"):
        monkeypatch.setitem(KINDS, kind, (fake(kind), ""))
    monkeypatch.setattr(factory, "list_cameras", plugged)
    monkeypatch.setattr(factory, "LOOK_SECONDS", 3.0)
    monkeypatch.setattr(factory.sys, "platform", "linux")
    monkeypatch.setattr(factory, "StandIn", partial(StandIn, now=clock.now))
    source = supervise("auto", **SIZE, realtime=realtime)
    monkeypatch.setattr(source, "_now", clock.now)
    monkeypatch.setattr(source, "_wait", clock.wait)
    return opened, source


def test_auto_leaves_the_clip_for_a_camera_that_is_plugged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    opened, source = clip_then_camera(monkeypatch, realtime=True)
    at = [frame.captured_at for frame in islice(source.frames(Event()), 200)]
    assert opened == ["clip:", "camera:HD Webcam"]
    assert max(np.diff(at)) == pytest.approx(CHANGE_OVER, abs=0.1)
    assert at[int(np.argmax(np.diff(at)))] == pytest.approx(103, abs=0.1)


def test_a_conversion_of_the_clip_never_changes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    opened, source = clip_then_camera(monkeypatch, realtime=False)
    assert len(list(source.frames(Event()))) == 300
    assert (opened, source.state) == (["clip:"], "ended")


WEBCAM, TWIN = CameraInfo("/dev/video0", "Webcam"), CameraInfo("/dev/video4", "Webcam")
OTHER = CameraInfo("/dev/video2", "Other Webcam 4K")


@pytest.mark.parametrize(("first", "later"), [((WEBCAM, OTHER), OTHER), ((WEBCAM, TWIN), TWIN), ((WEBCAM,), OTHER)])
@pytest.mark.parametrize("spec", ["auto", "camera", "camera:Webcam", "camera:0"])
def test_an_unplugged_camera_is_not_replaced_by_one_of_a_like_name(
    spec: str, first: tuple[CameraInfo, ...], later: CameraInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[CameraInfo] = []

    def fake_camera(camera: CameraInfo, **_: object) -> FakeSource:
        if camera.name == camera.id:  # not among those there are
            raise SourceError("It is not there.", "")
        opened.append(camera)
        return FakeSource(Clock(), {1: SourceError("Unplugged.", "")})

    waits: list[float] = []

    def wait(stop: Event, seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) == 4

    monkeypatch.setattr(factory.sys, "platform", "linux")
    monkeypatch.setattr(factory, "CameraSource", fake_camera)
    monkeypatch.setattr(factory, "list_cameras", lambda: [later] if opened else list(first))
    source = supervise(spec, **SIZE)
    monkeypatch.setattr(source, "_wait", wait)
    assert len(list(source.frames(Event()))) == 1
    assert (opened, source.state) == ([WEBCAM], "lost")


def test_a_camera_by_a_part_of_its_name_is_waited_for_and_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    lists = iter([[], [TWIN], [OTHER], [OTHER, WEBCAM]])
    there: list[CameraInfo] = []

    def fake_camera(camera: CameraInfo, **_: object) -> FakeSource:
        opened.append(camera)
        return FakeSource(Clock(), {1: SourceError("Unplugged.", "")})

    def wait(stop: Event, seconds: float) -> bool:
        there[:] = next(lists, [])
        return not there

    opened: list[CameraInfo] = []
    monkeypatch.setattr(factory.sys, "platform", "linux")
    monkeypatch.setattr(factory, "CameraSource", fake_camera)
    monkeypatch.setattr(factory, "list_cameras", lambda: list(there))
    source = supervise("camera:webc", **SIZE)
    monkeypatch.setattr(source, "_wait", wait)
    next(lists)
    assert len(list(source.frames(Event()))) == 2
    assert opened == [TWIN, WEBCAM], "the same, plugged in again elsewhere; never the one whose name it is a part of"
