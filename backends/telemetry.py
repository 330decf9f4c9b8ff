"""Keeps the runtimes from telling their makers who uses them: what Greenroom does stays on the machine.

ONNX Runtime's wheels send Microsoft events with the processor, the system, a hashed identifier of the machine and the
interpreter's path (its `Privacy.md`); importing OpenVINO tells Google Analytics. Neither asks. Both obey what is set
here before they are imported, which is why `backends` calls it first of all; processes made from here inherit it.
"""

from __future__ import annotations

import os
import sys


def forbid() -> None:
    """Switch it off for this process and its children; who sets `ORT_DISABLE_TELEMETRY` themselves decides."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    # Without this package, OpenVINO's converter, which imports it, falls back to a stub of its own.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
