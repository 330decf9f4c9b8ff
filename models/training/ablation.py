"""Change one thing at a time and see what it buys: `python -m models.training.ablation --data CLIPS`.

Our counterpart of Table 1 of "Efficient Heterogeneous Video Segmentation at the Edge", and of the loss's terms. Each
row is trained on the same pictures in the same order, scored on the clips, and timed in turns with the others; a
stopped run goes on with the row it was in.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.architectures.segmenter import Deployed, Segmenter, multiplied
from models.evaluation.__main__ import time_networks
from models.evaluation.clips import Score, find_clips, mean, score_clip
from models.evaluation.ours import Matting
from models.segmenter import shrink
from models.training.config import Config, read_config
from models.training.count import count
from models.training.data import Composites, split, to_network
from models.training.export import deployed, trained, write_onnx
from models.training.pool import read_pool
from models.training.train import CHECKPOINT, Trainer, train

Change = Callable[[Config], Config]
SETTLING = 320
"""Pictures for the batch norms' statistics; twice as many gave `hd-core` the same."""


def _shape(**fields: Any) -> Change:
    return lambda config: dataclasses.replace(config, shape=dataclasses.replace(config.shape, **fields))


def _width(factor: float) -> Change:
    return lambda config: dataclasses.replace(
        config, shape=dataclasses.replace(multiplied(factor, 1.0), decoder=config.shape.decoder)
    )


def _size(width: int, height: int) -> Change:
    return lambda config: dataclasses.replace(config, width=width, height=height)


def _further(config: Config) -> Config:
    """Train `lite` on, as its third part left it: what a term is worth shows once a network is good."""
    return dataclasses.replace(config, start="lite-long", rate=6e-4, pictures=5000)


def _loss(**fields: float) -> Change:
    return lambda config: dataclasses.replace(_further(config), loss=dataclasses.replace(config.loss, **fields))


def _taught(config: Config) -> Config:
    config = dataclasses.replace(_further(config), teacher="hd-core")
    return dataclasses.replace(config, loss=dataclasses.replace(config.loss, teacher=1.0))


def _chances(**fields: Any) -> Change:
    return lambda config: dataclasses.replace(_further(config), chances=dataclasses.replace(config.chances, **fields))


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what is studied, the choice, and what it changes in the configuration."""

    study: str
    choice: str
    change: Change

    @property
    def name(self) -> str:
        """The run's: letters, digits and dashes."""
        return "ablation-" + "-".join(f"{self.study} {self.choice}".lower().replace(",", "").replace("×", "x").split())


ROWS = (
    Row("Base", "lite", lambda config: config),
    Row("Decoder", "bilinear", _shape(variant="bilinear")),
    Row("Decoder", "attention", _shape(variant="attention")),
    Row("Convolution", "groups of 8", _shape(group=8)),
    Row("Width", "0.5", _width(0.5)),
    Row("Width", "1.0", _width(1.0)),
    Row("Resolution", "192×108", _size(192, 108)),
    Row("Resolution", "384×216", _size(384, 216)),
    Row("Loss", "all, trained on", _loss()),
    Row("Loss", "without Jaccard", _loss(jaccard=0.0)),
    Row("Loss", "without edge weight", _loss(edge=0.0)),
    Row("Loss", "without gradient", _loss(gradient=0.0)),
    Row("Loss", "without coarse mask", _loss(coarse=0.0)),
    Row("Loss", "with hardest pixels", _loss(hardest=0.25)),
    Row("Loss", "with steadiness", _loss(steady=1.0)),
    Row("Teacher", "hd-core beside the truth", _taught),
    Row("Pictures", "no cloth, no chairs", _chances(cloth=0.0, chair=0.0)),
    Row("Pictures", "hard ones more often", lambda config: dataclasses.replace(_further(config), mined="hd-core-long")),
    Row("Input", "with last mask", lambda config: _shape(previous=True)(_further(config))),
)
"""The rows. The base is depthwise, of the MLP decoder, thinned to `lite`'s widths, at 256×144, with the whole loss.

Rows of the loss, the teacher, the pictures and the input train the shipped `lite` on and are to be compared with "all,
trained on".
"""


