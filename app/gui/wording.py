"""What the window says: plain sentences made of the settings and the pipeline's status, without Qt."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from app.problems import Problem
from app.publish.factory import is_file
from app.settings import Settings
from app.status import Status

LABELS = {
    "source": "&Camera",
    "mirror": "&Mirror my picture",
    "blur": "&Strength",
    "fit": "La&yout",
    "sinks": "&Output",
    "model": "&Network",
    "backend": "&Runs on",
    "device": "D&evice",
    "threads": "&Processor threads",
    "cpu_limit": "Processor &limit",
    "quiet_on_battery": "&Quiet on battery",
    "size": "Si&ze",
    "fps": "&Frames a second",
    "refine": "Sharp e&dges",
    "temporal": "S&teady edges",
}
"""Short names of the settings' controls with the key of Alt; their sentences are the settings' own help."""

CHOICES = {
    "model": {"auto": "Best here"},
    "device": {"auto": "Best here"},
    "threads": {"0": "Best here"},
    "backend": {
        "auto": "Best here",
        "onnxruntime": "ONNX Runtime",
        "openvino": "OpenVINO",
        "litert": "LiteRT",
    },
    "fit": {"fill": "Fill the frame", "fit": "Show all of it", "tile": "Tile"},
    "theme": {"system": "As the system", "light": "Light", "dark": "Dark"},
    "sinks": {
        "auto": "Automatic",
        "v4l2": "Loopback",
        "pipewire": "PipeWire",
        "virtualcam": "Virtual camera",
        "null": "None (preview only)",
    },
}
"""What choices are called where their own name says too little."""

SIZES = ("640x360", "640x480", "960x540", "1280x720", "1920x1080")
RATES = (15, 24, 25, 30, 60)
THREADS, LIMITS = (0, 1, 2, 4), (10, 25, 50, 75, 100)
"""Sizes and rates that call programs ask cameras for; any other that the settings name is offered too."""

EFFECTS = {
    "blur": "blurred room",
    "image": "picture background",
    "video": "video background",
    "colour": "plain colour",
    "alpha": "cut-out",
    "none": "no effect",
}

STAGES = {
    "fit": "Fit the frame",
    "convert": "Convert colours",
    "segment": "Find the person",
    "refine": "Refine the edges",
    "compose": "Compose",
    "publish": "Publish",
    "total": "Camera to call",
}

CALLS = {
    "Meet": "More options (⋮)  →  Settings  →  Video  →  choose “{camera}”.",
    "Zoom": "The arrow beside Video  →  Select a camera  →  choose “{camera}”.",
    "Teams": "The arrow beside Camera  →  Camera  →  choose “{camera}”.",
    "Browser": "When the page asks for your camera, choose “{camera}”. It was open before? Load it again.",
}
"""Where call programs keep their list of cameras."""

CAMERAS = ("v4l2", "pipewire", "virtualcam")
"""The kinds of sinks that call programs can see, by the names of open ones."""

BLIND_TO_PIPEWIRE = ("Zoom", "Teams")
"""Programs of `CALLS` that list no camera of PipeWire (docs/virtual-camera.md)."""

HINTS = {
    "source": "Which camera, or what stands in for one.",
    "sinks": "The virtual camera that call programs are to see.",
    "threads": "How many of the processor's threads find the person.",
}
"""What those controls do whose setting's own help speaks of the command line."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text and how it is coloured: "good", "busy", "warning", "danger" or "off"."""

    level: str
    text: str


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a cure: a sentence, or a command to copy."""

    text: str
    command: bool = False


def plain(text: str) -> str:
    """A control's name without the mark of its key."""
    return text.replace("&", "")


def choice_label(name: str, value: object) -> str:
    """What a setting's value is called."""
    if name == "cpu_limit":
        return f"{value} %"
    if name == "size":
        return str(value).replace("x", " × ")
    if isinstance(value, tuple):
        return ", ".join(choice_label(name, part) for part in value)
    kind, _, which = str(value).partition(":")
    known = CHOICES.get(name, {})
    if name == "sinks" and which and kind in known:
        return f"{known[kind]} {which}"
    return known.get(str(value), str(value))


def is_grave(problem: Problem) -> bool:
    """Whether nobody sees the user because of it."""
    return problem.part in ("source", "sink", "greenroom")


_COMMAND = re.compile(
    r"(?:\b(?:sudo|git|systemctl|ffmpeg) |(?<=`)greenroom )(?:\$\([^)]*\)|[^,;`)])+?(?=[,;`)]|\.(?:\s|$)|$| [A-Z])"
)
"""A command inside a sentence: from its first word to the punctuation that ends it, or the next sentence."""


def parts_of(cure: str) -> list[Part]:
    """A cure with its commands taken out of their sentences, so that each can be copied."""
    parts, rest = [], 0
    for found in _COMMAND.finditer(cure):
        before = cure[rest : found.start()].strip(" (),.;:")
        if before.count("`") % 2:  # the one that opens the command, or closed the last
            before = before.strip("` ")
        if before:
            parts.append(Part(_sentence(before + ":")))
        parts.append(Part(found.group().strip(), command=True))
        rest = found.end()
    after = cure[rest:].strip(" `(),;") if parts else cure
    if after.strip("."):
        parts.append(Part(_sentence(after)))
    return parts


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def cameras_of(status: Status | None) -> tuple[str, ...]:
    """The open sinks that call programs can see."""
    sinks = status.sinks if status else {}
    return tuple(name for name, state in sinks.items() if state == "open" and name.partition(":")[0] in CAMERAS)


def _wants_camera(settings: Settings) -> bool:
    return any(sink != "null" and not is_file(sink) for sink in settings.sinks)


