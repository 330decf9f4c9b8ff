"""What Windows says about the graphics adapters: names, drivers and memory, which DirectML does not tell."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass

from backends import run

QUERY = (
    "powershell",
    "-NoProfile",
    "-Command",
    "ConvertTo-Json @(Get-CimInstance Win32_VideoController | Select-Object Name, DriverVersion, AdapterRAM)",
)
"""Part of every Windows since 8. AdapterRAM has 32 bits: cards with 4 GiB and more say 4095 MiB."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """The first graphics adapter: `memory` in MiB, `precisions` as `backends.Device` has them."""

    name: str
    driver: str
    memory: int
    precisions: tuple[str, ...] = ("fp16", "fp32")


def adapter() -> Adapter | None:
    """The first adapter, which is DirectML's device 0; None where there is no Windows or it names none."""
    try:
        answer = run(QUERY, 15)
        first = json.loads(answer)[0]
        return Adapter(str(first["Name"]), str(first["DriverVersion"]), int(first["AdapterRAM"] or 0) >> 20)
    except (OSError, subprocess.SubprocessError, ValueError, LookupError, TypeError):
        return None
