"""What `greenroom devices` and `doctor` say, with and without hardware."""

from __future__ import annotations

import sys

import pytest

from app import doctor, reports, selection
from app.capture.devices import CameraInfo
from app.capture.v4l2 import Mode
from app.settings import Settings
from backends import Availability, Device, child, selector
from backends.choice import Outcome
from backends.tiers import Candidate
from models.manifest import ModelError

WEBCAM = CameraInfo(
    "/dev/video0",
    "HD Webcam",
    modes=(
        Mode("MJPG", 1280, 720, (30.0, 15.0)),
        Mode("YUYV", 1280, 720, (10.0,)),
        Mode("YUYV", 640, 480, (30.0,)),
        Mode("NV12", 1920, 1080),
    ),
)


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Device("CUDA", "A GPU", "gpu", "570.86", 8188, ("fp16", "fp32"))
    missing = ("NVIDIA TensorRT: libnvinfer. Install it: pip",)
    availability = Availability("1.0", (gpu, Device("CPU", "A chip")), missing=missing)
    monkeypatch.setattr(child, "probe", lambda *_: availability)
    ranked = [
        Outcome(Candidate("openvino", "NPU", 1, "lite", "int8"), problem="it crashed"),
        Outcome(Candidate("onnxruntime", "CPU", 2), ms=1.5, cpu_ms=5.0),
        Outcome(Candidate("litert", "CPU", 1), ms=2.5, cpu_ms=2.5),
    ]
    monkeypatch.setattr(selector, "measured", lambda *_, **__: ranked)
    monkeypatch.setattr(selection, "cores", lambda: 2)
    monkeypatch.setattr(selection, "on_battery", lambda: True)
    for module in (reports, doctor):
        monkeypatch.setattr(module, "list_cameras", lambda: [WEBCAM])
        monkeypatch.setattr(module, "list_outputs", lambda: {"v4l2:/dev/video10": "ready: Greenroom"})


def test_devices_lists_modes_and_explains_the_choice_in_a_line_each() -> None:
    text = reports.devices_text(reports.devices(Settings()))
    assert "/dev/video0  HD Webcam" in text
    assert "1280×720: MJPG 30 fps, YUYV 10 fps" in text
    assert "1920×1080: NV12\n" in text
    assert text.index("1920×1080") < text.index("1280×720") < text.index("640×480")
    assert "CUDA (A GPU; driver 570.86, 8188 MiB, fp16/fp32)" in text
    assert "libnvinfer" in text
    assert "at 30 frames a second it may take 20.0 ms a frame and 25 % of the processor (2 cores)" in text, "on battery"
    assert "→ lite on LiteRT with XNNPACK on CPU, 1 thread: 2.5 ms, 4 % of the processor; chosen: " in text
    assert "lite on ONNX Runtime on CPU, 2 threads: 1.5 ms, 8 % of the processor; not chosen: takes more CPU" in text
    assert "lite int8 on OpenVINO on NPU: cannot run: it crashed" in text


def test_devices_lists_cameras_also_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise ModelError("lite.onnx is missing: reinstall Greenroom")

    monkeypatch.setattr(selection, "networks", missing)
    text = reports.devices_text(reports.devices(Settings()))
    assert "HD Webcam" in text and "lite.onnx is missing" in text


def test_devices_says_so_when_nothing_is_what_the_user_holds_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selector, "measured", lambda *_, **__: [])
    assert "Nothing here runs" in reports.devices_text(reports.devices(Settings().replace(device="TOASTER")))


def test_the_doctor_finds_nothing_on_a_machine_where_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "probe", lambda *_: Availability("1.0", (Device("CPU", "A chip"),)))
    monkeypatch.setattr("os.access", lambda *_: True)
    findings = [f for f in doctor.examine() if f.check != "disk"]
    assert [f for f in findings if not f.fine] == []
    assert "CURE" not in doctor.text(findings)


def test_the_doctor_names_a_cure_for_all_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "list_cameras", lambda: [])
    monkeypatch.setattr(doctor, "list_outputs", lambda: {"v4l2": "there is no device"})
    monkeypatch.setattr("sys.platform", "linux")
    text = doctor.text(doctor.examine())
    for cure in ("Plug one in", "sudo modprobe v4l2loopback", "libnvinfer"):
        assert cure in text


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is always a display")
def test_the_doctor_asks_the_display_that_the_window_would_open_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def display() -> doctor.Finding:
        return next(finding for finding in doctor.examine() if finding.check == "display")

    for name in ("WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DISPLAY", ":987")
    assert not display().fine
    assert "does not answer" in display().found and "greenroom run" in display().cure
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    assert display().fine
    monkeypatch.delenv("DISPLAY")
    assert display().fine and display().found.startswith("none")
