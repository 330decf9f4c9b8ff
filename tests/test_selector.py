"""What is measured, what is remembered, and which way the budget chooses, on machines that are not here."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from backends import Availability, BackendError, Device, child, selector
from backends.choice import Budget, Outcome, rank
from backends.tiers import ORDER, TIERS, Candidate, Network, Pin, candidates
from models.manifest import manifest

CPU = Device("CPU", "A chip", precisions=("fp32", "int8"))
CUDA = Device("CUDA", "A GPU", "gpu", "570.86", 8188, ("fp16", "fp32"))
NPU = Device("NPU", "An NPU", "npu", "1.13", precisions=("fp16", "fp32", "int8"))
AUTO = Device("AUTO", "OpenVINO's own choice", "auto")

Measured = tuple[dict[str, float], NDArray[np.bool_]]
Speeds = dict[tuple[str, str], float | None]


@pytest.fixture
def networks(tmp_path: Path) -> list[Network]:
    """Two networks in every format and precision."""
    made = []
    for model in ("hd", "lite"):
        for format, precisions in (("onnx", ("fp32", "fp16", "int8")), ("tflite", ("fp32", "int8"))):
            for precision in precisions:
                path = tmp_path / f"{model}-{precision}.{format}"
                path.write_bytes(b"network")
                made.append(Network(model, model, format, precision, path))
    return made


def found(**devices: Iterable[Device]) -> dict[str, Availability]:
    return {name: Availability("1.0", tuple(listed)) for name, listed in devices.items()}


LAPTOP = found(onnxruntime=[CUDA, CPU], openvino=[CPU, NPU, AUTO], litert=[CPU])


def ways(networks: list[Network], pin: Pin = Pin(), machine: dict[str, Availability] = LAPTOP) -> set[Candidate]:  # noqa: B008
    return set(candidates(machine, networks, pin, 4))


def test_the_table_says_what_is_tried_on_which_device(networks: list[Network]) -> None:
    tried = ways(networks)
    assert {c.precision for c in tried if c.device == "CUDA"} == {"fp16", "fp32"}
    assert {c.precision for c in tried if c.device == "NPU"} == {"int8", "fp16", "fp32"}
    assert {c.precision for c in tried if c.device == "CPU"} == {"int8", "fp32"}
    assert {c.threads for c in tried if c.device == "CPU" and c.model == "hd"} == {1, 2, 4}
    assert {c.threads for c in tried if c.device == "CUDA"} == {1}
    assert not [c for c in tried if c.device == "AUTO"], "it would measure what is measured already"
    assert next(c.model for c in candidates(LAPTOP, networks, Pin(), 1)) == "hd", "the best tier is measured first"
    assert {c.threads for c in candidates(LAPTOP, networks, Pin(), 1)} == {1}, "no more threads than cores"


def test_a_tier_whose_network_is_not_there_is_no_candidate(networks: list[Network]) -> None:
    assert {c.model for c in ways([n for n in networks if n.model == "lite"])} == {"lite"}


def test_a_device_without_half_precision_gets_none(networks: list[Network]) -> None:
    old = found(onnxruntime=[Device("CUDA", "A GPU of 2016", "gpu")])
    assert {c.precision for c in ways(networks, machine=old)} == {"fp32"}


@given(
    st.builds(
        Pin,
        st.sampled_from(["auto", "onnxruntime", "openvino", "litert"]),
        st.sampled_from(["auto", "CPU", "CUDA", "NPU", "AUTO"]),
        st.sampled_from(["auto", "lite", "hd"]),
        st.sampled_from(["auto", "fp32", "fp16", "int8"]),
        st.sampled_from([0, 1, 3]),
    )
)
def test_what_is_pinned_is_all_that_is_tried(pin: Pin) -> None:
    files = [Network(m, m, f, p, Path(m)) for m in ORDER for f in ("onnx", "tflite") for p in ("fp32", "fp16", "int8")]
    tried = ways(files, pin)
    assert all(pin.allows(c) for c in tried)
    if pin.backend == "openvino" or (pin.backend, pin.device) in (("auto", "AUTO"), ("litert", "CPU")):
        assert tried or pin.device == "CUDA", "also a precision, threads and a device that the table does not have"


def test_the_shipped_networks_are_all_in_the_table() -> None:
    assert {model.tier for model in manifest().values()} <= {row.tier for row in TIERS} == set(ORDER)


HD_CPU, HD_CPU_2 = Candidate("onnxruntime", "CPU", 1, "hd"), Candidate("onnxruntime", "CPU", 2, "hd")
HD_INT8 = Candidate("openvino", "CPU", 1, "hd", "int8")
HD_CUDA, LITE_CPU = Candidate("onnxruntime", "CUDA", 1, "hd", "fp16"), Candidate("litert", "CPU", 1, "lite")
MEASURED = [
    Outcome(LITE_CPU, ms=2.5, cpu_ms=2.5),
    Outcome(HD_CPU, ms=26.0, cpu_ms=26.0),
    Outcome(HD_CPU_2, ms=14.0, cpu_ms=31.0),
    Outcome(HD_INT8, ms=13.0, cpu_ms=60.0),
]
TIER_OF = {"hd": "hd", "lite": "lite"}


@pytest.mark.parametrize(
    ("budget", "chosen", "others"),
    [
        (Budget(30, 50, 2), HD_CPU_2, {LITE_CPU: "hd is affordable and cuts out better", HD_CPU: "too slow: 26.0 ms"}),
        (Budget(30, 30, 2), LITE_CPU, {HD_CPU_2: "takes too much: 46 %", HD_CPU: "too slow"}),
        (Budget(15, 30, 2), HD_CPU, {HD_CPU_2: "more CPU time than the chosen"}),
        (Budget(30, 100, 16), HD_CPU_2, {}),
        (Budget(120, 100, 2), LITE_CPU, {HD_CPU_2: "too slow"}),
        (Budget(0), HD_CPU_2, {HD_CPU: "slower", LITE_CPU: "cuts out better", HD_INT8: "rounded"}),
    ],
)
def test_the_best_masks_that_the_budget_affords_at_the_least_cost(
    budget: Budget, chosen: Candidate, others: dict[Candidate, str]
) -> None:
    verdicts = rank(MEASURED, budget, TIER_OF)
    assert verdicts[0].outcome.candidate == chosen and verdicts[0].why.startswith("chosen: ")
    said = {v.outcome.candidate: v.why for v in verdicts[1:]}
    for candidate, why in others.items():
        assert why in said[candidate]


def test_a_gpu_that_works_wins_and_what_crashes_is_last() -> None:
    crashed = Outcome(Candidate("openvino", "NPU", 1, "hd"), problem="it crashed (exit status -11)")
    verdicts = rank([crashed, *MEASURED, Outcome(HD_CUDA, ms=2.0, cpu_ms=1.0)], Budget(30, 50, 2), TIER_OF)
    assert verdicts[0].outcome.candidate == HD_CUDA
    assert verdicts[-1].why == "cannot run: it crashed (exit status -11)" and not verdicts[-1].affordable


def test_what_saves_little_and_loads_long_is_not_chosen() -> None:
    """As measured on two cores of an AMD EPYC; TensorRT's minute of compiling does not come again."""
    ort = Outcome(Candidate("onnxruntime", "CPU", 1, "lite", "int8"), ms=1.64, cpu_ms=1.68, load_ms=90.0)
    openvino = Outcome(Candidate("openvino", "CPU", 1, "lite", "int8"), ms=1.33, cpu_ms=1.38, load_ms=600.0)
    best, other = rank([openvino, ort], Budget(30, 50, 2), TIER_OF)
    assert best.outcome == ort
    assert other.why == "not chosen: saves little and takes longer to load"
    tensorrt = Outcome(Candidate("onnxruntime", "TensorRT", 1, "lite"), ms=0.4, cpu_ms=0.2, load_ms=60000.0)
    assert rank([ort, tensorrt], Budget(30, 50, 2), TIER_OF)[0].outcome == tensorrt


