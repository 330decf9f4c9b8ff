"""Every option once, as data: the fields of `Settings`.

The window's controls, the command line's flags, `docs/settings.md`, the file and its migration are all read from
here. The file is JSON in the platform's configuration folder, written whole or not at all; values that are unknown or
broken are reported, replaced by their defaults, and the broken file is kept beside.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import platformdirs

from app.files import cure, replacing
from app.problems import Problem, SettingsError
from backends import BACKENDS

VERSION = 3

LONGEST = 60
"""Characters of a wrong value that are told: a number may have thousands."""
"""The file's version; `_MIGRATIONS` lifts older files."""

NETWORK_SETTINGS = ("model", "backend", "device", "precision", "threads", "cpu_limit", "quiet_on_battery", "fps")
"""The settings that decide which network runs where."""

EFFECTS = ("blur", "image", "video", "colour", "alpha", "none")


@dataclass(frozen=True, slots=True)
class Option:
    """What is known about one setting besides its name, type and default.

    Attributes:
        help: one sentence for the window, the command line and the documentation.
        flag: the command line's flag, "" where there is none.
        choices: the values it can have, () where any.
        minimum, maximum: the closed interval of a number.
        pattern: what a text must match, "" where anything.
    """

    help: str
    flag: str = ""
    choices: tuple[str, ...] = ()
    minimum: float = float("-inf")
    maximum: float = float("inf")
    pattern: str = ""


def _option(default: Any, help: str, **facts: Any) -> Any:
    return field(default=default, metadata={"option": Option(help, **facts)})


@dataclass(frozen=True)
class Settings:
    """The user's settings. Every instance is valid: a wrong value raises `SettingsError` that names the cure."""

    source: str = _option(
        "auto",
        "Where frames come from: auto, camera[:N, path or name], clip, pattern, or a video, picture or folder.",
        flag="--source",
    )
    sinks: tuple[str, ...] = _option(
        ("auto",),
        "Where pictures go, any number: auto, v4l2[:device], pipewire[:name], virtualcam, null, or a video file.",
        flag="--sink",
    )
    size: str = _option(
        "1280x720",
        "Width × height of the published picture, even numbers.",
        flag="--size",
        pattern=r"\d{1,6}x\d{1,6}",
    )
    fps: int = _option(
        30,
        "Frames a second, at most; a video that is converted to a file keeps its own.",
        flag="--fps",
        minimum=1,
        maximum=120,
    )
    effect: str = _option("blur", "What replaces the room.", flag="--effect", choices=EFFECTS)
    blur: int = _option(60, "Strength of the blur.", flag="--blur", minimum=0, maximum=100)
    image: str = _option("", "Picture for the effect `image`: a bundled name or a file.", flag="--image")
    fit: str = _option(
        "fill", "How the picture or video covers the frame.", flag="--fit", choices=("fit", "fill", "tile")
    )
    video: str = _option("", "Video file for the effect `video`; it loops.", flag="--video")
    colour: str = _option(
        "#00b140", "Colour for the effects `colour` and `alpha`.", flag="--colour", pattern=r"#[0-9a-fA-F]{6}"
    )
    show_room: bool = _option(
        False,
        "The user said that the raw room may be seen, in this run alone: without it `none` is refused.",
        flag="--show-room",
    )
    mirror: bool = _option(False, "Mirror the picture left to right.", flag="--mirror")
    refine: bool = _option(True, "Follow the frame's edges when the mask is enlarged.", flag="--refine")
    temporal: bool = _option(True, "Steady the mask from frame to frame where nothing moves.", flag="--temporal")
    model: str = _option(
        "auto", "The network; auto takes the best that this computer affords by measurement.", flag="--model"
    )
    backend: str = _option(
        "auto",
        "The runtime; auto takes the one that measured best here.",
        flag="--backend",
        choices=("auto", *BACKENDS),
    )
    device: str = _option(
        "auto",
        "The device, as `greenroom devices` names it: CPU, CUDA, GPU, NPU …; auto takes the one that measured best.",
        flag="--device",
    )
    precision: str = _option(
        "auto",
        "The network's arithmetic; auto takes the one that measured best.",
        flag="--precision",
        choices=("auto", "fp32", "fp16", "int8"),
    )
    threads: int = _option(
        0, "Threads of the network; 0 takes as many as measured best.", flag="--threads", minimum=0, maximum=64
    )
    cpu_limit: int = _option(
        50,
        "Per cent of the whole processor that the network may take, at most; what needs more is not chosen.",
        flag="--cpu-limit",
        minimum=1,
        maximum=100,
    )
    quiet_on_battery: bool = _option(True, "On battery the network may take half as much.", flag="--quiet-on-battery")
    theme: str = _option("system", "Colours of the window.", choices=("system", "light", "dark"))
    on_air: bool = _option(True, "Publish as soon as the window opens.")
    geometry: str = _option("", "Size and place of the window, as the window writes it.")

    def __post_init__(self) -> None:
        for name, option, value in self.items():
            _check(name, option, value, type(getattr(type(self), name)))
        if self.effect == "none" and not self.show_room:
            raise SettingsError("effect is 'none', which shows the raw room.", "Say so with show_room (--show-room).")
        if min(self.dimensions) < 2 or max(self.dimensions) > 7680 or any(n % 2 for n in self.dimensions):
            raise SettingsError(f"size is {self.size!r}.", "Give even numbers from 2 to 7680, e.g. 1280x720.")

    @property
    def dimensions(self) -> tuple[int, int]:
        """Width and height in pixels."""
        width, height = self.size.split("x")
        return int(width), int(height)

    def items(self) -> Iterator[tuple[str, Option, Any]]:
        """Each setting's name, option and value."""
        for f in dataclasses.fields(self):
            yield f.name, f.metadata["option"], getattr(self, f.name)

    def replace(self, **changes: Any) -> Settings:
        """A copy with these changes.

        Raises:
            SettingsError: a value is not one its setting can have.
        """
        return dataclasses.replace(self, **changes)


