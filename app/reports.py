"""What `greenroom devices` and `greenroom models` print."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from app import selection
from app.capture.devices import list_cameras
from app.publish.factory import list_outputs
from app.settings import Settings
from backends import BACKENDS, Device, selector
from backends.choice import Verdict
from models.manifest import ModelError, manifest


def devices(settings: Settings, *, again: bool = False) -> dict[str, Any]:
    """Cameras, virtual cameras, backends with their devices, and why which of them runs the network.

    What was not measured on this machine yet is measured now; with `again` everything.
    """
    found = selector.probe_all()
    budget = selection.budget(settings)
    try:
        outcomes = selection.measure(settings, found, again=again)
        verdicts, problem = selection.verdicts(settings, outcomes), ""
    except ModelError as error:
        verdicts, problem = [], str(error)
    return {
        "cameras": [asdict(camera) for camera in list_cameras()],
        "outputs": list_outputs(),
        "backends": {name: asdict(availability) for name, availability in found.items()},
        "budget": asdict(budget) | {"ms": budget.ms},
        "candidates": [_candidate(verdict, budget.percent(verdict.outcome)) for verdict in verdicts],
        "problem": problem
        or ("" if verdicts else f"Nothing here runs what the settings hold fast ({selection.pin(settings)})."),
    }


def _candidate(verdict: Verdict, percent: float) -> dict[str, Any]:
    outcome = verdict.outcome
    names = {"title": outcome.candidate.title, "affordable": verdict.affordable, "why": verdict.why}
    return (
        asdict(outcome.candidate)
        | {k: v for k, v in asdict(outcome).items() if k != "candidate"}
        | {"cpu_percent": percent}
        | names
    )


def devices_text(facts: dict[str, Any]) -> str:
    """The same for people."""
    lines = ["Cameras"]
    for camera in facts["cameras"]:
        lines.append(f"  {camera['id']}  {camera['name']}")
        lines += [f"    {line}" for line in _modes(camera["modes"])]
    lines += ["  none" if not facts["cameras"] else "", "Virtual cameras"]
    lines += [f"  {name}: {state}" for name, state in facts["outputs"].items()]
    lines += ["", "Devices that run networks"]
    for name, backend in facts["backends"].items():
        lines.append(f"  {BACKENDS[name]} {backend['version']}")
        lines += [f"    {device_text(Device(**device))}" for device in backend["devices"]]
        lines += [f"    lacking: {text}" for text in (backend["problem"], *backend["missing"]) if text]
    budget = facts["budget"]
    lines += ["", f"The network: at {budget['fps']:g} frames a second it may take {budget['ms']:.1f} ms a frame and "]
    lines[-1] += f"{budget['cpu']:.0f} % of the processor ({budget['cores']} cores)"
    for rank, c in enumerate(facts["candidates"]):
        figures = "" if c["problem"] else f"{c['ms']:.1f} ms, {c['cpu_percent']:.0f} % of the processor; "
        lines.append(f"  {'→' if rank == 0 and not c['problem'] else ' '} {c['title']}: {figures}{c['why']}")
    return "\n".join([*lines, *([f"  {facts['problem']}"] if facts["problem"] else [])])


def device_text(device: Device) -> str:
    """One device in a line: what `--device` takes, its name, driver, memory and what it is good at."""
    facts = [
        f"driver {device.driver}" if device.driver else "",
        f"{device.memory} MiB" if device.memory else "",
        "/".join(device.precisions),
    ]
    return f"{device.id} ({device.name}; {', '.join(fact for fact in facts if fact)})"


def _modes(modes: list[dict[str, Any]]) -> list[str]:
    """A camera's modes, a line for each size, the largest first: its pixel formats, each with its highest rate."""
    sizes: dict[tuple[int, int], list[str]] = {}
    for mode in modes:
        rate = f" {max(mode['rates']):g} fps" if mode["rates"] else ""
        sizes.setdefault((mode["width"], mode["height"]), []).append(mode["fourcc"] + rate)
    return [
        f"{width}×{height}: {', '.join(formats)}" for (width, height), formats in sorted(sizes.items(), reverse=True)
    ]


def models() -> list[dict[str, Any]]:
    """Every network of the manifest, and whether its files are the ones the manifest names."""
    rows = []
    for model in manifest().values():
        files = []
        for file in model.files:
            try:
                state = f"{file.verify().stat().st_size} bytes, verified"
            except ModelError as error:
                state = str(error)
            files.append({"format": file.format, "precision": file.precision, "file": file.path.name, "state": state})
        rows.append(
            {
                "name": model.name,
                "tier": model.tier,
                "summary": model.summary,
                "size": f"{model.input.width}x{model.input.height}",
                "licence": model.licence,
                "training_data": model.training_data,
                "card": str(model.card),
                "files": files,
            }
        )
    return rows


def models_text(rows: list[dict[str, Any]]) -> str:
    """The same for people."""
    lines = []
    for row in rows:
        lines.append(f"{row['name']} ({row['size']}, {row['licence']}): {row['summary']}")
        lines += [f"  {f['format']} {f['precision']}: {f['file']}: {f['state']}" for f in row["files"]]
        lines += [f"  trained on: {row['training_data']}", f"  card: {row['card']}"]
    return "\n".join(lines)