def test_when_nothing_is_affordable_the_cheapest_runs() -> None:
    slow = [Outcome(HD_CPU, ms=260.0, cpu_ms=260.0), Outcome(LITE_CPU, ms=25.0, cpu_ms=25.0)]
    best, other = rank(slow, Budget(30, 100, 2), TIER_OF)
    assert best.outcome.candidate == LITE_CPU and not best.affordable
    assert best.why.startswith("chosen, although too slow: 25.0 ms, and 30 frames a second leave 20.0")
    assert other.why.startswith("too slow")


def fake_machine(
    monkeypatch: pytest.MonkeyPatch, speeds: Speeds, device: Device = NPU, version: str = "1.0", wrong: str = ""
) -> list[str]:
    """A machine with these devices and speeds, None for one that crashes; returns the log of measurements.

    The device `wrong` gives masks of its own.
    """
    log: list[str] = []
    kinds = {"CPU": CPU, "NPU": device, "CUDA": CUDA}

    def probe(name: str, _: object) -> Availability:
        return Availability(version, tuple(kinds[id] for backend, id in speeds if backend == name))

    def measure(name: str, path: Path, device: str, threads: int, *_: object) -> Measured:
        log.append(f"{name} {device} {path.name} {threads}")
        ms = speeds[name, device]
        if ms is None:
            raise BackendError("it crashed (exit status -11)")
        mask = np.arange(100) < (50 if device == wrong else 99)
        return {"ms": ms, "p95": ms, "cpu_ms": ms, "load_ms": 10.0, "memory": 20.0}, mask

    monkeypatch.setattr(child, "probe", probe)
    monkeypatch.setattr(child, "measure", measure)
    monkeypatch.setattr(selector, "cores", lambda: 1)
    return log


