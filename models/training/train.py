"""Train a network: `python -m models.training.train --config lite`. Stopped and started again, it goes on.

The same code runs on the CPU, in float32, and on CUDA, in bfloat16 and compiled. (On a CPU with bfloat16
instructions the smaller type was a sixth slower: depthwise convolutions gain nothing and the conversions cost.)
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn
from tqdm import tqdm

from models.architectures.imagenet import grow, load_imagenet
from models.architectures.segmenter import Segmenter
from models.training import motion
from models.training.config import Config, read_config
from models.training.data import Composites, loader, read_mined, repeated, split, to_network
from models.training.losses import total
from models.training.pool import read_pool
from models.training.runlog import RunLog

CHECKPOINT = "checkpoint.pt"
KEPT = Path(__file__).parent / "kept"
"""Trained networks in half precision, batch norms and all, from which a later training can start."""
CHECKPOINT_SECONDS = 120.0
LONGEST_STEP = 10.0
"""Seconds that a step may count for: a machine that slept, or a process that was stopped, did not train meanwhile."""
HELD_OUT_PICTURES = 192
TWINS = 4
"""One picture in so many is seen again as the next frame would be, where steadiness is a term of the loss."""


def rate_at(progress: float, config: Config) -> float:
    """The learning rate at this share of the training time: up in a straight line, down as a cosine to a hundredth."""
    if progress < config.warm_up:
        return config.rate * max(progress / config.warm_up, 0.02)
    fall = (min(progress, 1.0) - config.warm_up) / (1 - config.warm_up)
    return config.rate * (0.01 + 0.99 * (1 + math.cos(math.pi * fall)) / 2)


def parameter_groups(network: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Weights decay; biases and batch norms, which have one dimension, do not."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def read_weights(name: str, runs: Path) -> dict[str, Tensor]:
    """The weights of a network kept in git or, where there is none, of a run's average.

    Raises:
        FileNotFoundError: there is neither.
    """
    kept, run = KEPT / f"{name}.pt", runs / name / CHECKPOINT
    if not kept.is_file() and not run.is_file():
        raise FileNotFoundError(f"neither {kept} nor {run} is there: train {name} first")
    saved: dict[str, Any] = torch.load(kept if kept.is_file() else run, map_location="cpu", weights_only=True)
    return saved if kept.is_file() else saved["average"]


def widened(theirs: dict[str, Tensor], ours: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, 1×1 filters in the middle of larger ones where ours are larger: they do the same."""
    wide = dict(theirs)
    for key, value in theirs.items():
        if key in ours and value.ndim == 4 and value.shape[2:] == (1, 1) and value.shape[:2] == ours[key].shape[:2]:
            around = ours[key].shape[2] // 2
            wide[key] = functional.pad(value, (around,) * 4)
    return wide


def load_start(network: Segmenter, name: str, runs: Path) -> set[str]:
    """Take over the weights of a network kept in git or, where there is none, of a run's average.

    A thinner network's encoder is grown to this one's size and does the same at first, as do 1×1 filters where it has
    larger ones. Other layers that it lacks or
    has in another size begin anew.

    Returns:
        The names of the tensors that were taken over as they are.

    Raises:
        FileNotFoundError: there is neither.
        ValueError: it learnt from softened pictures, and this one does not soften them.
    """
    theirs = read_weights(name, runs)
    if "soften.filters" in theirs and "soften.filters" not in network.state_dict():
        raise ValueError(f"{name} has learnt from softened pictures: set soft = true in the configuration's [shape]")
    # Filters for the last mask, which a network that looks at it has and its start has not, begin at zero.
    stem, inputs = theirs["encoder.stem.0.weight"], network.encoder.stem[0].in_channels
    theirs["encoder.stem.0.weight"] = functional.pad(stem, (0, 0, 0, 0, 0, inputs - stem.shape[1]))
    encoder = {key.removeprefix("encoder."): value for key, value in theirs.items() if key.startswith("encoder.")}
    wanted = {key: value.shape for key, value in network.encoder.state_dict().items()}
    if {key: value.shape for key, value in encoder.items()} != wanted:
        grow(network.encoder, encoder)
        theirs = {key: value for key, value in theirs.items() if not key.startswith("encoder.")}
    ours = network.state_dict()
    theirs = widened(theirs, ours)
    fitting = {key: value for key, value in theirs.items() if key in ours and ours[key].shape == value.shape}
    network.load_state_dict(fitting, strict=False)
    return set(fitting)


