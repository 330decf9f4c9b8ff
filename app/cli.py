"""The command line: one function for each sub-command."""

from __future__ import annotations

import argparse
import dataclasses
import errno
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any

from app import settings as settings_file
from app.files import cure, file_exists, replacing
from app.problems import GreenroomError, Problem, SettingsError
from app.settings import NETWORK_SETTINGS, Option, Settings

EXIT_TROUBLE, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130
"""Exit codes besides 0; wrong usage is argparse's."""

UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
"""What a write to the output ends in, where no file is named."""

LONGEST = 1e7
"""Seconds or minutes: what is longer than months is a slip, and more than timers take."""

MATTE_SETTINGS = ("model", "backend", "device", "precision", "threads")
"""The settings that mattes of files need."""


def window(arguments: argparse.Namespace) -> int:
    """Open the window; without a display, write a video instead."""
    settings, problems = _settings(arguments)
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        if os.environ.get("QT_QPA_PLATFORM", "") == "":
            from app.headless import OWN_OUTPUT

            print(f"No display, so no window: writing {OWN_OUTPUT} instead, 10 s at most.", file=sys.stderr)
            arguments.seconds, arguments.json = 10.0, False
            return _run(settings.replace(sinks=(OWN_OUTPUT,)), problems, arguments)
    from app.gui import run_window

    return run_window(settings, problems)


def run(arguments: argparse.Namespace) -> int:
    """Publish without a window."""
    return _run(*_settings(arguments), arguments)


def _run(settings: Settings, problems: list[Problem], arguments: argparse.Namespace) -> int:
    from app.headless import run_headless

    for problem in problems:
        print(problem, file=sys.stderr)
    # Whoever runs it wants to be seen, even if the window was last left off air.
    return run_headless(settings.replace(on_air=True), seconds=arguments.seconds, as_json=arguments.json)


def matte(arguments: argparse.Namespace) -> int:
    """Write each frame's alpha as PNG."""
    from app.headless import run_matte

    if not arguments.output_dir:  # as of a shell's variable that is not set: it would be the folder that one is in
        raise GreenroomError("OUTPUT_DIR is empty.", "Name a folder for the alphas; . is this one.")
    return run_matte(
        arguments.input,
        Path(arguments.output_dir),
        Settings().replace(**{name: getattr(arguments, name) for name in MATTE_SETTINGS}),
        temporal=arguments.temporal == "on",
        refine=arguments.refine == "on",
        as_json=arguments.json,
    )


def devices(arguments: argparse.Namespace) -> int:
    """List cameras, virtual cameras and devices, and why which of them runs the network.

    The exit status is 1 when none does.
    """
    from app import reports

    settings, _ = _settings(arguments)
    facts = reports.devices(settings, again=arguments.again)
    _report(facts, reports.devices_text, arguments)
    return EXIT_TROUBLE if facts["problem"] else 0


def models(arguments: argparse.Namespace) -> int:
    """List the networks."""
    from app import reports

    return _report(reports.models(), reports.models_text, arguments)


def doctor(arguments: argparse.Namespace) -> int:
    """Check everything a call needs; the exit status is 1 when something must be cured."""
    from app import doctor

    findings = doctor.examine()
    _report([dataclasses.asdict(f) for f in findings], lambda _: doctor.text(findings), arguments)
    return EXIT_TROUBLE if any(not f.fine for f in findings) else 0


def bench(arguments: argparse.Namespace) -> int:
    """Measure this machine."""
    from app import bench

    peer_model = Path(arguments.peer_model) if arguments.peer_model else None
    if peer_model is not None and not file_exists(peer_model):
        raise GreenroomError(f"{peer_model} is not there.", "Give the path of MediaPipe's .onnx or .tflite file.")
    trouble: GreenroomError | None = None
    with ExitStack() as files:
        output = _output(arguments.output, files)  # opened before minutes are spent
        results = bench.measure(
            arguments.what, frames=arguments.frames, minutes=arguments.minutes, peer_model=peer_model
        )
        try:
            with files.pop_all():
                output.write(json.dumps(results, indent=2).encode() + b"\n")
        except OSError as error:
            message = f"{arguments.output} could not be written ({error.strerror}); the results stand above."
            trouble = GreenroomError(message, cure(error, "Choose another file."))
    status = _report(results, bench.text, arguments)
    if trouble is not None:
        raise trouble
    return status