def _wants_file(settings: Settings) -> bool:
    return any(is_file(sink) for sink in settings.sinks)


def is_published(settings: Settings, status: Status | None) -> bool:
    """Whether the picture goes to anybody but the user, or into a file; while that is not known, yes."""
    if status is None:
        return True
    return settings.on_air and any(state == "open" and name != "null" for name, state in status.sinks.items())


def call_hint(program: str, camera: str, settings: Settings, status: Status | None) -> str:
    """How to choose our camera in one of `CALLS`, or why it cannot be chosen there now."""
    seen = cameras_of(status)
    if status is not None and not seen:
        if _wants_camera(settings):
            return "There is no camera to choose yet: the virtual camera is not connected."
        return f"There is no camera to choose: the output publishes none. Choose “{CHOICES['sinks']['auto']}”."
    if program in BLIND_TO_PIPEWIRE and seen and all(name.startswith("pipewire") for name in seen):
        return (
            f"{program} does not list PipeWire's cameras, which yours is one of: browsers and OBS do. For {program} "
            "the loopback is needed; type `greenroom doctor` for how to get it."
        )
    return CALLS[program].format(camera=camera)


def pill(settings: Settings, status: Status | None) -> Line:
    """Two words on the preview: whether others see it."""
    if status is None:
        return Line("busy", "STARTING")
    if not settings.on_air:
        return Line("off", "OFF AIR")
    if not cameras_of(status):
        if _wants_camera(settings):
            return Line("warning", "NOT CONNECTED")
        if not is_published(settings, status):
            return Line("off", "PREVIEW ONLY")
        return Line("danger" if settings.effect == "none" else "off", "RECORDING ONLY")
    if status.card:
        return Line("warning", "PAUSED")
    return Line("danger" if settings.effect == "none" else "good", "ON AIR")


def badge(settings: Settings, status: Status | None) -> str:
    """What to know about the picture itself, "" for nothing."""
    if status is None or status.source != "live" or settings.effect == "none" or not status.protected:
        return ""
    return "Whole frame covered"


def status_line(settings: Settings, status: Status | None, *, broken: bool = False) -> Line:
    """What others see now, in one line; `broken` says that the pipeline failed."""
    if broken:
        return Line("danger", "Nobody can see you: the camera's picture is being started again.")
    if status is None:
        return Line("busy", "Starting…")
    if status.source == "opening":
        return Line("busy", "Opening the camera…")
    seen = cameras_of(status)
    if status.source != "live":
        return Line("danger", f"No picture from the camera{': others see the “camera paused” card' if seen else ''}.")
    if not seen and _wants_camera(settings):
        return Line("danger", "Nobody can see you: the virtual camera is not connected.")
    if not seen:
        return _unseen(settings, status)
    if not settings.on_air:
        return Line("off", "Off air: others see the “camera paused” card, only you see this preview.")
    if status.card:
        return Line("warning", "The camera has stopped: others see the “camera paused” card.")
    if settings.effect == "none":
        return Line("danger", "Live without an effect: others see your room.")
    if status.protected:
        return _covered(status)
    return Line("good", f"Live: {_source_name(settings, status)}, {EFFECTS[settings.effect]}")


def _unseen(settings: Settings, status: Status) -> Line:
    """What happens where no camera is wanted."""
    if is_published(settings, status):
        if settings.effect == "none":
            return Line("danger", "Recording without an effect: the file shows your room.")
        return Line("off", "Recording only: nobody else sees this.")
    if settings.on_air and _wants_file(settings):
        return Line("danger", "Nothing is recorded: the file cannot be written.")
    return Line("off", "Preview only: nobody else sees this.")


def _source_name(settings: Settings, status: Status) -> str:
    """What the source is called; the bundled clip, which `auto` takes where there is no camera, by no file's name."""
    if settings.source in ("auto", "clip") and status.source_name == "sample.mp4":
        return "sample clip"
    return status.source_name or "camera"


def automatic(settings: Settings, status: Status | None) -> str:
    """What the automatic choice of a source has chosen, "" while it has not, or something else is chosen."""
    if settings.source != "auto" or status is None or status.source_name in ("", "auto"):
        return ""
    return _source_name(settings, status)


def _covered(status: Status) -> Line:
    if status.segmenter == "loading":
        return Line("busy", "Getting ready: until your outline is known, the whole frame is covered.")
    if status.segmenter == "failed":
        return Line("warning", "No network runs here, so the whole frame is covered.")
    return Line("warning", "Your outline is uncertain, so the whole frame is covered.")


def details_line(status: Status | None) -> str:
    """What runs and how fast, "" while there is nothing to say."""
    if status is None or status.source != "live":
        return ""
    parts = [f"{status.fps:.0f} frames a second"] if status.fps else []
    if "total" in status.timings:
        parts.append(f"{status.timings['total'].p50:.0f} ms from camera to call")
    return "  ·  ".join(parts)


def figures_line(settings: Settings, status: Status | None) -> str:
    """Size and rate for the preview's corner, "" while there is no picture."""
    if status is None or status.source != "live" or not status.fps:
        return ""
    return f"{choice_label('size', settings.size)}   {status.fps:.0f} fps"


def source_label(source: str, live: bool = False) -> str:
    """What a source is called while no list of cameras says it better; not all lists hold a camera that is in use."""
    fixed = {"auto": "Automatic", "clip": "Sample clip", "pattern": "Test pattern", "camera": "First camera"}
    if source in fixed:
        return fixed[source]
    kind, _, which = source.partition(":")
    if kind != "camera":
        return Path(source).name
    return which if live else f"{which} (not connected)"
