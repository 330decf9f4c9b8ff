"""`greenroom run` as a PipeWire camera on a real desktop: what GStreamer and a page in Chromium see of it."""

from __future__ import annotations

import contextlib
import signal
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from browser import chromium
from clip import Composite
from desktop import Desktop, wait_for, without_network
from gstreamer import GStreamer
from scene import Image, bgr_of, check_all, is_card, write_background

pytestmark = pytest.mark.e2e

THROUGH_THE_PORTAL = "--enable-features=WebRtcPipeWireCamera"


SIZE = (640, 480)
"""Small, so that a busy machine without a graphics card keeps up."""


@pytest.fixture(scope="module")
def desktop() -> Iterator[Desktop]:
    with Desktop() as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_left(desktop: Desktop) -> Iterator[None]:
    """What a test that failed has left running must not be the next one's camera."""
    yield
    desktop.stop_programs()


@pytest.fixture(scope="module")
def background(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video whose pictures tell their numbers."""
    path = tmp_path_factory.mktemp("background") / "numbers.mkv"
    write_background(path, *SIZE)
    return path


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return without_network(tmp_path_factory.mktemp("project"))


@pytest.fixture
def arguments(background: Path) -> list[str]:
    video = ["--effect", "video", "--video", str(background)]
    return ["--source", "pattern", "--size", f"{SIZE[0]}x{SIZE[1]}", *video]


@pytest.fixture
def greenroom(desktop: Desktop, project: Path, arguments: list[str]) -> Iterator[str]:
    """The name of a running `greenroom run`, ended as a user ends it."""
    name = desktop.greenroom(*arguments, project=project)
    yield name
    assert desktop.stop(name, signal.SIGTERM) == 0, desktop.log(name)
    assert "Traceback" not in desktop.log(name)
    wait_for("the camera's end", lambda: desktop.camera() is None)


def gstreamer(desktop: Desktop, size: tuple[int, int] = SIZE) -> GStreamer:
    camera = desktop.camera()
    assert camera is not None
    return GStreamer(desktop.env, camera, size)


def page(desktop: Desktop, frames: int, size: tuple[int, int] = SIZE) -> tuple[list[Image], dict[str, Any]]:
    """Frames that a page shows, BGR, and what the browser says of the camera."""
    seen = chromium(desktop.env, THROUGH_THE_PORTAL, frames=frames, size=size)
    return [bgr_of(frame) for frame in seen.frames], seen.facts


def test_gstreamer_receives_the_composite(desktop: Desktop, greenroom: str) -> None:
    with gstreamer(desktop) as reader:
        frames = reader.frames(30)
    check_all(frames, *SIZE)


def test_a_page_shows_the_composite(desktop: Desktop, greenroom: str) -> None:
    frames, facts = page(desktop, frames=10)
    assert facts["label"] == "Greenroom"
    assert (facts["settings"]["width"], facts["settings"]["height"]) == SIZE
    check_all(frames, *SIZE)


def test_the_person_of_the_clip_is_seen_before_the_effect(desktop: Desktop) -> None:
    size = (640, 360)
    composite = Composite(size, colour=(192, 96, 32))
    look = ["--source", "clip", "--size", f"{size[0]}x{size[1]}", "--effect", "colour", "--colour", "#2060c0"]
    name = desktop.greenroom(*look)
    with gstreamer(desktop, size) as reader:

        def person_is_there() -> bool:
            frame = reader.frames(1)[0]
            return not composite.is_covered(frame) and not is_card(frame)

        wait_for("the network", person_is_there)
        composite.check_all(reader.frames(20))
    composite.check_all(page(desktop, 8, size)[0])
    assert desktop.stop(name) == 0, desktop.log(name)


def test_consumers_come_and_go(desktop: Desktop, greenroom: str) -> None:
    with gstreamer(desktop) as first:
        check_all(first.frames(10), *SIZE)
        for _ in range(2):  # browsers that die, one after the other
            check_all(page(desktop, frames=4)[0], *SIZE)
            check_all(first.frames(10), *SIZE)
        with gstreamer(desktop) as second:
            check_all(second.frames(10), *SIZE)
    with gstreamer(desktop) as third:
        check_all(third.frames(10), *SIZE)


@pytest.mark.parametrize("stays", [False, True], ids=["alone", "beside one that stays"])
def test_the_dead_take_no_buffers_with_them(desktop: Desktop, greenroom: str, stays: bool) -> None:
    """PipeWire has 16 buffers for a camera, and each consumer that dies holds one."""
    with gstreamer(desktop) if stays else contextlib.nullcontext():
        for _ in range(20):
            with gstreamer(desktop) as mortal:
                mortal.frames(2)
        with gstreamer(desktop) as last:
            check_all(last.frames(10), *SIZE)


def started(desktop: Desktop, name: str, program: str) -> str:
    """Start a program that publishes a camera, and wait for that; returns its name."""
    path = ["", str(Path(__file__).parent)]
    desktop.start(name, sys.executable, "-c", f"import sys; sys.path[:0] = {path}\n{textwrap.dedent(program)}")
    wait_for("the camera", desktop.camera)
    return name


def test_a_watched_camera_keeps_its_size(desktop: Desktop) -> None:
    # The command line cannot change the size while it runs, so this drives the sink itself.
    program = """
        import time
        from app.compose.planes import from_bgr
        from app.frame import Picture
        from app.publish.factory import open_sink
        from scene import LENGTH, background
        sink = open_sink("pipewire", 640, 480, 30, realtime=True)
        size, n = (640, 480), 0
        while True:
            size = (320, 240) if sink.watched else size
            sink.write(Picture(n, time.monotonic(), from_bgr(background(n % LENGTH, *size))))
            n += 1
            time.sleep(1 / 30)
    """
    name = started(desktop, "sink", program)
    with gstreamer(desktop) as reader:
        check_all(reader.frames(10), *SIZE)
    check_all(page(desktop, frames=3)[0], *SIZE)
    desktop.stop(name)


def test_a_size_that_was_changed_in_a_call_comes_after_it(desktop: Desktop) -> None:
    program = """
        import time
        from app import publisher as module
        from app.compose.planes import from_bgr
        from app.frame import Picture
        from app.publish.factory import open_sink
        from scene import LENGTH, background
        module.FIRST_LOOK = 1.0
        sinks = []
        def opened(*wish):
            sinks.append(open_sink(*wish, realtime=True))
            print("opened", *wish, flush=True)
            return sinks[-1]
        publisher = module.Publisher(opened)
        size, n = (640, 480), 0
        while True:
            publisher.configure(("pipewire",), *size, 30)
            publisher.write(Picture(n, time.monotonic(), from_bgr(background(n % LENGTH, *size))))
            size = (320, 240) if sinks[-1].watched else size
            n += 1
            time.sleep(1 / 30)
    """
    name = started(desktop, "resized", program)
    with gstreamer(desktop) as reader:
        check_all(reader.frames(45), *SIZE)
    wait_for("the new size", lambda: "opened pipewire 320 240" in desktop.log(name))
    wait_for("the camera in it", desktop.camera)
    with gstreamer(desktop, (320, 240)) as reader:
        check_all(reader.frames(10), 320, 240)
    desktop.stop(name)


def test_a_killed_producer_comes_back_under_its_name(desktop: Desktop, project: Path, arguments: list[str]) -> None:
    name = desktop.greenroom(*arguments, project=project)
    with gstreamer(desktop) as reader:
        check_all(reader.frames(10), *SIZE)
        desktop.stop(name, signal.SIGKILL)
        wait_for("the dead camera's end", lambda: desktop.camera() is None)
    name = desktop.greenroom(*arguments, project=project)
    with gstreamer(desktop) as reader:
        check_all(reader.frames(10), *SIZE)
    check_all(page(desktop, frames=3)[0], *SIZE)
    assert desktop.stop(name) == 0, desktop.log(name)


def test_the_camera_survives_the_death_of_pipewire(project: Path, arguments: list[str], tmp_path: Path) -> None:
    recording = tmp_path / "meanwhile.mkv"
    with Desktop() as own:
        name = own.greenroom(*arguments, "--sink", str(recording), project=project)
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
    assert len(frames) >= 10
    check_all(frames, *SIZE)
