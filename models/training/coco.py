"""Draw the masks of COCO's annotators for the pictures of a list: `python -m models.training.coco --help`.

Where people are small, Robust Video Matting and the selfie segmenters agree on too few, so `prepare` hears the masks
that people drew (Lin et al. 2014, "Microsoft COCO"), which it finds in masks/ beside the pictures that were gathered.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO

from models.training.gather import parse_source
from models.training.prepare import read_picture

NUMBER = re.compile(r"(\d{12})\.jpg$")
"""COCO's number of a picture, at the end of its file's name wherever it was copied to."""
PERSON = "person"


def number_of(path: str) -> int | None:
    """COCO's number of a picture, None if its path names none."""
    found = NUMBER.search(path)
    return int(found[1]) if found else None


def people(annotations: COCO, number: int) -> NDArray[np.uint8] | None:
    """All of a picture's people as one mask, uint8 (h, w), 0 or 255; None if the annotations do not cover them all.

    They do not where the picture is not theirs, nobody is drawn in it, or a crowd is drawn as one.
    """
    if number not in annotations.imgs:
        return None
    found = annotations.loadAnns(annotations.getAnnIds(number, annotations.getCatIds(PERSON)))
    if not found or any(one["iscrowd"] for one in found):
        return None
    masks = [annotations.annToMask(one) for one in found]
    return np.asarray(np.maximum.reduce(masks) * 255, np.uint8)


def read_annotations(path: Path) -> COCO:
    """Read one of COCO's instances_….json, quietly.

    Raises:
        KeyError: it is no such file.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(path)


def draw(listed: Path, annotations: list[Path], folder: Path) -> Iterator[Path]:
    """Write the masks of a list's pictures, as large as the pictures in `folder`/images; yields what was written."""
    rows = list(csv.DictReader(listed.read_text(encoding="utf-8").splitlines()))
    numbers = {row["file"]: number_of(parse_source(row["source"]).path) for row in rows}
    (folder / "masks").mkdir(parents=True, exist_ok=True)
    for read in map(read_annotations, annotations):
        for file, number in numbers.items():
            picture, target = folder / "images" / file, (folder / "masks" / file).with_suffix(".png")
            mask = people(read, number) if number is not None and picture.is_file() and not target.is_file() else None
            if mask is not None:
                height, width = read_picture(picture).shape[:2]
                resized = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)
                cv2.imwrite(str(target), resized)
                yield target


def main() -> None:
    """Draw one list's masks; print how many."""
    parser = argparse.ArgumentParser(prog="python -m models.training.coco", description=__doc__)
    parser.add_argument("--list", type=Path, required=True, help="models/cards/data-everyday.csv")
    parser.add_argument("--annotations", type=Path, nargs="+", required=True, help="COCO's instances_….json")
    parser.add_argument("--data", type=Path, required=True, help="where `gather` put images/, and masks/ goes")
    args = parser.parse_args()
    print(f"{sum(1 for _ in draw(args.list, args.annotations, args.data))} masks in {args.data / 'masks'}")


if __name__ == "__main__":
    main()