def _check(name: str, option: Option, value: Any, kind: Any) -> None:
    """Raise `SettingsError` unless the value is of the setting's type and in its range."""
    if type(value) is not kind or (kind is tuple and not all(isinstance(item, str) for item in value)):
        wanted = "a list of texts" if kind is tuple else f"of type {kind.__name__}"
        raise SettingsError(f"{name} is {value!r}.", f"It must be {wanted}.")
    if option.choices and value not in option.choices:
        raise SettingsError(f"{name} is {value!r}.", f"Choose one of: {', '.join(option.choices)}.")
    if kind is int and not option.minimum <= value <= option.maximum:
        raise SettingsError(f"{name} is {value}.", f"Give a number from {option.minimum:g} to {option.maximum:g}.")
    if option.pattern and not re.fullmatch(option.pattern, value):
        raise SettingsError(f"{name} is {repr(value)[:LONGEST]}.", f"It must look like {getattr(Settings, name)!r}.")


def settings_path() -> Path:
    """The settings' file in the platform's configuration folder."""
    return Path(platformdirs.user_config_dir("greenroom", appauthor=False)) / "settings.json"


def _from_version_1(values: dict[str, Any]) -> dict[str, Any]:
    """Version 1 had one sink, `sink`, as a text."""
    if "sink" in values:
        values["sinks"] = [values.pop("sink")]
    return values


def _from_version_2(values: dict[str, Any]) -> dict[str, Any]:
    """Version 2 knew one network, so that its name was no choice."""
    values.pop("model", None)
    return values


_MIGRATIONS = {1: _from_version_1, 2: _from_version_2}


