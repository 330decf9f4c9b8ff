"""Which of the measured ways runs: the best masks that the user's budget affords, and of those the cheapest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from backends.tiers import Candidate, place

TIME_SHARE = 0.6
"""The share of the time between two frames that a network may take in the median: refining and compositing take a fifth
at 1280×720 and 30 frames a second (BENCHMARKS.md), the other fifth is for the slowest frames."""

DELAY = 0.25
"""A millisecond of waiting counts as so much CPU time: among the affordable the cheapest wins, and of two that cost
nearly the same (a GPU and an NPU, one thread and two) the faster."""

LOADING, LOADING_MOST = 1e-3, 1000.0
"""A second of loading counts as a millisecond of every frame, and no load for more than this: at every start somebody
waits for it, and what loads long takes more memory too (OpenVINO three times what LiteRT takes, BENCHMARKS.md). What a
driver compiles the first time does not come again."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a candidate measured.

    Attributes:
        candidate: the way.
        ms, p95: a run's median in the quietest moment, and the 95th percentile.
        cpu_ms: CPU time of a run, all threads.
        load_ms: from the file to the first result, in a fresh process.
        memory: MiB that the process grew by, runtime included.
        agreement: how far its mask of a picture is that of the network's fp32 file on the CPU: J in per cent; None
            where there was nothing to compare with.
        problem: why it could not run; the figures are then 0.
    """

    candidate: Candidate
    ms: float = 0.0
    p95: float = 0.0
    cpu_ms: float = 0.0
    load_ms: float = 0.0
    memory: float = 0.0
    agreement: float | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Budget:
    """What a network may take.

    Attributes:
        fps: frames a second it must keep up with; 0 for a file, where only the masks count.
        cpu: per cent of the whole processor, at most; 100 for no limit.
        cores: how many cores the processor has.
    """

    fps: float = 30.0
    cpu: float = 100.0
    cores: int = 1

    @property
    def ms(self) -> float:
        """Milliseconds that a frame leaves for the network."""
        return 1000 / self.fps * TIME_SHARE

    def percent(self, outcome: Outcome) -> float:
        """Per cent of the whole processor that a way takes at this rate."""
        return outcome.cpu_ms * self.fps / 10 / self.cores

    def lacks(self, outcome: Outcome) -> str:
        """Why a way is not affordable, "" when it is."""
        if outcome.problem:
            return f"cannot run: {outcome.problem}"
        if self.fps == 0:
            return ""
        if outcome.ms > self.ms:
            return f"too slow: {outcome.ms:.1f} ms, and {self.fps:g} frames a second leave {self.ms:.1f}"
        if (percent := self.percent(outcome)) > self.cpu:
            return f"takes too much: {percent:.0f} % of the processor, and {self.cpu:.0f} are allowed"
        return ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A way's place in the ranking: whether the budget affords it, and in one line why it was chosen or not."""

    outcome: Outcome
    affordable: bool
    why: str


def rank(outcomes: Iterable[Outcome], budget: Budget, tiers: Mapping[str, str]) -> list[Verdict]:
    """All ways, the chosen first and those that cannot run last.

    When the budget affords none, the cheapest is chosen: a slow mask is better than a picture that stays covered.

    Args:
        outcomes: what they measured.
        budget: what the user allows.
        tiers: each network's tier.
    """

    def key(outcome: Outcome) -> tuple[bool, bool, int, bool, float]:
        lacks = bool(budget.lacks(outcome))
        tier = 0 if lacks else place(tiers.get(outcome.candidate.model, ""))
        return bool(outcome.problem), lacks, tier, _coarse(outcome, budget), _cost(outcome, budget)

    ranked = sorted(outcomes, key=key)
    return [Verdict(o, not budget.lacks(o), _why(o, ranked[0], budget, tiers)) for o in ranked]


def _coarse(outcome: Outcome, budget: Budget) -> bool:
    """Whether it is for a file, where time is no reason to round a network."""
    return budget.fps == 0 and outcome.candidate.precision != "fp32"


def _cost(outcome: Outcome, budget: Budget) -> float:
    """CPU time and, at a fraction, delay and loading; for a file the delay alone."""
    if budget.fps == 0:
        return outcome.ms
    return outcome.cpu_ms + DELAY * outcome.ms + LOADING * min(outcome.load_ms, LOADING_MOST)


def _why(outcome: Outcome, best: Outcome, budget: Budget, tiers: Mapping[str, str]) -> str:
    lacks = budget.lacks(outcome)
    if outcome is best and not outcome.problem:
        if lacks:
            return f"chosen, although {lacks}; nothing here costs less"
        return f"chosen: the best masks {'in the least time' if budget.fps == 0 else 'that fit, at the least cost'}"
    if lacks:
        return lacks
    mine, its = (place(tiers.get(o.candidate.model, "")) for o in (outcome, best))
    if mine > its:
        return f"not chosen: {best.candidate.model} is affordable and cuts out better"
    if budget.fps == 0:
        return "not chosen: rounded" if _coarse(outcome, budget) else "not chosen: slower"
    if outcome.cpu_ms >= best.cpu_ms:
        return "not chosen: takes more CPU time than the chosen"
    slower = outcome.ms > best.ms
    return f"not chosen: {'slower than the chosen' if slower else 'saves little and takes longer to load'}"
