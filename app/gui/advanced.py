"""The advanced section: network, runtime, device, what they may take, size and rate, edges, and where time goes."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QSizePolicy, QWidget

from app.gui.controls import Name, SettingChoice, Switch, label
from app.gui.fold import Fold
from app.gui.jobs import Jobs
from app.gui.theme import GRID, colours
from app.gui.wording import LABELS, LIMITS, RATES, SIZES, STAGES, THREADS
from app.problems import Problem
from app.settings import Settings
from app.status import Status, Timing

ROW = 30
"""Height of a stage's row: its text and its bar."""


def find_ways() -> tuple[list[str], list[str]]:
    """The networks there are, and the devices on which one was measured."""
    from app import selection
    from backends import selector
    from models.manifest import manifest

    known = selector.remembered(selection.networks(Settings()), selection.pin(Settings()))
    return list(manifest()), list(dict.fromkeys(["CPU", *(outcome.candidate.device for outcome in known)]))


class Timings(QWidget):
    """Each stage's milliseconds as text and as a bar; the whole width is the time between two frames."""

    def __init__(self) -> None:
        super().__init__()
        self._timings: dict[str, Timing] = {}
        self._budget = 1000 / 30
        self.setAccessibleName("Milliseconds of each stage")
        self.setToolTip("Half of the last 300 frames were faster than the median, 95 of 100 than the right figure.")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_timings(self, timings: dict[str, Timing], fps: int) -> None:
        """Show these timings."""
        self._timings, self._budget = timings, 1000 / fps
        self.setAccessibleDescription("; ".join(f"{STAGES[s]} {t.p50:.1f}" for s, t in self.shown().items()))
        self.update()

    def shown(self) -> dict[str, Timing]:
        """The stages that are shown, in their order."""
        return {stage: self._timings[stage] for stage in STAGES if stage in self._timings}

    def sizeHint(self) -> QSize:  # noqa: N802
        return QSize(200, 22 + ROW * len(STAGES))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        theme, painter = colours(self.palette()), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        left, right = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
        column = max(64, self.fontMetrics().horizontalAdvance("median") + GRID)  # with large text more
        columns = ((0, left), (self.width() - 2 * column, right), (self.width() - column, right))

        def write(y: float, texts: tuple[str, str, str], tints: tuple[str, str, str]) -> None:
            for (x, side), text, tint in zip(columns, texts, tints, strict=True):
                width = self.width() - 2 * column - GRID if side == left else column
                painter.setPen(QColor(tint))
                painter.drawText(QRectF(x, y, width, 20), side | Qt.AlignmentFlag.AlignVCenter, text)

        write(0, ("Milliseconds", "median", "95 %"), (theme.muted,) * 3)
        for row, (stage, title) in enumerate(STAGES.items()):
            y = 22 + row * ROW
            timing = self._timings.get(stage)
            figures = (f"{timing.p50:.1f}", f"{timing.p95:.1f}") if timing else ("–", "–")
            write(y, (title, *figures), (theme.text, theme.text, theme.muted))
            painter.setPen(Qt.PenStyle.NoPen)
            track = QRectF(0, y + 22, self.width(), 4)
            painter.setBrush(QColor(theme.control))
            painter.drawRoundedRect(track, 2, 2)
            if timing:
                late = timing.p50 > self._budget and stage != "total"
                for value, tint in ((timing.p95, theme.border), (timing.p50, theme.danger if late else theme.accent)):
                    track.setWidth(max(4.0, min(1.0, value / self._budget) * self.width()))
                    painter.setBrush(QColor(tint))
                    painter.drawRoundedRect(track, 2, 2)


class Advanced(Fold):
    """What few people need.

    Attributes:
        chosen: changes to the settings, as a dictionary.
        failed: a `Problem` for the user.
    """

    chosen = Signal(dict)
    failed = Signal(object)

    def __init__(self, jobs: Jobs) -> None:
        super().__init__("&Advanced")
        self._jobs = jobs
        self.choices = {
            "model": SettingChoice("model", [Settings.model]),
            "backend": SettingChoice("backend"),
            "device": SettingChoice("device", [Settings.device]),
            "threads": SettingChoice("threads", THREADS),
            "cpu_limit": SettingChoice("cpu_limit", LIMITS),
            "size": SettingChoice("size", SIZES),
            "fps": SettingChoice("fps", RATES),
        }
        self.switches = {name: Switch(name) for name in ("quiet_on_battery", "refine", "temporal")}
        self.timings = Timings()
        self.counts = label("", "small", wrap=True)
        grid = QGridLayout(self.body)
        grid.setContentsMargins(0, 0, 0, GRID // 2)
        grid.setHorizontalSpacing(GRID)
        grid.setVerticalSpacing(GRID)
        grid.setColumnStretch(0, 2)
        grid.setColumnStretch(1, 3)
        for row, (name, choice) in enumerate(self.choices.items()):
            grid.addWidget(Name(LABELS[name], choice), row, 0)
            grid.addWidget(choice, row, 1)
            choice.chosen.connect(self._changed)
        for switch in self.switches.values():
            grid.addWidget(switch, grid.rowCount(), 0, 1, 2)
            switch.chosen.connect(self._changed)
        self.header.toggled.connect(lambda on: self.refresh() if on else None)  # something was measured since, maybe
        line = QFrame()
        line.setProperty("look", "line")
        for widget in (line, self.timings, self.counts):
            grid.addWidget(widget, grid.rowCount(), 0, 1, 2)

    def refresh(self) -> None:
        """Look for networks and devices, beside the window."""
        self._jobs.run(find_ways, self._found, self._not_found)

    def show_settings(self, settings: Settings) -> None:
        """Show what is chosen."""
        for name, choice in self.choices.items():
            choice.show_value(getattr(settings, name))
        for name, switch in self.switches.items():
            switch.show_value(getattr(settings, name))

    def show_status(self, settings: Settings, status: Status | None) -> None:
        """Show where the time goes."""
        timings = status.timings if status else {}
        self.header.show_summary(f"{timings['total'].p50:.0f} ms" if "total" in timings else "")
        self.timings.show_timings(timings, settings.fps)
        if status is not None:
            counts = f"{status.captured} captured, {status.published} published, {status.dropped} dropped."
            self.counts.setText(f"{status.segmenter_name}. {counts}" if status.segmenter_name else counts)

    def _changed(self, name: str, value: Any) -> None:
        self.chosen.emit({name: value})

    def _found(self, ways: tuple[list[str], list[str]]) -> None:
        for name, values in zip(("model", "device"), ways, strict=True):
            self.choices[name].offer(["auto", *values])

    def _not_found(self, error: Exception) -> None:
        self.failed.emit(
            Problem("segmenter", f"The networks could not be listed ({error}).", "Run `greenroom doctor`.")
        )
