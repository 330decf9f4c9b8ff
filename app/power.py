"""Whether the computer runs on its battery."""

from __future__ import annotations

import psutil


def on_battery() -> bool:
    """True while the battery is being emptied; False on mains power and where there is no battery."""
    read = getattr(psutil, "sensors_battery", None)  # psutil leaves it out where the system has no way to ask
    battery = read() if read else None
    return battery is not None and battery.power_plugged is False
