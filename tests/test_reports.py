"""What `greenroom devices` and `doctor` say, with and without hardware."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import doctor, reports
from app.capture.devices import CameraInfo
from app.capture.v4l2 import Mode
from backends import Availability, Device, child, selector
from backends.selector import Candidate
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
    availability = Availability("1.0", (Device("CPU", "A chip"),), missing=("NVIDIA CUDA: libcublas. Install it: pip",))
    monkeypatch.setattr(child, "probe", lambda name: availability)
    ranked = [Candidate("litert", "CPU", 1, ms=2.5), Candidate("openvino", "NPU", 1, problem="it crashed")]
    monkeypatch.setattr(selector, "measured", lambda files: ranked)
    for module in (reports, doctor):
        monkeypatch.setattr(module, "list_cameras", lambda: [WEBCAM])
        monkeypatch.setattr(module, "list_outputs", lambda: {"v4l2:/dev/video10": "ready: Greenroom"})
        monkeypatch.setattr(module, "network_files", lambda model: {"onnx": Path("lite.onnx")})


def test_devices_lists_modes_and_explains_the_choice() -> None:
    text = reports.devices_text(reports.devices())
    assert "/dev/video0  HD Webcam" in text
    assert "1280×720: MJPG 30 fps, YUYV 10 fps" in text
    assert "1920×1080: NV12\n" in text
    assert text.index("1920×1080") < text.index("1280×720") < text.index("640×480")
    assert "LiteRT with XNNPACK on CPU: 2.5 ms a frame with 1 thread(s)  ← chosen" in text
    assert "OpenVINO on NPU: not usable: it crashed" in text
    assert "libcublas" in text


def test_devices_lists_cameras_also_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: object) -> None:
        raise ModelError("lite.onnx is missing: reinstall Greenroom")

    monkeypatch.setattr(reports, "network_files", missing)
    text = reports.devices_text(reports.devices())
    assert "HD Webcam" in text and "lite.onnx is missing" in text


def test_the_doctor_finds_nothing_on_a_machine_where_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "probe", lambda name: Availability("1.0", (Device("CPU", "A chip"),)))
    monkeypatch.setattr("os.access", lambda *_: True)
    findings = [f for f in doctor.examine() if f.check != "disk"]
    assert [f for f in findings if not f.fine] == []
    assert "CURE" not in doctor.text(findings)


def test_the_doctor_names_a_cure_for_all_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "list_cameras", lambda: [])
    monkeypatch.setattr(doctor, "list_outputs", lambda: {"v4l2": "there is no device"})
    monkeypatch.setattr("sys.platform", "linux")
    text = doctor.text(doctor.examine())
    for cure in ("Plug one in", "sudo modprobe v4l2loopback", "libcublas"):
        assert cure in text