def open_teacher(name: str, runs: Path) -> Segmenter:
    """The average of a finished run, to learn from.

    Raises:
        FileNotFoundError: there is no such run.
    """
    path = runs / name / CHECKPOINT
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: train {name} first, which is to teach")
    network = Segmenter(read_config(name).shape)
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True)["average"])
    return network.eval().requires_grad_(False)


def begin_learning(network: nn.Module, frozen: set[str], statistics: bool = True) -> None:
    """Put the network into training mode but for the layers whose tensors are frozen, statistics included.

    Without `statistics` no batch norm counts on, though its scale and shift learn.
    """
    network.train()
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name not in frozen)
    for name, module in network.named_modules():
        if f"{name}.running_mean" in frozen or (isinstance(module, nn.BatchNorm2d) and not statistics):
            module.eval()


class Trainer:
    """One run: network, its average, optimiser and where it stands, all of which a checkpoint holds."""

    def __init__(self, config: Config, folder: Path, device: torch.device) -> None:
        torch.manual_seed(config.seed)
        self.config, self.folder, self.device = config, folder, device
        self.network = Segmenter(config.shape)
        self.frozen: set[str] = set()
        if config.start_share and not config.start:
            raise ValueError(f"{config.name} is to be drawn back to its start, and names none")
        if config.start:
            taken = load_start(self.network, config.start, folder.parent)
            self.frozen = {name for name in taken if name.startswith(config.frozen)}
            if lost := [layer for layer in config.frozen if not any(name.startswith(layer) for name in taken)]:
                raise ValueError(f"{config.name} freezes {', '.join(lost)}, which {config.start} does not hand over")
        else:
            load_imagenet(self.network.encoder)
        self.network.to(device, memory_format=torch.channels_last)
        if bool(config.teacher) != bool(config.loss.teacher):
            raise ValueError(f"{config.name} needs a teacher and the loss's weight for it, both or neither")
        self.teacher = open_teacher(config.teacher, folder.parent).to(device) if config.teacher else None
        begin_learning(self.network, self.frozen, config.statistics)
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.optimiser = torch.optim.AdamW(parameter_groups(self.network, config.decay), lr=config.rate)
        self.step, self.pictures, self.seconds = 0, 0, 0.0

    def save(self) -> None:
        """Write the checkpoint; a stop in the middle leaves the last one."""
        partial = self.folder / f"{CHECKPOINT}.partial"
        state = {name: getattr(self, name).state_dict() for name in ("network", "average", "optimiser")}
        torch.save({**state, "step": self.step, "pictures": self.pictures, "seconds": self.seconds}, partial)
        partial.replace(self.folder / CHECKPOINT)

    def resume(self) -> None:
        """Go on where the checkpoint, if there is one, stands."""
        path = self.folder / CHECKPOINT
        if path.is_file():
            state = torch.load(path, map_location=self.device, weights_only=True)
            for name in ("network", "average", "optimiser"):
                getattr(self, name).load_state_dict(state[name])
            self.step, self.pictures, self.seconds = state["step"], state["pictures"], state["seconds"]

    @property
    def progress(self) -> float:
        """The share of the training that is over."""
        if self.config.pictures:
            return self.pictures / self.config.pictures
        return self.seconds / (60 * self.config.minutes)

    def learn(self, forward: nn.Module, picture: Tensor, alpha: Tensor) -> Tensor:
        """One step on a batch as the loader gives it; returns the loss."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate_at(self.progress, self.config)
        truth = alpha.to(self.device, non_blocking=True)[:, None].float() / 255
        image, weights = to_network(picture, self.device), self.config.loss
        twins, (across, down) = (len(image) // TWINS if weights.steady else 0), motion.step()
        if twins:
            image = torch.cat([image, motion.next_frame(image[:twins], across, down)])
            truth = torch.cat([truth, motion.shifted(truth[:twins], across, down)])
        last = motion.last_mask(truth) if self.config.shape.previous else None
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            logits, coarse = forward(image, last)
        logits = logits.float()
        loss = total(logits, coarse.float(), truth, weights, image / 255 if weights.settled else None)
        if twins:
            masks = torch.sigmoid(logits)
            loss = loss + weights.steady * motion.unsteadiness(masks[:twins], masks[-twins:], across, down)
        if self.teacher is not None:
            with torch.no_grad():
                theirs = torch.sigmoid(self.teacher(image)[0])
            loss = loss + weights.teacher * functional.binary_cross_entropy_with_logits(logits, theirs)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        self.step += 1
        self.pictures += len(picture)
        self._draw_average(self.network, 1 - min(self.config.average, (1 + self.step) / (10 + self.step)))
        return loss.detach()

    def finish(self) -> None:
        """Draw the average back to the start, as far as the configuration says.

        "Robust fine-tuning of zero-shot models" (Wortsman et al. 2022), section 3: on the straight line between a
        network and what was trained on from it lie some that are better than either.
        """
        if self.config.start_share:
            start = copy.deepcopy(self.average)
            load_start(start, self.config.start, self.folder.parent)
            self._draw_average(start, self.config.start_share)

    @torch.no_grad()
    def _draw_average(self, towards: Segmenter, share: float) -> None:
        ours, theirs = self.average.state_dict(), towards.state_dict()
        floats = [name for name, tensor in ours.items() if tensor.is_floating_point()]
        torch._foreach_lerp_([ours[n] for n in floats], [theirs[n] for n in floats], share)

    @torch.no_grad()
    def held_out(self, data: Composites) -> float:
        """Mean IoU in percent, at half, of the averaged network on composites of people it was not trained on."""
        ious = []
        for start in range(0, HELD_OUT_PICTURES, 32):
            pairs = [data[i] for i in range(start, start + 32)]
            pictures, truth = (
                torch.stack([p for p, _ in pairs]),
                torch.stack([a for _, a in pairs]).to(self.device) > 127,
            )
            found = self.average(to_network(pictures, self.device))[0][:, 0] > 0
            both, either = (found & truth).sum((1, 2)), (found | truth).sum((1, 2))
            ious += [((both + 1) / (either + 1)).cpu()]
        return 100 * float(torch.cat(ious).mean())


def train(trainer: Trainer, pools: list[Path], workers: int) -> None:
    """Train until the configuration's minutes are over."""
    config = trainer.config
    people, rooms = read_pool(*pools)
    ours, others = split(people)
    print(f"{len(ours)} pictures of people, {len(others)} held out, {len(rooms)} rooms, from step {trainer.step}")
    held_out = Composites(others, rooms, config)
    rooms = [room for room in rooms for _ in range(config.rooms.get(room.kind, 1))]
    if config.mined:
        often = read_mined(trainer.folder.parent / config.mined)
        ours, rooms = repeated(ours, often), repeated(rooms, often)
    batches = iter(loader(Composites(ours, rooms, config, other_sizes=True), config, trainer.pictures, workers))
    forward = torch.compile(trainer.network) if trainer.device.type == "cuda" else trainer.network
    log = RunLog(trainer.folder, trainer.step)
    since_save, losses = 0.0, []
    whole, unit = (config.pictures, "picture") if config.pictures else (round(60 * config.minutes), "s")
    with tqdm(total=whole, initial=round(whole * trainer.progress), unit=unit, mininterval=5) as bar:
        while trainer.progress < 1:
            began = time.monotonic()
            picture, alpha = next(batches)
            waited = time.monotonic() - began
            losses.append(trainer.learn(forward, picture, alpha))
            took = min(time.monotonic() - began, LONGEST_STEP)
            trainer.seconds += took
            since_save += took
            log.count(config.batch, took, waited)
            bar.update(round(whole * trainer.progress) - bar.n)
            if trainer.progress >= 1:
                trainer.finish()
            if since_save >= CHECKPOINT_SECONDS or trainer.progress >= 1:
                loss = float(torch.stack(losses).mean())
                log.write(
                    trainer.step, trainer.seconds, loss, trainer.held_out(held_out), rate_at(trainer.progress, config)
                )
                trainer.save()
                since_save, losses = 0.0, []


def main() -> None:
    """Train by a configuration; print and draw how it goes."""
    parser = argparse.ArgumentParser(prog="python -m models.training.train", description=__doc__)
    parser.add_argument("--config", required=True, help="a name in models/training/configs")
    parser.add_argument("--pool", type=Path, nargs="+", default=[Path(".work/pool")], help="what `prepare` wrote")
    parser.add_argument("--runs", type=Path, default=Path(".work/runs"), help="where checkpoint and log go")
    parser.add_argument("--workers", type=int, default=1, help="processes that compose pictures")
    parser.add_argument("--threads", type=int, default=2, help="the network's threads on a CPU")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    config = read_config(args.config)
    folder = args.runs / config.name
    folder.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(config, folder, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    trainer.resume()
    train(trainer, args.pool, args.workers)


if __name__ == "__main__":
    main()
