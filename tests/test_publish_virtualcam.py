"""The virtual camera of OBS: pyvirtualcam itself, with a backend that is a fake."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pytest
import pyvirtualcam
import pyvirtualcam.camera
from numpy.typing import NDArray

from app.compose.planes import new_i420
from app.frame import Picture
from app.problems import SinkError
from app.publish import factory, virtualcam
from app.publish.factory import list_outputs, open_sink
from app.publish.virtualcam import VirtualCamSink


class Obs:
    """A backend as pyvirtualcam's contract wants it."""

    opened: list[Obs]
    refusal: Exception | None = None

    def __init__(self, *, width: int, height: int, fps: float, fourcc: int, device: str | None) -> None:
        if self.refusal:
            raise self.refusal
        self.format = (width, height, fps, fourcc.to_bytes(4, "little"))
        self.named = device or "OBS Virtual Camera"
        self.frames: list[NDArray[np.uint8]] = []
        self.closed = 0
        self.gone = False
        self.opened.append(self)

    def send(self, frame: NDArray[np.uint8]) -> None:
        if self.gone:
            raise RuntimeError("queue is gone")
        self.frames.append(frame.copy())

    def close(self) -> None:
        self.closed += 1

    def device(self) -> str:
        return self.named

    def native_fourcc(self) -> int | None:
        return None


@pytest.fixture(autouse=True)
def obs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Obs]]:
    monkeypatch.setattr(virtualcam.platform, "system", lambda: "Windows")
    monkeypatch.setattr(pyvirtualcam.camera, "BACKENDS", {})
    pyvirtualcam.register_backend("obs", Obs)
    Obs.opened, Obs.refusal = [], None
    yield Obs.opened


def test_pictures_reach_the_camera_as_i420(obs: list[Obs]) -> None:
    sink = VirtualCamSink(64, 48, 30)
    picture = new_i420(64, 48, (50, 100, 200))
    sink.write(Picture(0, 0.0, picture))
    sink.close()
    assert obs[0].format == (64, 48, 30, b"I420")
    assert (obs[0].frames[0] == picture.reshape(-1)).all()
    assert obs[0].closed == 1
    assert sink.name == "virtualcam:OBS Virtual Camera"


def test_a_camera_can_be_named(obs: list[Obs]) -> None:
    open_sink("virtualcam:Unity Video Capture", 64, 48, 30, realtime=True).close()
    assert obs[0].named == "Unity Video Capture"


def test_auto_is_this_camera_outside_linux(obs: list[Obs]) -> None:
    open_sink("auto", 64, 48, 30, realtime=True).close()
    assert len(obs) == 1


def test_every_backends_reason_is_told_with_the_cure() -> None:
    pyvirtualcam.register_backend("unitycapture", _Refusing)
    Obs.refusal = RuntimeError("OBS Virtual Camera device not found!")
    with pytest.raises(SinkError) as caught:
        VirtualCamSink(64, 48, 30)
    message = caught.value.problem.message
    assert "device not found" in message and "'unitycapture' backend: no filter" in message
    assert "Install OBS Studio" in caught.value.problem.cure


def test_the_cure_is_the_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtualcam.platform, "system", lambda: "Darwin")
    Obs.refusal = RuntimeError("activate the extension")
    with pytest.raises(SinkError, match="System Settings"):
        VirtualCamSink(64, 48, 30)
    monkeypatch.setattr(virtualcam.platform, "system", lambda: "FreeBSD")
    with pytest.raises(SinkError, match="v4l2 or pipewire"):
        VirtualCamSink(64, 48, 30)


def test_a_camera_that_vanishes(obs: list[Obs]) -> None:
    sink = VirtualCamSink(64, 48, 30)
    obs[0].gone = True
    with pytest.raises(SinkError, match="queue is gone"):
        sink.write(Picture(0, 0.0, new_i420(64, 48)))
    sink.close()
    assert obs[0].closed == 1


def test_a_picture_of_another_size_is_refused(obs: list[Obs]) -> None:
    sink = VirtualCamSink(64, 48, 30)
    with pytest.raises(SinkError, match="unexpected frame size"):
        sink.write(Picture(0, 0.0, new_i420(32, 24)))
    sink.close()
    assert obs[0].frames == []


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    with pytest.raises(SinkError, match="pyvirtualcam cannot be loaded"):
        VirtualCamSink(64, 48, 30)


def test_it_is_listed_and_let_go(obs: list[Obs]) -> None:
    assert list_outputs() == {"virtualcam:OBS Virtual Camera": "ready"}
    assert obs[0].closed == 1
    Obs.refusal = RuntimeError("not installed")
    assert "Install OBS" in list_outputs()["virtualcam"]
    assert factory.is_file("virtualcam") is False


class _Refusing:
    def __init__(self, **_: object) -> None:
        raise RuntimeError("no filter")
