"""The call's card: where the picture goes, and how to choose it in call programs."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QFrame, QHBoxLayout, QPushButton, QVBoxLayout

from app.gui.controls import Name, SettingChoice, label
from app.gui.jobs import Jobs
from app.gui.theme import GRID
from app.gui.wording import CALLS, LABELS, call_hint, cameras_of, choice_label
from app.problems import Problem
from app.settings import Settings
from app.status import Status


def find_outputs() -> dict[str, str]:
    """The ways to publish there are; asked in a thread of its own, because it takes a while.

    Outside Linux asking would start and stop the camera that is in use, and "auto" finds the only one.
    """
    if sys.platform != "linux":
        return {}
    from app.publish.factory import list_outputs

    return list_outputs()


def camera_name(sinks: Iterable[str], sysfs: Path = Path("/sys/class/video4linux")) -> str:
    """What call programs call our camera: what the driver that publishes it is labelled.

    Args:
        sinks: names of the sinks, as in `Status.sinks`.
        sysfs: where Linux tells its devices' labels.
    """
    for sink in sinks:
        kind, _, which = sink.partition(":")
        if kind in ("virtualcam", "pipewire") and which:
            return which
        if kind == "v4l2" and which:
            label_file = sysfs / Path(which).name / "name"
            if label_file.is_file():
                return label_file.read_text(encoding="utf-8").strip()
    return "Greenroom"


class Call(QFrame):
    """Chooses the output and tells how to choose Greenroom in a call.

    Attributes:
        chosen: changes to the settings, as a dictionary.
        failed: a `Problem` for the user.
        asked: the user wants the hint for another call program, one of `CALLS`.
    """

    chosen = Signal(dict)
    failed = Signal(object)
    asked = Signal(str)

    def __init__(self, jobs: Jobs) -> None:
        super().__init__()
        self._jobs = jobs
        self._settings = Settings()
        self._status: Status | None = None
        self._looks = 0
        self._program = next(iter(CALLS))
        self.setProperty("look", "card")
        self.output = SettingChoice("sinks", [("auto",), ("null",)])
        self.output.chosen.connect(lambda name, value: self.chosen.emit({name: value}))
        self.hint = label("", wrap=True)
        self.hint.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        title = label("In calls", "section")
        top = QHBoxLayout()
        top.setSpacing(GRID)
        top.addWidget(title)
        top.addStretch(1)
        top.addWidget(Name(LABELS["sinks"], self.output, "muted"))
        top.addWidget(self.output)
        self.output.setMinimumContentsLength(len("Automatic: Loopback") + 2)  # with large text it gets less
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * GRID, GRID + GRID // 2, 2 * GRID, GRID + GRID // 2)
        layout.setSpacing(GRID)
        layout.addLayout(top)
        layout.addLayout(self._chips())
        layout.addWidget(self.hint)
        layout.addStretch()
        self._show_hint()

    def refresh(self) -> None:
        """Look for ways to publish, beside the window."""
        self._looks += 1
        self._jobs.run(find_outputs, partial(self._found, self._looks), self._not_found)

    def _found(self, number: int, outputs: dict[str, str]) -> None:
        if number == self._looks:  # an older look, which took longer, knows less
            self.offer(outputs)

    def offer(self, outputs: dict[str, str]) -> None:
        """Offer these ways to publish."""
        self.output.offer([("auto",), *((name,) for name in outputs if name not in ("auto", "null")), ("null",)])

    def show_settings(self, settings: Settings) -> None:
        """Show what is chosen."""
        self._settings = settings
        self.output.show_value(settings.sinks)
        self._show_hint()

    def show_status(self, settings: Settings, status: Status | None) -> None:
        """Tell what our camera is called in calls, and what the automatic choice has taken."""
        self._settings, self._status = settings, status
        self._show_hint()

    def show_program(self, program: str) -> None:
        """Show the hint for a call program; an unknown one is left out."""
        if program in CALLS:
            self._program = program
            self.chips[program].setChecked(True)
            self._show_hint()

    @property
    def program(self) -> str:
        """The call program whose hint is shown."""
        return self._program

    def _chips(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(GRID // 2)
        group = QButtonGroup(self)
        self.chips = {program: QPushButton(program) for program in CALLS}
        for program, chip in self.chips.items():
            chip.setCheckable(True)
            chip.setChecked(program == self._program)
            chip.setProperty("look", "chip")
            chip.setAccessibleDescription(f"How to choose Greenroom in {program}.")
            chip.setCursor(Qt.CursorShape.PointingHandCursor)
            chip.clicked.connect(lambda _, chosen=program: self._asked(chosen))
            group.addButton(chip)
            row.addWidget(chip)
        row.addStretch()
        return row

    def _asked(self, program: str) -> None:
        self.show_program(program)
        self.asked.emit(program)

    def _show_hint(self) -> None:
        seen = cameras_of(self._status)
        text = call_hint(self._program, camera_name(seen), self._settings, self._status)
        if text != self.hint.text():
            self.hint.setText(text)
        automatic = choice_label("sinks", "auto")
        if seen and self._settings.sinks == ("auto",):
            automatic = f"{automatic}: {choice_label('sinks', seen[0].partition(':')[0])}"
        self.output.setItemText(self.output.values.index(("auto",)), automatic)

    def _not_found(self, error: Exception) -> None:
        self.failed.emit(Problem("sink", f"The outputs could not be listed ({error}).", "Type `greenroom doctor`."))
