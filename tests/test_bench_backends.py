"""The bench of the runtimes: real children in turns, a device that is not here, and the tables."""

from __future__ import annotations

import numpy as np
import pytest

from app import selection
from app.bench import backends as bench
from backends import Availability, Device, selector
from models.manifest import get_model


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """Two runtimes that are here, one with a device that is not, and one that is broken."""
    cpu = Device("CPU", "A chip", precisions=("fp32", "int8"))
    found = {
        "onnxruntime": Availability("1.0", (cpu,)),
        "openvino": Availability("1.0", (Device("NPU", "An NPU that is not here", "npu"),)),
        "litert": Availability(problem="LiteRT cannot be imported. Reinstall Greenroom."),
    }
    monkeypatch.setattr(selector, "probe_all", lambda: found)
    monkeypatch.setattr(selection, "models", lambda _: [get_model("lite")])
    monkeypatch.setattr(bench, "cores", lambda: 1)
    monkeypatch.setattr(bench, "PICTURES", 2)
    return bench.measure(10)


def test_every_way_is_measured_beside_the_others(rows: list[dict[str, object]]) -> None:
    good = [row for row in rows if "problem" not in row]
    assert {row["backend"] for row in good} == {"onnxruntime"}
    reference = next(row for row in good if row["precision"] == "fp32")
    assert reference["agreement"] == 100.0
    for row in good:
        assert row["ms"]["p50"] <= row["ms"]["p95"]  # type: ignore[index]
        assert row["cpu_ms"] > 0 and row["load_ms"] > 0 and row["memory"] > 10  # type: ignore[operator]
        assert row["agreement"] > 90  # type: ignore[operator]
    problems = {row["backend"]: row["problem"] for row in rows if "problem" in row}
    assert "there is no NPU here" in problems["openvino"], problems  # type: ignore[operator]
    assert "Reinstall" in problems["litert"]  # type: ignore[operator]
    text = "\n".join(bench.text(rows))
    assert "| lite | ONNX Runtime, CPU | fp32 | 1 |" in text
    assert "there is no NPU here" in text
    assert text.rstrip().endswith("| 256×144 | – | – | none here |"), "the edge paper's table"


def test_a_gpu_is_in_the_paper_s_table() -> None:
    def row(backend: str, device: str, precision: str, ms: float) -> dict[str, object]:
        facts = {
            "model": "hd",
            "resolution": "512×288",
            "mb": 3.0,
            "threads": 1,
            "cpu_ms": ms,
            "load_ms": 1,
            "memory": 1,
        }
        return facts | {"backend": backend, "device": device, "precision": precision, "ms": {"p50": ms, "p95": ms}}

    rows = [
        row("litert", "CPU", "fp32", 40.0),
        row("litert", "CPU", "int8", 20.0),
        row("openvino", "CPU", "fp32", 41.0),
        row("onnxruntime", "CUDA", "fp32", 2.0),
        row("onnxruntime", "TensorRT", "fp16", 1.0),
    ]
    assert bench.text(rows)[-1] == "| hd | 3.00 | 512×288 | 40.00 | 41.00 | 1.00 (TensorRT, fp16) |"


def test_agreement_is_the_intersection_over_the_union() -> None:
    mask = np.zeros((2, 4, 4), bool)
    mask[0, :2] = True
    other = mask.copy()
    other[0, 1] = False
    assert bench.agreement(mask, mask) == 100.0, "also where nobody is"
    assert bench.agreement(other, mask) == pytest.approx((50 + 100) / 2)
