"""J and F by skin's tone, by presentation where stated, and by light, with the largest gap: fairness, for the card.

    python -m models.evaluation.fairness lite selfie-landscape --peers ../shared/weights \\
        --parts selfie_multiclass_256x256.tflite --clips ../shared/data/dev \\
        --pools .work/pool .work/pool-third .work/pool-more --stated .work/stated --unseen .work/hunt

A second network beside ours shows whether a gap is the pictures' or ours. Skin is measured once and remembered.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from models.evaluation.__main__ import open_network
from models.evaluation.groups import CONTRASTS, LIGHTS, Scored, figure, light_of, per_person, table
from models.evaluation.metrics import contour, region
from models.evaluation.ours import Matting
from models.evaluation.portraits import Examiner, Portrait, held_out, on_clips, read_pools, stated, unseen
from models.evaluation.skin import DARKEST, TONES

ORDERS = {
    "skin": (*(name for name, _ in TONES), DARKEST),
    "presentation": ("female", "male"),
    "light": tuple(name for name, _ in LIGHTS),
    "contrast": tuple(name for name, _ in CONTRASTS),
}
PARTS = {
    "clips": "Development clips, true alpha",
    "held out": "Held-out people, put on other rooms",
    "stated": "People whose set states how they present, put on other rooms",
    "unseen": "Unseen people near the camera, as they are, without raised hands",
    "hands": "Unseen people near the camera with raised hands",
}


def score(portrait: Portrait, networks: dict[str, Matting]) -> Scored:
    """A portrait's scores, at its own size."""
    truth, size = portrait.truth > 127, portrait.truth.shape[::-1]
    j, f = {}, {}
    for name, matting in networks.items():
        found = cv2.resize(matting(portrait.frame), size, interpolation=cv2.INTER_LINEAR) > 0.5
        j[name], f[name] = 100 * region(found, truth), 100 * contour(found, truth)
    return Scored(portrait.part, portrait.who, {**portrait.known, **light_of(portrait.frame, truth)}, j, f)


def _clips_table(scored: list[Scored], names: list[str]) -> str:
    """The clips are too few for groups, so each is shown."""
    lines = ["| clip | angle | skin | light | contrast |" + "".join(f" {name} J |" for name in names)]
    lines += ["|---" * (5 + len(names)) + "|"]
    for who in dict.fromkeys(picture.who for picture in scored):
        frames = [picture for picture in scored if picture.who == who]
        what = [frames[0].groups.get(key, "–") for key in ("angle", "skin", "light", "contrast")]
        means = [f"{np.mean([frame.j[name] for frame in frames]):.1f}" for name in names]
        lines += [f"| {who} | " + " | ".join([*what, *means]) + " |"]
    return "\n".join(lines)


def report(scored: list[Scored], names: list[str]) -> str:
    """All tables, in Markdown."""
    blocks = []
    for part, title in PARTS.items():
        pictures = [picture for picture in scored if picture.part == part]
        if not pictures:
            continue
        overall = [f"{n} {figure(per_person(pictures, lambda p, n=n: p.j[n]))}" for n in names]  # type: ignore[misc]
        blocks += [f"### {title}\n\n{len(pictures)} pictures; J overall: " + ", ".join(overall)]
        if part == "clips":
            blocks += [_clips_table(pictures, names)]
            continue
        for attribute, order in ORDERS.items():
            if any(attribute in picture.groups for picture in pictures):
                blocks += [table(pictures, attribute, order, names)]
    return "\n\n".join(blocks)


def _portraits(args: argparse.Namespace, examine: Examiner) -> Iterator[Portrait]:
    if args.clips:
        yield from on_clips(args.clips, examine)
    if args.pools:
        others, rooms = read_pools(args.pools)
        yield from held_out(others, rooms, examine)
        if args.stated:
            yield from stated(args.stated, args.peers, rooms, examine)
    if args.unseen:
        yield from unseen(args.unseen, args.peers, examine)


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m models.evaluation.fairness", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("models", nargs="+", metavar="MODEL", help="ours, an .onnx or .tflite file, or a peer")
    parser.add_argument("--peers", type=Path, required=True, help="the folder with the peers' files")
    parser.add_argument("--parts", type=Path, required=True, help="selfie_multiclass_256x256.tflite, which finds skin")
    parser.add_argument("--clips", type=Path, help="a folder of clips with true alpha")
    parser.add_argument("--pools", type=Path, nargs="+", default=[], help="the training's pools, in its order")
    parser.add_argument(
        "--stated", type=Path, help="pictures with a column `presentation` in sources.csv; needs --pools"
    )
    parser.add_argument("--unseen", type=Path, help="pictures that were never trained on")
    parser.add_argument("--memory", type=Path, default=Path(".work/faces.json"), help="where measured skin is kept")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    networks = {Path(name).stem: open_network(name, args.peers) for name in args.models}
    examine = Examiner(args.parts, args.peers, args.memory)
    scored = [score(portrait, networks) for portrait in tqdm(_portraits(args, examine), unit="picture", leave=False)]
    examine.remember()
    print(report(scored, list(networks)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