def _output(path: str, files: ExitStack) -> IO[bytes]:
    """The file to write to, or nowhere when no path is given; an older one stays until the new one is complete."""
    target = Path(path or os.devnull)
    try:
        whole = target.is_file() or not target.exists()  # devices and pipes cannot be replaced
        return files.enter_context(replacing(target.resolve()) if whole else target.open("wb"))
    except OSError as error:
        raise GreenroomError(f"{path} cannot be written ({error.strerror}).", "Choose another file.") from error


def _report(facts: Any, text: Callable[[Any], str], arguments: argparse.Namespace) -> int:
    print(json.dumps(facts, indent=2) if arguments.json else text(facts))
    return 0


def _settings(arguments: argparse.Namespace) -> tuple[Settings, list[Problem]]:
    """The saved settings, or the defaults with --defaults, changed by the flags that were given."""
    settings, problems = (Settings(), []) if arguments.defaults else settings_file.load()
    given = {
        name: tuple(value) if isinstance(value, list) else value
        for name, option, _ in settings.items()
        if option.flag and (value := getattr(arguments, name)) is not None
    }
    return settings.replace(**given), problems


def _add_setting(parser: argparse.ArgumentParser, name: str, option: Option, default: Any) -> None:
    """A flag for one setting; its default is None, so that only given flags change the saved settings."""
    text = f"{option.help} (default: {' '.join(default) if isinstance(default, tuple) else default})"
    text = text.replace("%", "%%")
    if isinstance(default, bool):
        parser.add_argument(option.flag, dest=name, action=argparse.BooleanOptionalAction, default=None, help=text)
    elif isinstance(default, tuple):
        parser.add_argument(option.flag, dest=name, action="append", default=None, metavar="SINK", help=text)
    else:
        parser.add_argument(
            option.flag, dest=name, type=type(default), choices=option.choices or None, default=None, help=text
        )