def matting(network: Segmenter, config: Config) -> Matting:
    """The network as a function of frames, one after the other, that hands it its own last mask if it wants one."""
    module = Deployed(network).eval()
    last = torch.zeros(1, config.height, config.width, 1)

    def run(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
        nonlocal last
        picture = np.empty((config.height, config.width, 3), np.uint8)
        shrink(frame, picture)
        with torch.no_grad():
            last = module(torch.from_numpy(picture)[None], last if config.shape.previous else None)
        alpha: NDArray[np.float32] = last[0, ..., 0].numpy()
        return alpha

    return run


def settle(network: Segmenter, data: Composites, first: int, batch: int) -> None:
    """Take the batch norms' statistics anew for the averaged weights: of `SETTLING` pictures, `batch` at once.

    "Averaging Weights Leads to Wider Optima and Better Generalization" (Izmailov et al. 2018), section 3.2. After so
    short a training the averaged statistics are not yet the weights'. It moved rows by 0.2 to 2 of J, either way, and
    changed no order; after a long training (`hd-core`) it changed nothing.
    """
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # the plain mean
    network.train()
    with torch.no_grad():
        for start in range(first, first + SETTLING, batch):
            pictures = torch.stack([data[i][0] for i in range(start, start + batch)])
            network(to_network(pictures, torch.device("cpu")))
    network.eval()


def run_row(row: Row, base: Config, args: argparse.Namespace) -> dict[str, Any]:
    """Train (or go on with) a row, score it, and write its network for the timing."""
    config = dataclasses.replace(row.change(base), name=row.name)
    folder = args.runs / row.name
    folder.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(config, folder, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    trainer.resume()
    if trainer.progress < 1:
        train(trainer, args.pool, args.workers)
    network = trained(config, folder / CHECKPOINT)
    if not config.start:
        people, rooms = read_pool(*args.pool)
        settle(network, Composites(split(people)[0], rooms, config), config.pictures, config.batch)
    score = mean([score_clip(matting(network, config), clip) for clip in find_clips(args.data)])
    parameters, operations = count(config)
    if not config.shape.previous:  # the contract of the files has no second input; its cost is the base's
        module, picture = deployed(network), torch.zeros(1, config.height, config.width, 3, dtype=torch.uint8)
        write_onnx(module, picture, folder / "network.onnx")
    return {"score": dataclasses.asdict(score), "megabytes": 2e-6 * parameters, "giga": 2e-9 * operations}


def table(results: dict[str, dict[str, Any]], times: dict[str, float]) -> str:
    """The table, in Markdown, of the rows that are done."""
    lines = [
        "| study | choice | ms, one thread | MB, 16 bits | GOPs | J | F | MAD | dtSSD | flicker |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in ROWS:
        if result := results.get(row.name):
            score = Score(**result["score"])
            milliseconds = f"{times[row.name]:.2f}" if row.name in times else "–"
            lines.append(
                f"| {row.study} | {row.choice} | {milliseconds} | {result['megabytes']:.2f} | {result['giga']:.2f} "
                f"| {score.j:.2f} | {score.f:.2f} | {score.mad:.1f} | {score.dtssd:.2f} | {score.flicker:.2f} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Run all rows; print the table."""
    parser = argparse.ArgumentParser(prog="python -m models.training.ablation", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="clips with true alpha")
    parser.add_argument("--pool", type=Path, nargs="+", default=[Path(".work/pool")], help="what `prepare` wrote")
    parser.add_argument("--runs", type=Path, default=Path(".work/runs"), help="where checkpoints go")
    parser.add_argument("--workers", type=int, default=1, help="processes that compose pictures")
    parser.add_argument("--threads", type=int, default=2, help="the network's threads on a CPU")
    parser.add_argument("--only", nargs="+", metavar="STUDY", help="only rows of these studies")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(1)
    base, kept = read_config("ablation"), args.runs / "ablation.json"
    results: dict[str, dict[str, Any]] = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
    for row in ROWS:
        if row.name not in results and (not args.only or row.study in args.only):
            results[row.name] = run_row(row, base, args)
            kept.write_text(json.dumps(results, indent=1), encoding="utf-8")
    files = {name: args.runs / name / "network.onnx" for name in results}
    files = {name: path for name, path in files.items() if path.is_file()}
    timed = time_networks([str(path) for path in files.values()], None)
    print(table(results, {name: timed[str(path)] for name, path in files.items()}))


if __name__ == "__main__":
    main()