def measured(networks: list[Network], *, again: bool = False) -> list[Outcome]:
    return selector.measured(networks, Pin(), lambda model: Path(f"{model}.npy"), again=again)


@pytest.fixture
def lite(networks: list[Network]) -> list[Network]:
    return [n for n in networks if n.model == "lite" and n.precision == "fp32"]


SPEEDS: Speeds = {
    ("onnxruntime", "CPU"): 5.0,
    ("openvino", "CPU"): 4.0,
    ("openvino", "NPU"): None,
    ("litert", "CPU"): 3.0,
}


def test_what_was_measured_is_remembered_and_what_crashes_too(
    monkeypatch: pytest.MonkeyPatch, lite: list[Network]
) -> None:
    log = fake_machine(monkeypatch, SPEEDS)
    outcomes = measured(lite)
    assert len(log) == len(outcomes) == 4
    assert [o.problem for o in outcomes if o.candidate.device == "NPU"] == ["it crashed (exit status -11)"]
    assert measured(lite) == outcomes and len(log) == 4, "nothing is measured twice"
    assert measured(lite, again=True) == outcomes and len(log) == 8, "unless that is wanted"
    assert selector.remembered(lite, Pin()) == [o for o in outcomes if not o.problem], "without probing"
    assert [o.candidate.backend for o in selector.remembered(lite, Pin(backend="litert"))] == ["litert"]


def test_only_what_has_changed_is_measured_again(monkeypatch: pytest.MonkeyPatch, lite: list[Network]) -> None:
    fake_machine(monkeypatch, SPEEDS)
    measured(lite)
    log = fake_machine(monkeypatch, SPEEDS | {("openvino", "NPU"): 1.0}, Device("NPU", "An NPU", "npu", "1.14"))
    assert min(measured(lite), key=lambda o: o.ms).candidate.device == "NPU", "a new driver cured it"
    assert [line.split()[1] for line in log] == ["NPU", "CPU"], "the CPU to compare with"
    log = fake_machine(monkeypatch, SPEEDS, Device("NPU", "An NPU", "npu", "1.14"), version="2.0")
    measured(lite)
    assert len(log) == 4, "new runtimes"
    lite[0].path.write_bytes(b"another network")
    log.clear()
    measured(lite)
    assert len(log) == 3 and all("onnx" in line for line in log), "a new file"
    assert {o.candidate.backend for o in selector.remembered(lite, Pin())} == {"onnxruntime", "openvino", "litert"}
    lite[0].path.write_bytes(b"yet another network")
    assert {o.candidate.backend for o in selector.remembered(lite, Pin())} == {"litert"}


