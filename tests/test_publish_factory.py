"""Specifications of sinks: which sink they open, and what is said when it cannot be."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from app.frame import Picture
from app.problems import Problem, SinkError
from app.publish import factory, pipewire, v4l2
from app.publish.factory import is_file, list_outputs, open_sink


@pytest.fixture(autouse=True)
def no_pipewire(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No PipeWire of whoever runs the tests is found."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("PIPEWIRE_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("PIPEWIRE_REMOTE", "nobody")


def refused(spec: str) -> Problem:
    with pytest.raises(SinkError) as caught:
        open_sink(spec, 64, 48, 30, realtime=True)
    assert caught.value.problem.cure, "every error says what cures it"
    return caught.value.problem


@pytest.mark.parametrize(
    ("spec", "file"),
    [
        ("auto", False),
        ("v4l2", False),
        ("v4l2:/dev/video3", False),
        ("/dev/video3", False),
        ("pipewire:My camera", False),
        ("virtualcam:OBS Virtual Camera", False),
        ("null", False),
        ("out.mp4", True),
        ("file:null", True),
        (r"C:\Users\me\out.mkv", True),
        ("somewhere/v4l2", True),
        ("nonsense", True),
    ],
)
def test_files_are_told_from_devices(spec: str, file: bool) -> None:
    assert is_file(spec) is file


def test_null_takes_everything() -> None:
    sink = open_sink("null", 64, 48, 30, realtime=True)
    sink.write(Picture(0, 0.0, np.zeros((72, 64), np.uint8)))
    sink.close()
    assert sink.name == "null"


def test_paths_open_files(tmp_path: Path) -> None:
    for spec in (f"{tmp_path}/a.mkv", f"file:{tmp_path}/b.webm"):
        sink = open_sink(spec, 64, 48, 30, realtime=True)
        assert Path(sink.name).exists()
        sink.close()


def test_a_word_that_is_nothing_names_what_there_is() -> None:
    problem = refused("webcam")
    assert "'webcam'" in problem.message
    for word in ("auto", "v4l2", "pipewire", ".mp4", ".webm"):
        assert word in problem.cure


def test_auto_takes_the_loopback_device_first(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    class Loopback:
        name = "loopback"

        def __init__(self, *arguments: object) -> None:
            opened.append(arguments)

    monkeypatch.setattr(v4l2, "V4l2Sink", Loopback)
    assert open_sink("auto", 64, 48, 30, realtime=True).name == "loopback"
    assert opened == [(64, 48, 30, "auto")]


def test_auto_takes_pipewire_where_no_loopback_is_free(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Node:
        name = "node"

        def __init__(self, *_: object) -> None: ...

    def taken(*_: object) -> None:
        raise SinkError("Somebody writes to it.", "Close that.")

    monkeypatch.setattr(v4l2, "V4l2Sink", taken)
    monkeypatch.setattr(pipewire, "PipeWireSink", Node)
    assert open_sink("auto", 64, 48, 30, realtime=True).name == "node"


PIPEWIRE_CURE = re.compile("systemctl --user restart pipewire|apt install libpipewire-0.3-0")
"""On machines with PipeWire's library and without: the unit tests need neither it nor a daemon."""


@pytest.fixture
def no_daemon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The desktop's own PipeWire, where one runs, is out of reach."""
    for variable in ("XDG_RUNTIME_DIR", "PIPEWIRE_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(tmp_path))


@pytest.mark.usefixtures("no_daemon")
def test_auto_without_any_way_says_why_each_failed_and_what_cures_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(v4l2, "find_loopback", lambda _: _raise(SinkError("No loopback device.", "modprobe it")))
    problem = refused("auto")
    assert "No loopback device." in problem.message and "PipeWire" in problem.message
    assert "modprobe it" in problem.cure and PIPEWIRE_CURE.search(problem.cure)


def test_virtualcam_on_linux_is_the_loopback_device() -> None:
    assert "/dev/video98" in refused("virtualcam:/dev/video98").message


@pytest.mark.parametrize("spec", ["v4l2", "pipewire", "v4l2:/dev/video0"])
def test_linux_sinks_elsewhere_name_the_one_that_works(monkeypatch: pytest.MonkeyPatch, spec: str) -> None:
    monkeypatch.setattr(factory.platform, "system", lambda: "Darwin")
    assert "virtualcam" in refused(spec).cure


@pytest.mark.usefixtures("no_daemon")
def test_outputs_say_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(v4l2, "states", dict)
    outputs = list_outputs()
    assert set(outputs) == {"v4l2", "pipewire"}
    assert "modprobe" in outputs["v4l2"] and PIPEWIRE_CURE.search(outputs["pipewire"])
    assert not any(state.startswith("ready") for state in outputs.values())


def test_outputs_list_every_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(v4l2, "states", lambda: {"/dev/video10": "ready, seen as Greenroom"})
    assert list_outputs()["v4l2:/dev/video10"].startswith("ready")


def _raise(error: Exception) -> None:
    raise error
