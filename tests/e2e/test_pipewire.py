"""`greenroom run` as a PipeWire camera on a real desktop: what GStreamer and a page in Chromium see of it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from conftest import SIZE
from consumers import GStreamer, Seen, chromium
from desktop import Desktop, wait_for
from scene import check_all

pytestmark = pytest.mark.e2e

THROUGH_THE_PORTAL = "--enable-features=WebRtcPipeWireCamera"


@pytest.fixture
def arguments(background: Path) -> list[str]:
    video = ["--effect", "video", "--video", str(background)]
    return ["--source", "pattern", "--size", f"{SIZE[0]}x{SIZE[1]}", *video]


@pytest.fixture
def greenroom(desktop: Desktop, arguments: list[str]) -> Iterator[str]:
    """The name of a running `greenroom run`, ended as a user ends it."""
    name = desktop.greenroom(*arguments)
    yield name
    assert desktop.stop(name, signal.SIGTERM) == 0, desktop.log(name)
    assert "Traceback" not in desktop.log(name)
    wait_for("the camera's end", lambda: desktop.camera() is None)


def gstreamer(desktop: Desktop) -> GStreamer:
    camera = desktop.camera()
    assert camera is not None
    return GStreamer(desktop.env, camera, SIZE)


def page(desktop: Desktop, frames: int = 8) -> Seen:
    return chromium(desktop.env, THROUGH_THE_PORTAL, frames=frames, size=SIZE)


def test_gstreamer_receives_the_composite(desktop: Desktop, greenroom: str) -> None:
    with gstreamer(desktop) as reader:
        frames = reader.frames(30)
    check_all(frames, *SIZE)


def test_a_page_shows_the_composite(desktop: Desktop, greenroom: str) -> None:
    seen = page(desktop, frames=10)
    assert seen.facts["label"] == "Greenroom"
    assert (seen.facts["settings"]["width"], seen.facts["settings"]["height"]) == SIZE
    check_all(seen.frames, *SIZE)


def test_consumers_come_and_go(desktop: Desktop, greenroom: str) -> None:
    with gstreamer(desktop) as first:
        check_all(first.frames(10), *SIZE)
        for _ in range(2):  # browsers that die, one after the other
            check_all(page(desktop, frames=4).frames, *SIZE)
            check_all(first.frames(10), *SIZE)
        with gstreamer(desktop) as second:
            check_all(second.frames(10), *SIZE)
    with gstreamer(desktop) as third:
        check_all(third.frames(10), *SIZE)


def test_a_killed_producer_comes_back_under_its_name(desktop: Desktop, arguments: list[str]) -> None:
    name = desktop.greenroom(*arguments)
    with gstreamer(desktop) as reader:
        check_all(reader.frames(10), *SIZE)
        desktop.stop(name, signal.SIGKILL)
        wait_for("the dead camera's end", lambda: desktop.camera() is None)
    name = desktop.greenroom(*arguments)
    with gstreamer(desktop) as reader:
        check_all(reader.frames(10), *SIZE)
    assert page(desktop, frames=3).facts["label"] == "Greenroom"
    assert desktop.stop(name) == 0, desktop.log(name)


def test_the_camera_survives_the_death_of_pipewire(arguments: list[str], tmp_path: Path) -> None:
    recording = tmp_path / "meanwhile.mkv"
    with Desktop() as own:
        name = own.greenroom(*arguments, "--sink", str(recording))
        own.stop_pipewire()
        wait_for("the problem with its cure", lambda: "systemctl --user restart pipewire" in own.log(name))
        own.start_pipewire()
        wait_for("the camera's return", own.camera)
        with gstreamer(own) as reader:
            check_all(reader.frames(10), *SIZE)
        assert own.stop(name) == 0, own.log(name)
    with av.open(str(recording)) as container:
        frames = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    # The other sink went on all the while.
    assert len(frames) > 30
    check_all(frames[:: len(frames) // 10], *SIZE)