def test_a_measurement_that_is_ended_keeps_what_it_has(monkeypatch: pytest.MonkeyPatch, lite: list[Network]) -> None:
    log = fake_machine(monkeypatch, SPEEDS)
    measure = child.measure

    def ended(name: str, *arguments: object) -> Measured:
        if name == "openvino":
            raise child.Cancelled
        return measure(name, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(child, "measure", ended)
    with pytest.raises(child.Cancelled):
        measured(lite)
    assert log == ["onnxruntime CPU lite-fp32.onnx 1"]
    monkeypatch.setattr(child, "measure", measure)
    measured(lite)
    assert [line.split()[0] for line in log[1:]].count("litert") == 1, "it went on where it was"
    assert len(log) == 5, "and compared with the CPU once more"


@pytest.mark.parametrize("text", ["{broken", "[]", '{"outcomes": 1}', '{"outcomes": [1, {}, {"candidate": 7}]}'])
def test_a_cache_that_cannot_be_read_only_costs_time(
    text: str, monkeypatch: pytest.MonkeyPatch, lite: list[Network]
) -> None:
    log = fake_machine(monkeypatch, SPEEDS)
    selector.cache_path().parent.mkdir(parents=True)
    selector.cache_path().write_text(text)
    assert selector.remembered(lite, Pin()) == []
    measured(lite)
    assert len(measured(lite)) == 4 == len(log), "and it is written anew"


def test_a_cache_that_cannot_be_written_only_costs_time(
    monkeypatch: pytest.MonkeyPatch, lite: list[Network], tmp_path: Path
) -> None:
    fake_machine(monkeypatch, SPEEDS)
    (tmp_path / "file").touch()
    monkeypatch.setattr(selector, "cache_path", lambda: tmp_path / "file" / "selection.json")
    assert len(measured(lite)) == 4
    assert selector.remembered(lite, Pin()) == []


def test_before_anything_is_measured_the_quickest_to_load_comes_first(networks: list[Network]) -> None:
    first, *others = selector.preliminary(networks, Pin())
    assert (first.model, first.backend, first.device, first.precision) == ("lite", "onnxruntime", "CPU", "fp32")
    assert {c.model for c in others} == {"hd", "lite"}
    assert selector.preliminary(networks, Pin(), quickest=False)[0].model == "hd"
    pinned = Pin("openvino", "NPU", "hd", "int8", 3)
    assert selector.preliminary(networks, pinned) == [Candidate("openvino", "NPU", 3, "hd", "int8")]


def test_a_device_that_computes_something_else_is_never_chosen(
    monkeypatch: pytest.MonkeyPatch, lite: list[Network]
) -> None:
    fake_machine(monkeypatch, SPEEDS | {("openvino", "NPU"): 0.1}, wrong="NPU")
    outcomes = {o.candidate.device: o for o in measured(lite) if o.candidate.backend == "openvino"}
    assert outcomes["CPU"].agreement == 100.0 and not outcomes["CPU"].problem
    assert outcomes["NPU"].problem == "its masks are wrong here (J 51 with those of the CPU)"
    verdicts = rank(measured(lite), Budget(), TIER_OF)
    assert verdicts[0].outcome.candidate.device == "CPU" and verdicts[-1].outcome.candidate.device == "NPU"


def test_without_anything_to_compare_with_all_are_trusted(monkeypatch: pytest.MonkeyPatch, lite: list[Network]) -> None:
    fake_machine(monkeypatch, {("onnxruntime", "CPU"): None, ("litert", "CPU"): 3.0})
    problems = {o.candidate.backend: (o.problem, o.agreement) for o in measured(lite)}
    assert problems["litert"] == ("", None)
