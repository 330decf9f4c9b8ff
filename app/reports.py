"""What `greenroom devices` and `greenroom models` print."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from app.capture.devices import list_cameras
from app.publish.factory import list_outputs
from app.segmentation import network_files
from app.settings import Settings
from backends import BACKENDS, child, selector
from models.manifest import ModelError, get_model, manifest


def devices() -> dict[str, Any]:
    """Cameras, virtual cameras, backends with their devices, and how each measured with the default network."""
    try:
        candidates, problem = selector.measured(network_files(get_model(Settings.model))), ""
    except ModelError as error:
        candidates, problem = [], str(error)
    return {
        "cameras": [asdict(camera) for camera in list_cameras()],
        "outputs": list_outputs(),
        "backends": {name: asdict(child.probe(name)) for name in BACKENDS},
        "candidates": [asdict(candidate) for candidate in candidates],
        "problem": problem,
    }


def devices_text(facts: dict[str, Any]) -> str:
    """The same for people."""
    lines = ["Cameras"]
    for camera in facts["cameras"]:
        lines.append(f"  {camera['id']}  {camera['name']}")
        lines += [f"    {line}" for line in _modes(camera["modes"])]
    lines += ["  none" if not facts["cameras"] else "", "Virtual cameras"]
    lines += [f"  {name}: {state}" for name, state in facts["outputs"].items()]
    lines += ["", f"Networks run on (measured with {Settings.model})"]
    for rank, c in enumerate(facts["candidates"]):
        name = f"{BACKENDS[c['backend']]} on {c['device']}"
        if c["problem"]:
            lines.append(f"  {name}: not usable: {c['problem']}")
        else:
            chosen = "  ← chosen: the fastest" if rank == 0 else ""
            lines.append(f"  {name}: {c['ms']:.1f} ms a frame with {c['threads']} thread(s){chosen}")
    missing = [f"  {missing}" for backend in facts["backends"].values() for missing in backend["missing"]]
    return "\n".join([*lines, *missing, *([f"  {facts['problem']}"] if facts["problem"] else [])])


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
