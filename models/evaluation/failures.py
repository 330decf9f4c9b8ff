"""Hunt for failures: run networks on pictures nobody trained on and list those furthest from Robust Video Matting.

    python -m models.evaluation.failures lite --pictures .work/hunt --peers ../shared/weights --worst 90 \\
        --sheets .work/hunt
    python -m models.evaluation.failures lite NEW.onnx --pictures .work/hunt --peers ../shared/weights \\
        --list models/cards/failures.csv

The first finds the worst, to be looked at and written into a list with what caused each; the second says how any
network does on such a list, cause by cause: before and after.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.evaluation.__main__ import open_network
from models.evaluation.ours import Matting
from models.evaluation.sheet import Row, outlined, write_sheet
from models.evaluation.stills import read_sources, read_stills
from models.training.pool import Sample

SMALLEST = 0.05
"""Share of the picture below which a person counts as this large: else every speck taken for one leads the list."""
A_SOURCE = 3
"""Pictures of one source among the worst: more would show one fault of one room again and again."""
FAILED = 0.10
"""Distance from which a picture is a failure: a tenth of the person wrong is seen at once in a call."""


def distance(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Pixels that are wrong, in parts of the person's."""
    person = max(float(np.count_nonzero(truth)), SMALLEST * truth.size)
    return float(np.count_nonzero(found != truth)) / person


def distances(matting: Matting, samples: Sequence[Sample]) -> dict[str, float]:
    """Each picture's distance from RVM's mask."""
    found = {}
    for sample in tqdm(samples, unit="picture", leave=False):
        mask = cv2.resize(matting(sample.picture), sample.alpha.shape[::-1], interpolation=cv2.INTER_LINEAR) > 0.5
        found[sample.name] = distance(mask, sample.alpha > 127)
    return found


def worst(found: Mapping[str, float], count: int, limit: int = A_SOURCE) -> list[str]:
    """The names with the largest distances, the worst first, at most `limit` of one prefix."""
    taken: Counter[str] = Counter()
    names: list[str] = []
    for name in sorted(found, key=found.__getitem__, reverse=True):
        prefix = name.split("_")[0]
        if taken[prefix] < limit and len(names) < count:
            taken[prefix] += 1
            names.append(name)
    return names


def fails(title: str, groups: Mapping[str, str], found: Mapping[str, Mapping[str, float]]) -> str:
    """A Markdown table: for each group how many pictures, how many of them each network fails, the median distance."""
    of: defaultdict[str, list[str]] = defaultdict(list)
    for name, group in groups.items():
        of[group].append(name)
    lines = [f"| {title} | pictures |" + "".join(f" {network} fails | wrong, % |" for network in found)]
    lines += ["|---" * (2 + 2 * len(found)) + "|"]
    for group, names in [*sorted(of.items(), key=lambda item: -len(item[1])), ("all", list(groups))]:
        cells = ""
        for distance_of in found.values():
            values = [distance_of[name] for name in names]
            cells += f" {sum(value >= FAILED for value in values)} | {100 * np.median(values):.0f} |"
        lines += [f"| {group} | {len(names)} |{cells}"]
    return "\n".join(lines)


def _sheets(folder: Path, samples: Sequence[Sample], names: list[str], networks: dict[str, Matting]) -> None:
    """Write what was found as pictures to look at, ten rows each."""
    by_name = {sample.name: sample for sample in samples}
    for start in range(0, len(names), 10):
        rows = []
        for name in names[start : start + 10]:
            sample = by_name[name]
            mattes = [np.asarray(sample.alpha, np.float32) / np.float32(255)]
            mattes += [matting(sample.picture) for matting in networks.values()]
            rows += [Row(name, [sample.picture, *(outlined(sample.picture, matte) for matte in mattes)])]
        write_sheet(folder / f"worst-{start // 10}.png", ["picture", "rvm", *networks], rows)


def main() -> int:
    """Print the worst, or the table of a list."""
    parser = argparse.ArgumentParser(prog="python -m models.evaluation.failures", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("models", nargs="+", metavar="MODEL", help="ours, an .onnx or .tflite file, or a peer")
    parser.add_argument("--pictures", type=Path, required=True, help="a folder with images/ and sources.csv")
    parser.add_argument("--peers", type=Path, required=True, help="the folder with RVM's and the other peers' files")
    parser.add_argument("--worst", type=int, default=50, help="how many to list; the first network decides")
    parser.add_argument("--sheets", type=Path, help="a folder for pictures of the worst")
    parser.add_argument("--list", type=Path, help="a list with causes: csv with columns `file` and `cause`")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    samples = read_stills(args.pictures, args.peers)
    networks = {Path(name).stem: open_network(name, args.peers) for name in args.models}
    if args.list:
        with args.list.open(newline="", encoding="utf-8") as file:
            causes = {Path(row["file"]).stem: row["cause"] for row in csv.DictReader(file)}
        missing = sorted(set(causes) - {sample.name for sample in samples})
        if missing:
            print(f"{args.pictures} lacks {', '.join(missing)}: gather them again from {args.list}", file=sys.stderr)
            return 1
    found = {name: distances(matting, samples) for name, matting in networks.items()}
    what = {name: row.get("what", "all") for name, row in read_sources(args.pictures).items()}
    print(fails("what is seen", {sample.name: what[sample.name] for sample in samples}, found))
    if args.list:
        print("", fails("cause", causes, found), sep="\n")
        return 0
    first = next(iter(found.values()))
    names = worst(first, args.worst)
    for name in names:
        print(name, *(f"{values[name]:.2f}" for values in found.values()))
    if args.sheets:
        _sheets(args.sheets, samples, names, networks)
    return 0


if __name__ == "__main__":
    sys.exit(main())
