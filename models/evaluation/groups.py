"""Scores by groups of people: each person counts once, and chance is said beside each figure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

FEWEST = 10
"""People below whom a group's figure proves nothing."""
RESAMPLED = 1000
"""Bootstrap samples: the interval's ends then move by a tenth of its width from seed to seed."""
LIGHTS = (("dark, below 70", 70.0), ("middle, 70 to 120", 120.0), ("bright, above 120", np.inf))
"""Mean luma of 255 of the person, clothes and all. Fixed, so that sets of pictures can be compared; roughly thirds."""
CONTRASTS = (("below 15", 15.0), ("15 to 40", 40.0), ("above 40", np.inf))
"""Difference in mean luma of 255 between the person and what is around them."""
AROUND = 0.06
"""Of the picture's width: how far "around" reaches from the mask."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One picture's scores: `who` is the person, `groups` what they and the picture belong to, by attribute.

    `j` and `f` are in percent, by network.
    """

    part: str
    who: str
    groups: dict[str, str]
    j: dict[str, float]
    f: dict[str, float]


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over people, and the ends of its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.1f} ({self.low:.1f}…{self.high:.1f})"


def light_of(frame: NDArray[np.uint8], truth: NDArray[np.bool_]) -> dict[str, str]:
    """The groups of light and of contrast that a BGR picture belongs to, or none where nobody is on it."""
    side = round(AROUND * truth.shape[1])
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * side + 1, 2 * side + 1))
    around = (cv2.dilate(truth.astype(np.uint8), disc) > 0) & ~truth
    if not truth.any() or not around.any():
        return {}
    luma = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY).astype(np.float32)
    person, room = float(luma[truth].mean()), float(luma[around].mean())
    return {"light": _below(person, LIGHTS), "contrast": _below(abs(person - room), CONTRASTS)}


def _below(value: float, limits: Sequence[tuple[str, float]]) -> str:
    return next(name for name, limit in limits if value < limit)


def per_person(scored: Sequence[Scored], score: Callable[[Scored], float]) -> NDArray[np.float64]:
    """Each person's mean score."""
    people: defaultdict[str, list[float]] = defaultdict(list)
    for picture in scored:
        people[picture.who].append(score(picture))
    return np.array([np.mean(scores) for scores in people.values()])


def _resampled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of samples of these people, drawn with replacement."""
    drawn = np.random.default_rng(0).integers(0, len(values), (RESAMPLED, len(values)))
    return np.asarray(values[drawn].mean(1), np.float64)


def _interval(mean: float, means: NDArray[np.float64]) -> Figure:
    return Figure(mean, *map(float, np.percentile(means, (2.5, 97.5))))


def figure(values: NDArray[np.float64]) -> Figure:
    """The mean of people's scores with its interval."""
    return _interval(float(values.mean()), _resampled(values))


def gap(values: dict[str, NDArray[np.float64]]) -> tuple[str, str, Figure] | None:
    """The largest gap between groups that are large enough: the best group, the worst, the difference.

    An interval that holds 0 means that chance alone may have made it. None with fewer than two such groups.
    """
    large = {name: people for name, people in values.items() if len(people) >= FEWEST}
    if len(large) < 2:
        return None
    best, worst = (pick(large, key=lambda name: large[name].mean()) for pick in (max, min))
    difference = float(large[best].mean() - large[worst].mean())
    return best, worst, _interval(difference, _resampled(large[best]) - _resampled(large[worst])[::-1])


def table(scored: Sequence[Scored], attribute: str, order: Sequence[str], networks: Sequence[str]) -> str:
    """A table in Markdown: a row a group, each network's J with its interval, and F; below, the largest gaps in J."""
    rows = defaultdict(list)
    for picture in scored:
        if attribute in picture.groups:
            rows[picture.groups[attribute]].append(picture)
    lines = [f"| {attribute} | people | pictures |" + "".join(f" {name} J | F |" for name in networks)]
    lines += ["|---" * (3 + 2 * len(networks)) + "|"]
    for group in [name for name in order if name in rows]:
        pictures = rows[group]
        people = len({picture.who for picture in pictures})
        cells = ""
        for name in networks:
            j, f = (per_person(pictures, lambda p, n=name, of=of: getattr(p, of)[n]) for of in ("j", "f"))  # type: ignore[misc]
            cells += f" {figure(j)} | {f.mean():.1f} |"
        lines += [f"| {group}{'' if people >= FEWEST else ' *'} | {people} | {len(pictures)} |{cells}"]
    for name in networks:
        found = gap({group: per_person(pictures, lambda p, n=name: p.j[n]) for group, pictures in rows.items()})  # type: ignore[misc]
        if found:
            best, worst, difference = found
            lines += ["", f"Largest gap of {name}: {difference} of J, {best} over {worst}."]
    return "\n".join(lines)
