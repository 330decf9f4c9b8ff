"""How a run went: one line every checkpoint in `log.csv`, drawn in `curves.png`."""

from __future__ import annotations

import csv
from pathlib import Path

from tqdm import tqdm

FIELDS = ("step", "minutes", "loss", "held_out_iou", "rate", "pictures_per_second", "waiting_share")


class RunLog:
    """Appends to a run's log; lines after `step`, of a run that was stopped before its checkpoint, are dropped."""

    def __init__(self, folder: Path, step: int) -> None:
        self._csv, self._png = folder / "log.csv", folder / "curves.png"
        self._rows: list[dict[str, float]] = []
        if self._csv.is_file():
            with self._csv.open(newline="", encoding="utf-8") as file:
                rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
            self._rows = [row for row in rows if row["step"] <= step]
        self._pictures, self._seconds, self._waited = 0, 0.0, 0.0

    def count(self, pictures: int, seconds: float, waited: float) -> None:
        """Count one step: its pictures, how long it took, and how much of that was waiting for the pictures."""
        self._pictures, self._seconds, self._waited = (
            self._pictures + pictures,
            self._seconds + seconds,
            self._waited + waited,
        )

    def write(self, step: int, seconds: float, loss: float, held_out: float, rate: float) -> None:
        """Write what came since the last line."""
        speed, waiting = self._pictures / self._seconds, self._waited / self._seconds
        values = (step, seconds / 60, loss, held_out, rate, speed, waiting)
        self._rows.append(dict(zip(FIELDS, values, strict=True)))
        self._pictures, self._seconds, self._waited = 0, 0.0, 0.0
        with self._csv.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows({key: f"{value:.6g}" for key, value in row.items()} for row in self._rows)
        tqdm.write(", ".join(f"{key} {value:.4g}" for key, value in self._rows[-1].items()))
        self._draw()

    def _draw(self) -> None:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot

        figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
        minutes = [row["minutes"] for row in self._rows]
        left.plot(minutes, [row["loss"] for row in self._rows])
        left.set(xlabel="minutes", ylabel="loss")
        right.plot(minutes, [row["held_out_iou"] for row in self._rows])
        right.set(xlabel="minutes", ylabel="IoU in % on people held out")
        figure.savefig(self._png, dpi=90)
        pyplot.close(figure)