def parse(values: Mapping[str, Any]) -> tuple[Settings, list[Problem]]:
    """Make settings of a file's values: what is unknown or wrong is reported and replaced by its default.

    Consent to show the raw room is for one run and is taken from no file.
    """
    values = dict(values)
    version = values.pop("version", VERSION)
    for old in range(version if isinstance(version, int) else VERSION, VERSION):
        values = _MIGRATIONS[old](values) if old in _MIGRATIONS else values
    settings, problems = Settings(), []
    if values.pop("show_room", False) is not False:
        problems.append(
            Problem("settings", "show_room is in the file.", "Say so for each run: --show-room, or the window.")
        )
    known = {f.name for f in dataclasses.fields(Settings)}
    for name, value in values.items():
        if name not in known:
            problems.append(Problem("settings", f"There is no setting {name!r}.", "It was left out."))
            continue
        try:
            settings = settings.replace(**{name: tuple(value) if isinstance(value, list) else value})
        except SettingsError as error:
            default = getattr(Settings, name)
            problems.append(Problem("settings", error.problem.message, f"{error.problem.cure} Using {default!r}."))
    return settings, problems


def load(path: Path | None = None) -> tuple[Settings, list[Problem]]:
    """Read the settings' file; a missing one gives the defaults.

    A file with something wrong in it is copied beside itself as `settings.json.broken` before anything else is written,
    one that cannot be read is given that name by `save`, and what was wrong is returned.
    """
    path = path or settings_path()
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ValueError("it holds no table")
    except FileNotFoundError:
        return Settings(), []
    except OSError as error:
        message = f"{path} cannot be read ({error.strerror})."
        cure = f"Make it your own; until then the defaults hold, and saving them renames it to {path.name}.broken."
        return Settings(), [Problem("settings", message, cure)]
    except ValueError as error:
        kept = _keep_broken(path)
        return Settings(), [Problem("settings", f"{path} cannot be read ({error}).", f"Using the defaults; {kept}.")]
    settings, problems = parse(values)
    if problems:
        kept = _keep_broken(path)
        problems.append(
            Problem("settings", f"{path} had wrong entries: {len(problems)}.", f"{kept[0].upper()}{kept[1:]}.")
        )
    return settings, problems


def _broken_names(path: Path) -> Iterator[Path]:
    """settings.json.broken, then with -2, -3 and so on: an older one may be the only copy of what it holds."""
    yield path.with_name(f"{path.name}.broken")
    for number in itertools.count(2):
        yield path.with_name(f"{path.name}.broken-{number}")


def _keep_broken(path: Path) -> str:
    try:
        content = path.read_bytes()
        kept = next(k for k in _broken_names(path) if not k.exists() or (k.is_file() and k.read_bytes() == content))
        kept.write_bytes(content)
    except OSError as error:
        return f"no copy of the old file could be kept ({error})"
    return f"the old file is kept as {kept}"


def _put_aside(path: Path) -> None:
    """Give a file that cannot be read, as after `sudo`, another name: a rename would put ours in its place for ever."""
    try:
        path.open("rb").close()
    except FileNotFoundError:
        return
    except OSError:
        path.replace(next(name for name in _broken_names(path) if not name.exists()))


def save(settings: Settings, path: Path | None = None) -> None:
    """Write the settings' file whole or not at all.

    Consent to show the raw room is for one run: it is not written, and `none` is written as `blur`.

    Raises:
        SettingsError: the folder cannot be written to, or the disk is full.
    """
    path = path or settings_path()
    if settings.show_room:
        settings = settings.replace(show_room=False, effect="blur" if settings.effect == "none" else settings.effect)
    values = {"version": VERSION} | {name: value for name, _, value in settings.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _put_aside(path)
        with replacing(path, private=True) as file:  # whose files they name concerns nobody else
            file.write(json.dumps(values, indent=2, ensure_ascii=False).encode())
    except OSError as error:
        message = f"The settings could not be saved ({error})."
        raise SettingsError(message, cure(error, f"Make {path.parent} writable.")) from error