class _Version(argparse.Action):
    """Prints the version, which is looked up only then: a tree that is not installed knows none."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        try:
            print(f"Greenroom {version('greenroom')}")
        except PackageNotFoundError:
            print("Greenroom, not installed")
        parser.exit()


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of frames: give 1 or more")
    return int(text)


def _duration(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= LONGEST:
        raise argparse.ArgumentTypeError(f"{text} is no length of time: give a number from 0 to {LONGEST:.0f}")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="greenroom",
        allow_abbrev=False,  # a slip of the fingers must not be a consent: --sh for --show-room
        description="A virtual webcam that cuts you out of your room. Without a command it opens the window.",
        epilog="Example: greenroom run --source clip --effect blur --sink out.mp4",
    )
    parser.set_defaults(function=window, defaults=False, **{name: None for name, _, _ in Settings().items()})
    parser.add_argument("--version", action=_Version, nargs=0, help="Print the version.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    def command(function: Callable[[argparse.Namespace], int], example: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(
            function.__name__,
            allow_abbrev=False,
            help=(function.__doc__ or "").split("\n")[0],
            description=function.__doc__,
            epilog=f"Example: greenroom {function.__name__} {example}",
        )
        sub.add_argument("--json", action="store_true", help="Print JSON instead of text.")
        sub.set_defaults(function=function)
        return sub

    _add_run_flags(command(run, "--effect image --image bookshelf --sink v4l2 --sink recording.mp4"))
    _add_matte_flags(command(matte, "talk.mp4 alphas/ --model lite --temporal on"))
    _add_device_flags(command(devices, "--cpu-limit 20"))
    command(models, "--json")
    command(doctor, "")
    _add_bench_flags(command(bench, "pipeline --frames 600 --output bench.json"))
    return parser


def _add_run_flags(parser: argparse.ArgumentParser) -> None:
    for name, option, default in Settings().items():
        if option.flag:
            _add_setting(parser, name, option, default)
    parser.add_argument(
        "--seconds",
        type=_duration,
        default=0.0,
        help="Stop after so long (default: 0, at Ctrl+C; a file that only goes to files is converted once).",
    )
    parser.add_argument("--defaults", action="store_true", help="Ignore the saved settings.")


def _add_device_flags(parser: argparse.ArgumentParser) -> None:
    known = {name: option for name, option, _ in Settings().items()}
    for name in NETWORK_SETTINGS:
        _add_setting(parser, name, known[name], getattr(Settings, name))
    parser.add_argument("--again", action="store_true", help="Measure also what was measured before.")
    parser.add_argument("--defaults", action="store_true", help="Ignore the saved settings.")


def _add_matte_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", metavar="INPUT", help="A video, a picture, or a folder of pictures.")
    parser.add_argument("output_dir", metavar="OUTPUT_DIR", help="Folder for the PNGs; it is made if missing.")
    known = {name: option for name, option, _ in Settings().items()}
    for name in MATTE_SETTINGS:
        _add_setting(parser, name, known[name], getattr(Settings, name))
    parser.set_defaults(**{name: getattr(Settings, name) for name in MATTE_SETTINGS})
    for name in ("temporal", "refine"):
        parser.add_argument(known[name].flag, choices=("on", "off"), default="on", help=known[name].help)


def _add_bench_flags(parser: argparse.ArgumentParser) -> None:
    parts = ("all", "compose", "backends", "pipeline", "start", "ladder", "peer", "memory")
    parser.add_argument("what", nargs="?", default="all", choices=parts, help="What to measure (all: without memory).")
    parser.add_argument("--frames", type=_positive, default=300, help="Frames a measurement (default: 300).")
    parser.add_argument("--minutes", type=_duration, default=10.0, help="Length of the memory test (default: 10).")
    parser.add_argument(
        "--peer-model",
        default="",
        metavar="FILE",
        help="MediaPipe's selfie segmenter, .onnx or .tflite, for the loop that `peer` compares with.",
    )
    parser.add_argument("--output", default="", help="Also write the results to this JSON file.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0, 1 after a trouble that is printed with its cure, 2 for wrong usage or a setting's wrong value, 130 after
        Ctrl+C, 143 after a conversion that SIGTERM ended.
    """
    try:
        _ready_streams()
        return _do(_parser().parse_args(argv))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _do(arguments: argparse.Namespace) -> int:
    try:
        status: int = arguments.function(arguments)
    except GreenroomError as error:
        status = EXIT_USAGE if isinstance(error, SettingsError) else EXIT_TROUBLE
        _tell(error.problem, arguments)
    except BrokenPipeError:
        status = EXIT_TROUBLE  # the reader of our output left, which is no news
    except OSError as error:
        status = EXIT_TROUBLE
        if error.filename is not None:
            message = f"{error.filename} cannot be used ({error.strerror})."
            _tell(Problem("greenroom", message, cure(error, "Choose another file or folder.")), arguments)
        elif error.errno in UNWRITABLE:
            _tell(_unwritten(error), argparse.Namespace())
        else:
            raise
    unprinted = _flushed()
    if unprinted is None or status > EXIT_INTERRUPTED - 2:  # stopped by a signal, as by the end of its terminal
        return status
    if not isinstance(unprinted, BrokenPipeError):
        _tell(_unwritten(unprinted), argparse.Namespace())
    return EXIT_TROUBLE


def _unwritten(error: OSError) -> Problem:
    message = f"The output cannot be written ({error.strerror})."
    return Problem("greenroom", message, cure(error, "Let it go elsewhere."))


def _ready_streams() -> None:
    """Let nothing fail because of where output goes: a stream that is closed, or that has not all our letters."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(stream := getattr(sys, name), "reconfigure"):
            stream.reconfigure(errors="replace")


def _flushed() -> OSError | None:
    """What keeps what was printed from going out, None if nothing does."""
    try:
        sys.stdout.flush()
    except OSError as error:
        return error
    return None


def entry() -> int:
    """Run the command line of this process, of which nothing more is printed."""
    status = main()
    if _flushed() is not None:  # Python would try once more at its end, and say so
        with Path(os.devnull).open("wb") as nowhere, suppress(OSError, ValueError):
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
    return status


def _tell(problem: Problem, arguments: argparse.Namespace) -> None:
    """Print what went wrong, as JSON too where that is asked for."""
    with suppress(OSError):
        print(f"greenroom: {problem}", file=sys.stderr)
        if getattr(arguments, "json", False):
            print(json.dumps({"problem": dataclasses.asdict(problem)}, indent=2))
            sys.stdout.flush()
