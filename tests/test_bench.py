"""The benches' own parts: what they count and how they tell it. What they measure is never asserted."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app import bench
from app.bench import backends, clip, compose, energy, ladder, peer, pipeline
from app.bench.energy import Meter
from app.bench.peer import PlainLoop
from app.problems import GreenroomError
from models.manifest import get_model


def zone(folder: Path, name: str, title: str, microjoules: int) -> Path:
    path = folder / name
    path.mkdir()
    (path / "name").write_text(f"{title}\n")
    (path / "energy_uj").write_text(f"{microjoules}\n")
    (path / "max_energy_range_uj").write_text("1000000000\n")
    return path / "energy_uj"


class FakeNvml:
    """NVIDIA's library with two GPUs, the second too old to count."""

    joules = 5.0

    def nvmlInit_v2(self) -> int:  # noqa: N802
        return 0

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:  # noqa: N802
        count._obj.value = 2
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index: int, handle: Any) -> int:  # noqa: N802
        handle._obj.value = index + 1
        return 0

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: ctypes.c_void_p, millijoules: Any) -> int:  # noqa: N802
        if handle.value != 1:
            return 3
        millijoules._obj.value = int(self.joules * 1000)
        return 0


def absent() -> None:
    raise OSError("no such library")


def test_power_is_summed_over_packages_and_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of a package are counted in it, and a counter that starts anew goes on."""
    first = zone(tmp_path, "intel-rapl:0", "package-0", 2_000_000)
    second = zone(tmp_path, "intel-rapl:1", "package-1", 999_000_000)
    zone(tmp_path, "intel-rapl:0:0", "core", 0)
    zone(tmp_path, "intel-rapl:2", "psys", 0)
    now, nvml = [10.0], FakeNvml()
    monkeypatch.setattr(energy.time, "monotonic", lambda: now[0])
    meter = Meter(tmp_path, lambda: nvml)
    first.write_text("12000000\n")
    second.write_text("4000000\n")
    nvml.joules += 30
    now[0] += 5
    assert meter.watts() == pytest.approx((10 + 5 + 30) / 5)


def test_power_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    assert Meter(tmp_path, absent).watts() is None
    (zone(tmp_path, "intel-rapl:0", "package-0", 1)).unlink()
    assert Meter(tmp_path, absent).watts() is None


def test_a_camera_gives_the_newest_frame_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(clip.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(clip.time, "sleep", sleep)
    taken = []
    for due, number in clip.camera(12):
        taken.append(number)
        assert due == pytest.approx(number / clip.FPS)
        now[0] += 0.001 if number < 4 else 2.5 / clip.FPS  # quick at first, then two and a half frames long
    assert taken[:5] == [0, 1, 2, 3, 4]
    assert taken[5:] == sorted(set(taken[5:])) and 5 not in taken and 6 in taken


def test_the_ladder_s_rungs_make_the_same_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies or not, the stages are the same, so what they cost can be compared."""
    from app.loaded import load_known

    loaded = load_known(ladder.SETTINGS.replace(backend="onnxruntime", threads=1))
    shared, copying, graph = (kind(loaded) for kind in (ladder.Stages, ladder.CopyingStages, ladder.OneGraph))
    for frame in clip.frames()[:3]:
        expected = shared(frame)
        np.testing.assert_array_equal(expected, copying(frame))
        assert np.abs(graph(frame).astype(int) - expected).mean() < 0.7, "as golden frames may differ"
    loaded.session.close()


def test_the_ladder_climbs_on_a_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladder, "TURNS", 1)
    from backends.tiers import Candidate

    rows = ladder._climb(Candidate("onnxruntime", "CPU", 1), 12)
    assert [row["rung"][:2] for row in rows] == ["M1", "M3", "M4", "G "]
    assert all(row["frames"] and row["fps"] > 0 and row["ms"]["p95"] >= row["ms"]["p50"] > 0 for row in rows)
    lines = ladder.text([*rows, {"way": "x", "problem": "it is on fire"}])
    assert "(1.00)" in lines[2] and "it is on fire" in lines[-1]
    assert len({line.count("|") for line in lines}) == 1


def test_the_peer_bench_says_why_the_loop_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(peer, "TURNS", 1)
    monkeypatch.setattr(peer, "JUDGED", 3)
    monkeypatch.setattr(peer, "settle", lambda running: None)
    results = peer.measure(6, None)
    assert [row["name"] for row in results["rows"]] and "--peer-model" in peer.text(results)[-1]
    assert all(50 < row["j"] <= 100 for row in results["rows"])


@pytest.mark.parametrize("file", ["missing.onnx", "missing.tflite", "lite"])
def test_another_file_than_the_selfie_segmenter_is_refused_with_a_cure(tmp_path: Path, file: str) -> None:
    path = get_model("lite").file("onnx").path if file == "lite" else tmp_path / file
    with pytest.raises(GreenroomError, match="--peer-model"):
        PlainLoop(path)


@pytest.mark.parametrize("what", ["all", "peer"])
def test_a_wrong_peer_model_is_told_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    for part in (compose, backends, pipeline, ladder, peer):
        monkeypatch.setattr(part, "measure", lambda *_: pytest.fail("it was measured"))
    with pytest.raises(GreenroomError, match="--peer-model"):
        bench.measure(what, frames=1, minutes=0, peer_model=tmp_path / "missing.onnx")


def test_the_plain_loop_blends_with_its_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its network's whole answer "person" leaves the frame as it is, "nobody" blurs it."""

    class Session:
        input = np.zeros((1, 256, 256, 3), np.float32)
        output = np.zeros((1, 256, 256, 1), np.float32)

        def run(self) -> None:
            assert self.input.min() >= 0 and 0.1 < self.input.max() <= 1

        def close(self) -> None: ...

    monkeypatch.setattr("backends.onnxruntime.load", lambda *_: Session())
    loop, frame = PlainLoop(Path("selfie.onnx")), clip.frames()[0]
    blurred = loop(frame).astype(int)
    Session.output[:] = 1
    sharp = loop(frame).astype(int)
    edges = [np.abs(np.diff(picture[:720], axis=1)).mean() for picture in (sharp, blurred)]
    assert edges[0] > 3 * edges[1]
