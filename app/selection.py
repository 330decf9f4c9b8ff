"""From the settings to the way a network runs: what is held fast, what it may cost, and which way that means."""

from __future__ import annotations

from collections.abc import Sequence

from app.power import on_battery
from app.settings import Settings
from backends import get_backend, selector
from backends.choice import Budget, Outcome, Verdict, rank
from backends.tiers import Candidate, Network, Pin, cores
from models.manifest import Model, ModelError, get_model, manifest

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
