"""OpenVINO on the shipped network, and its devices faked at the module's edge."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import backends
import backends.openvino as openvino
from backends import cache_folder, get_backend


class FakeCore:
    """OpenVINO's edge: a machine with these devices and what their plugins tell."""

    def __init__(self, devices: dict[str, dict[str, object]]) -> None:
        self.devices = devices
        self.available_devices = list(devices)

    def get_property(self, device: str, name: str) -> object:
        return self.devices[device][name]  # a KeyError stands for the plugin's "unsupported property"


INTEL = {
    "CPU": {"FULL_DEVICE_NAME": "Intel Core Ultra 7", "OPTIMIZATION_CAPABILITIES": ["FP32", "INT8", "BIN"]},
    "GPU.0": {
        "FULL_DEVICE_NAME": "Intel Arc Graphics",
        "DEVICE_TYPE": "Type.INTEGRATED",
        "OPTIMIZATION_CAPABILITIES": ["FP32", "FP16", "INT8"],
        "GPU_DEVICE_TOTAL_MEM_SIZE": 16 << 30,
    },
    "GPU.1": {
        "FULL_DEVICE_NAME": "Intel Arc B580",
        "DEVICE_TYPE": "Type.DISCRETE",
        "OPTIMIZATION_CAPABILITIES": ["FP32", "FP16", "INT8"],
        "GPU_DEVICE_TOTAL_MEM_SIZE": 12 << 30,
    },
    "NPU": {
        "FULL_DEVICE_NAME": "Intel AI Boost",
        "OPTIMIZATION_CAPABILITIES": ["FP16", "INT8"],
        "NPU_DRIVER_VERSION": "1.13.0",
    },
}


def test_openvino_s_devices_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino, "_core", lambda: FakeCore(INTEL))
    found = {device.id: device for device in openvino.probe().devices}
    assert [d.kind for d in found.values()] == ["cpu", "igpu", "gpu", "npu", "hetero", "auto"]
    assert "HETERO:NPU,GPU.1,GPU.0,CPU" in found and "AUTO" in found
    assert (found["GPU.1"].memory, found["GPU.0"].memory) == (12288, 0), "an iGPU has none of its own"
    assert found["NPU"].driver == "1.13.0"
    assert found["NPU"].precisions == ("fp16", "fp32", "int8")


@pytest.mark.parametrize("access", [True, False])
def test_intel_s_devices_that_openvino_does_not_see_are_named_with_their_cure(
    access: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for folder in ("sys/class/drm/renderD128", "sys/class/accel/accel0"):
        (tmp_path / folder / "device").mkdir(parents=True)
        (tmp_path / folder / "device/vendor").write_text("0x8086\n")
    (tmp_path / "dev/dri").mkdir(parents=True)
    (tmp_path / "dev/dri/renderD128").touch()
    monkeypatch.setattr(openvino, "SYSTEM", tmp_path)
    monkeypatch.setattr(openvino.os, "access", lambda *_: access)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(openvino, "_core", lambda: FakeCore({"CPU": INTEL["CPU"]}))
    gpu, npu = openvino.probe().missing
    assert ("intel-opencl-icd" if access else "usermod -aG render") in gpu
    assert "intel-level-zero-npu" in npu
    monkeypatch.setattr(openvino, "_core", lambda: FakeCore(INTEL))
    assert openvino.probe().missing == ()
    (tmp_path / "sys/class/drm/renderD128/device/vendor").write_text("0x10de\n")
    monkeypatch.setattr(openvino, "_core", lambda: FakeCore({name: INTEL[name] for name in ("CPU", "NPU")}))
    assert openvino.probe().missing == (), "another maker's GPU is not OpenVINO's"


def test_openvino_answers_the_same_from_its_cache_and_asynchronously(files: dict[str, Path]) -> None:
    backend, answers = get_backend("openvino"), []
    for _ in range(2):
        session = backend.load(files["onnx"], "CPU", 1)
        session.input[...] = 100
        session.output.fill(-1)
        session.start()  # type: ignore[attr-defined]
        assert session.wait(10)  # type: ignore[attr-defined]
        answers.append(session.output.copy())
        session.close()
    assert answers[0].min() >= 0 and np.array_equal(*answers)
    (kept,) = (cache_folder() / "openvino").iterdir()
    assert list(kept.iterdir()), "it was compiled once"


def test_openvino_loads_also_where_no_cache_can_be_kept(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(backends, "cache_folder", lambda: tmp_path / "file")
    openvino.load(files["onnx"], "CPU", 1).close()
