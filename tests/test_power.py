"""Whether the computer runs on its battery, on computers with and without one."""

from __future__ import annotations

from types import SimpleNamespace

import psutil
import pytest

from app import selection
from app.power import on_battery
from app.settings import Settings


@pytest.mark.parametrize(("plugged", "battery"), [(True, False), (False, True), (None, False)])
def test_a_battery_that_is_being_emptied(plugged: bool | None, battery: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "sensors_battery", lambda: SimpleNamespace(power_plugged=plugged), raising=False)
    assert on_battery() == battery


def test_computers_without_one_or_without_a_way_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "sensors_battery", lambda: None, raising=False)
    assert not on_battery()
    monkeypatch.delattr(psutil, "sensors_battery")
    assert not on_battery()


@pytest.mark.parametrize(("battery", "quiet", "percent"), [(False, True, 40), (True, True, 20), (True, False, 40)])
def test_on_battery_the_network_may_take_half(
    battery: bool, quiet: bool, percent: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "on_battery", lambda: battery)
    budget = selection.budget(Settings().replace(cpu_limit=40, quiet_on_battery=quiet, fps=25))
    assert (budget.cpu, budget.fps, budget.ms) == (percent, 25, 24.0)
