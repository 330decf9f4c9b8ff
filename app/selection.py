"""From the settings to the way a network runs: what is held fast, what it may cost, and which way that means."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from app.capture.factory import open_source
from app.compose.planes import fit_frame
from app.frame import Image
from app.power import on_battery
from app.settings import Settings
from backends import Availability, child, get_backend, selector
from backends.choice import Budget, Outcome, Verdict, rank
from backends.tiers import Candidate, Network, Pin, cores
from models.manifest import Model, ModelError, get_model, manifest
from models.segmenter import shrink

QUIET = 0.5
"""On battery a network may take this share of what it may on mains power. Chosen, not measured: no machine with a
battery was at hand."""


def pin(settings: Settings) -> Pin:
    """What the settings hold fast."""
    return Pin(settings.backend, settings.device, settings.model, settings.precision, settings.threads)


def unpinned(settings: Settings) -> Settings:
    """The same settings with nothing held fast: any way is better than a picture that stays covered."""
    defaults = {name: getattr(Settings, name) for name in ("backend", "device", "model", "precision", "threads")}
    return settings.replace(**defaults)


def budget(settings: Settings, *, realtime: bool = True) -> Budget:
    """What a network may take now: for a file that need not keep up with anything, all it wants."""
    if not realtime:
        return Budget(fps=0)
    share = QUIET if settings.quiet_on_battery and on_battery() else 1.0
    return Budget(settings.fps, settings.cpu_limit * share, cores())


def models(settings: Settings) -> list[Model]:
    """The networks that the settings allow.

    Raises:
        ModelError: the one they name is not there.
    """
    return list(manifest().values()) if settings.model == "auto" else [get_model(settings.model)]


def networks(settings: Settings, *, verify: bool = False) -> list[Network]:
    """Every file of these networks that is there.

    Args:
        settings: which networks.
        verify: leave out those that are not what the manifest names; `file_of`, which every load goes through, refuses
            them anyway.

    Raises:
        ModelError: not one is there; the message is the first one's.
    """
    good, bad = [], []
    for model in models(settings):
        for file in model.files:
            try:
                path = file.verify() if verify or not file.path.is_file() else file.path
                good.append(Network(model.name, model.tier, file.format, file.precision, path))
            except ModelError as error:
                bad.append(error)
    if bad and not good:
        raise bad[0]
    return good


def measure(
    settings: Settings,
    found: Mapping[str, Availability],
    *,
    tier: str = "",
    again: bool = False,
    cancelled: Callable[[], bool] = child.never,
) -> list[Outcome]:
    """Measure what was not measured on this machine yet, on a frame of the bundled clip.

    Args:
        settings: what is held fast.
        found: what `selector.probe_all` found.
        tier: the networks' tier, "" for all.
        again: measure also what is known.
        cancelled: looked at now and then; True ends the measurement.

    Raises:
        Cancelled: it was ended.
        ModelError: no network's file is what the manifest names.
    """
    files = [network for network in networks(settings, verify=True) if tier in ("", network.tier)]
    with tempfile.TemporaryDirectory() as folder:

        def picture(name: str) -> Path:
            path = Path(folder) / f"{name}.npy"
            if not path.exists():
                np.save(path, _picture(get_model(name)))
            return path

        return selector.measured(files, pin(settings), picture, found=found, again=again, cancelled=cancelled)


def _picture(model: Model) -> Image:
    """A frame of the bundled clip at the network's size."""
    small = np.empty((model.input.height, model.input.width, 3), np.uint8)
    shrink(sample(1280, 720), small)
    return small


def sample(width: int, height: int) -> Image:
    """A frame of the bundled clip, with somebody in it, uint8 BGR (height, width, 3)."""
    source = open_source("clip", width=width, height=height, fps=30, loop=False)
    frame = fit_frame(source.read(), width, height)
    source.close()
    return frame


def verdicts(settings: Settings, outcomes: Sequence[Outcome], *, realtime: bool = True) -> list[Verdict]:
    """The measured ways, the chosen first."""
    tiers = {model.name: model.tier for model in models(settings)}
    return rank(outcomes, budget(settings, realtime=realtime), tiers)


def ways(settings: Settings, outcomes: Sequence[Outcome] | None = None, *, realtime: bool = True) -> list[Candidate]:
    """All that may run what the settings ask for, the best known first; nothing is measured.

    Args:
        settings: what the user wants.
        outcomes: what was measured; None for what is remembered.
        realtime: whether it must keep up with the settings' frames a second.
    """
    files = networks(settings)
    known = selector.remembered(files, pin(settings)) if outcomes is None else outcomes
    measured = [v.outcome.candidate for v in verdicts(settings, known, realtime=realtime) if not v.outcome.problem]
    guesses = selector.preliminary(files, pin(settings), quickest=realtime)
    return list(dict.fromkeys([*measured, *guesses]))


def file_of(candidate: Candidate) -> tuple[Model, Network]:
    """The candidate's model and verified file.

    Raises:
        ModelError: there is none, or it is not the one the manifest names.
    """
    model = get_model(candidate.model)
    file = model.file(get_backend(candidate.backend).FORMAT, candidate.precision)
    return model, Network(model.name, model.tier, file.format, file.precision, file.verify())
