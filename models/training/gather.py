"""Gather the pictures of a list from clones of their repositories: `python -m models.training.gather --help`.

The pictures are not ours to pass on, so only lists of them are kept (`models/cards/data-*.csv`, `unseen.csv`,
`stated.csv`); whoever trains or measures again clones the repositories and lets this bring back the folders that
`prepare`, `failures` and `fairness` read. A source reads `owner/name@commit path`, behind which may stand ` frame 12`
or `#t=3.40`, of a video or GIF, or `#yaw=60`, of a panorama, whose path is a file's or the folder of a virtual tour's
tiles (`models.training.tour`); and then ` left half`, where the right is something else.
"""

from __future__ import annotations

import argparse
import csv
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.training import tour

Picture = NDArray[np.uint8]
LONGEST_SIDE = 640
"""What the unseen pictures are measured at; training looks at less."""
JPEG_QUALITY = 95
FIELD_OF_VIEW = 75.0
"""Degrees that a view into a panorama spans across, about a webcam's."""
MOMENT = r" frame (?P<frame>\d+)|#t=(?P<second>[\d.]+)|#yaw=(?P<yaw>\d+)"
SOURCE = re.compile(rf"(?P<repository>[^@]+)@(?P<commit>\w+) (?P<path>.+?)(?:{MOMENT})?(?P<half> left half)?")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a picture comes from; of frame, second and yaw at most one is given."""

    repository: str
    commit: str
    path: str
    frame: int | None = None
    second: float | None = None
    yaw: int | None = None
    left_half: bool = False


def parse_source(text: str) -> Source:
    """Read a list's `source`.

    Raises:
        ValueError: it is none.
    """
    found = SOURCE.fullmatch(text)
    if not found:
        raise ValueError(f"“{text}” is no source: it must read `owner/name@commit path`")
    frame, second, yaw = found["frame"], found["second"], found["yaw"]
    return Source(
        found["repository"],
        found["commit"],
        found["path"],
        int(frame) if frame else None,
        float(second) if second else None,
        int(yaw) if yaw else None,
        found["half"] is not None,
    )


def find_clone(clones: Path, repository: str) -> Path | None:
    """The git directory of a repository's clone: `owner/name`, `owner+name` or what lies in that; None if missing."""
    for folder in (clones / repository, clones / repository.replace("/", "+")):
        for place in (folder, *(sorted(folder.iterdir()) if folder.is_dir() else [])):
            for git in (place / ".git", place):
                if (git / "HEAD").is_file() and (git / "objects").exists():
                    return git
    return None


def read_blob(git: Path, source: Source) -> bytes | None:
    """A file's bytes at its commit or, where a shallow clone lacks that, at the clone's own; None if in neither."""
    for commit in (source.commit, "HEAD"):
        shown = subprocess.run(
            ["git", "--git-dir", git, "cat-file", "blob", f"{commit}:{source.path}"], capture_output=True
        )
        if shown.returncode == 0:
            return shown.stdout
    return None


def view(panorama: NDArray[np.float32], yaw: int) -> Picture:
    """A level view into an equirectangular panorama, BGR of any range, at this yaw in degrees; brightened to 0…255."""
    width, height = LONGEST_SIDE, LONGEST_SIDE * 9 // 16
    across = np.tan(np.deg2rad(FIELD_OF_VIEW / 2)) * np.linspace(-1, 1, width, dtype=np.float32)
    down = across[-1] * height / width * np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    longitude = np.broadcast_to(np.arctan(across), (height, width)) + np.deg2rad(yaw)
    latitude = np.arctan(down / np.hypot(1, across))
    rows, columns = panorama.shape[:2]
    x = ((longitude / (2 * np.pi)) % 1 * columns).astype(np.float32)
    y = ((latitude / np.pi + 0.5) * rows).astype(np.float32)
    seen = cv2.remap(panorama, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    exposed = seen / max(1e-6, float(np.percentile(seen, 90)))
    return np.asarray(np.clip(exposed, 0, 1) ** (1 / 2.2) * 255, np.uint8)


def _moment(file: bytes, source: Source) -> Picture | None:
    with tempfile.NamedTemporaryFile(suffix=Path(source.path).suffix) as copy:
        copy.write(file)
        copy.flush()
        video = cv2.VideoCapture(copy.name)
        try:
            if source.second is not None:
                video.set(cv2.CAP_PROP_POS_MSEC, 1000 * source.second)
            for _ in range(source.frame or 0):  # a GIF cannot be sought in
                video.grab()
            read, picture = video.read()
        finally:
            video.release()
    return np.asarray(picture, np.uint8) if read else None


def read_picture(file: bytes, source: Source) -> Picture | None:
    """The uint8 BGR picture in a file that a source means, at most `LONGEST_SIDE` long; None if there is none."""
    if source.frame is not None or source.second is not None:
        picture = _moment(file, source)
    else:
        flags = cv2.IMREAD_COLOR if source.yaw is None else cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
        read = cv2.imdecode(np.frombuffer(file, np.uint8), flags)
        picture = read if read is None or source.yaw is None else view(np.asarray(read, np.float32), source.yaw)
    if picture is None:
        return None
    if source.left_half:
        picture = picture[:, : picture.shape[1] // 2]
    scale = min(1.0, LONGEST_SIDE / max(picture.shape[:2]))
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def find_picture(git: Path, source: Source) -> tuple[Picture | None, str]:
    """The picture that a source means, in its repository's clone, and "" or, where there is none, why."""
    if source.yaw is not None and not Path(source.path).suffix:
        atlas = tour.read_atlas(git, source.commit, source.path)
        size = LONGEST_SIDE, LONGEST_SIDE * 9 // 16
        return (None, "no whole panorama") if atlas is None else (tour.view(atlas, source.yaw, FIELD_OF_VIEW, size), "")
    file = read_blob(git, source)
    if file is None:
        return None, "no such file"
    picture = read_picture(file, source)
    return picture, "unreadable" if picture is None else ""


def gather(listed: Path, clones: Path, out: Path) -> Iterator[tuple[str, str]]:
    """Write what of a list is not there yet; yields each repository and what became of one of its pictures."""
    rows = list(csv.DictReader(listed.read_text(encoding="utf-8").splitlines()))
    for row in tqdm(rows, unit="picture"):
        source = parse_source(row["source"])
        target = out / row.get("part", "images") / row["file"]
        if target.is_file():
            yield source.repository, "there"
            continue
        git = find_clone(clones, source.repository)
        picture, why = find_picture(git, source) if git else (None, "not cloned")
        if picture is None:
            yield source.repository, why
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(target), picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        yield source.repository, "written"
    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(listed, out / "sources.csv")


def main() -> None:
    """Gather one list; print what is missing, by repository."""
    parser = argparse.ArgumentParser(prog="python -m models.training.gather", description=__doc__)
    parser.add_argument("--list", type=Path, required=True, help="data-….csv, unseen.csv or stated.csv of models/cards")
    parser.add_argument(
        "--clones", type=Path, required=True, help="the repositories' clones, as owner/name or owner+name"
    )
    parser.add_argument("--out", type=Path, required=True, help="where images/, rooms/ and sources.csv go")
    args = parser.parse_args()
    became = Counter(gather(args.list, args.clones, args.out))
    for (repository, what), count in sorted(became.items()):
        if what not in ("there", "written"):
            print(f"{repository}: {count} {what}")
    print(f"{sum(count for (_, what), count in became.items() if what in ('there', 'written'))} pictures in {args.out}")


if __name__ == "__main__":
    main()
