"""The command line as a user types it: files in, files out, exit codes, JSON, and errors that name the cure."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from app.__main__ import main
from app.capture.testpattern import draw
from app.problems import GreenroomError
from app.settings import Settings, save
from assets import asset

ROOT = Path(__file__).parent.parent
QUICK = ["--defaults", "--backend", "onnxruntime", "--size", "320x180"]


@pytest.fixture(scope="module")
def short_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve frames of the bundled clip as a video of its own."""
    path = tmp_path_factory.mktemp("clip") / "talk.mp4"
    with av.open(str(asset("clips/sample.mp4"))) as source, av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for number, frame in enumerate(source.decode(video=0)):
            if number == 12:
                break
            small = frame.reformat(640, 360, format="yuv420p")
            small.pts = None
            target.mux(stream.encode(small))
        target.mux(stream.encode())
    return path


def run_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> object:
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def frames_of(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]


def test_run_converts_every_frame_of_a_video(
    tmp_path: Path, short_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.mp4"
    arguments = ["run", *QUICK, "--source", str(short_clip), "--effect", "colour", "--colour", "#0000ff"]
    status = run_json(capsys, *arguments, "--sink", str(out))
    assert (status["published"], status["dropped"], status["problems"]) == (12, 0, [])  # type: ignore[index]
    frames = frames_of(out)
    assert len(frames) == 12
    assert frames[0].shape == (180, 320, 3)
    for frame in frames:
        np.testing.assert_allclose(frame[5, 5], (255, 0, 0), atol=12)
        assert np.abs(frame[140, 160].astype(int) - (255, 0, 0)).max() > 60, "the person is there"


def test_a_conversion_keeps_the_file_s_own_rate_and_the_help_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "slow.mkv", tmp_path / "out.mp4"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for number in range(25):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(draw(number, 320, 180), format="bgr24")))
        container.mux(stream.encode())
    run_json(capsys, "run", *QUICK, "--fps", "10", "--source", str(source), "--sink", str(out))
    with av.open(str(out)) as container:
        assert container.streams.video[0].average_rate == 25
    assert len(frames_of(out)) == 25
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    assert "a video that is converted to a file keeps its own" in " ".join(capsys.readouterr().out.split())


def test_run_with_several_sinks_and_a_time_limit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.mkv"
    arguments = ["run", *QUICK, "--source", "pattern", "--seconds", "1.5", "--sink", str(out), "--sink", "null"]
    status = run_json(capsys, *arguments)
    assert status["published"] > 5  # type: ignore[index]
    assert len(frames_of(out)) > 5


def test_matte_writes_one_png_a_frame_named_as_the_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    names = ["b.png", "a.jpg", "frame 10.png"]
    for number, name in enumerate(names):
        cv2.imwrite(str(folder / name), draw(number, 320 + 2 * number, 180))
    for temporal in ("on", "off"):
        facts = run_json(capsys, "matte", str(folder), str(out), "--backend", "onnxruntime", "--temporal", temporal)
        assert facts["frames"] == 3  # type: ignore[index]
    assert sorted(path.name for path in out.iterdir()) == ["a.png", "b.png", "frame 10.png"]
    alpha = cv2.imread(str(out / "frame 10.png"), cv2.IMREAD_UNCHANGED)
    assert alpha.shape == (180, 324) and alpha.dtype == np.uint8


def test_matte_of_a_video_is_numbered_and_finds_the_person(
    tmp_path: Path, short_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_json(capsys, "matte", str(short_clip), str(tmp_path), "--backend", "onnxruntime")
    paths = sorted(tmp_path.glob("*.png"))
    assert [path.name for path in paths] == [f"{n:06d}.png" for n in range(12)]
    with av.open(str(asset("clips/sample-alpha.mp4"))) as container:
        exact = next(container.decode(video=0)).reformat(640, 360).to_ndarray(format="gray")
    found = cv2.imread(str(paths[0]), cv2.IMREAD_GRAYSCALE)
    overlap = ((exact > 127) & (found > 127)).sum() / ((exact > 127) | (found > 127)).sum()
    assert overlap > 0.9


def test_matte_loses_no_picture_to_its_neighbour_or_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for number, name in enumerate(("a.png", "a.jpg", "b.png")):
        cv2.imwrite(str(folder / name), draw(number, 320, 180))
    (folder / "c.png").write_bytes(b"broken")
    assert main(["matte", str(folder), str(out), "--backend", "onnxruntime"]) == 1, "one is broken"
    assert sorted(path.name for path in out.iterdir()) == ["a.jpg.png", "a.png.png", "b.png"]
    before = (folder / "b.png").read_bytes()
    assert main(["matte", str(folder), str(folder)]) == 1
    assert "another folder" in capsys.readouterr().err
    assert (folder / "b.png").read_bytes() == before


def test_matte_replaces_alphas_but_no_other_picture(
    tmp_path: Path, short_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "000000.png"), np.zeros((9, 16), np.uint8))
    cv2.imwrite(str(holiday := tmp_path / "000001.png"), draw(1, 32, 18))
    before = holiday.read_bytes()
    assert main(["matte", str(short_clip), str(tmp_path), "--backend", "onnxruntime"]) == 1
    assert "000001.png is another picture. Write the alphas to another folder." in capsys.readouterr().err
    assert holiday.read_bytes() == before
    assert cv2.imread(str(tmp_path / "000000.png"), cv2.IMREAD_UNCHANGED).shape == (360, 640)


def test_a_background_is_not_written_over(tmp_path: Path, short_clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video = tmp_path / "beach.mp4"
    video.write_bytes(short_clip.read_bytes())
    command = ["run", *QUICK, "--source", str(short_clip), "--effect", "video", "--video", str(video)]
    assert main([*command, "--sink", str(video)]) == 1
    assert "beach.mp4 is the background itself" in capsys.readouterr().err
    assert video.read_bytes() == short_clip.read_bytes()


def test_the_bundled_clip_replaces_no_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With a camera the same command records, and yesterday's recording must not be lost for its being unplugged."""
    (out := tmp_path / "me.mp4").write_bytes(b"yesterday")
    assert main(["run", *QUICK, "--source", "clip", "--effect", "colour", "--sink", str(out), "--seconds", "0.5"]) == 0
    assert "me-2.mp4" in capsys.readouterr().err
    assert out.read_bytes() == b"yesterday" and frames_of(tmp_path / "me-2.mp4")


def test_a_conversion_of_which_nothing_can_be_read_ends_with_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out.mp4"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(b"broken")
    out.write_bytes(b"older")
    assert main(["run", *QUICK, "--source", str(folder), "--sink", str(out)]) == 1
    assert "greenroom: None of the pictures in in can be read." in capsys.readouterr().err
    assert out.read_bytes() == b"older" and [path for path in tmp_path.iterdir() if "out" in path.name] == [out]


def test_a_conversion_never_replaces_its_source(
    tmp_path: Path, short_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "camera-talk.mp4"
    copy.write_bytes(short_clip.read_bytes())
    assert main(["run", *QUICK, "--source", str(copy), "--sink", str(copy)]) == 1
    assert "another name" in capsys.readouterr().err
    assert copy.read_bytes() == short_clip.read_bytes()
    status = run_json(capsys, "run", *QUICK, "--source", str(copy), "--sink", str(tmp_path / "out.mp4"))
    assert status["published"] == 12, "a file, whatever its name begins with"  # type: ignore[index]


def test_a_run_is_on_air_whatever_the_window_was(
    tmp_path: Path, short_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(Settings().replace(on_air=False))
    out = tmp_path / "out.mp4"
    run_json(capsys, "run", *QUICK[1:], "--source", str(short_clip), "--effect", "colour", "--sink", str(out))
    np.testing.assert_allclose(frames_of(out)[5][5, 5], (64, 177, 0), atol=12)


@pytest.fixture(scope="module")
def damaged_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half the bytes of a video of 60 frames."""
    folder = tmp_path_factory.mktemp("damaged")
    whole, cut = folder / "whole.mkv", folder / "cut.mkv"
    with av.open(str(whole), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"g": "5"})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for number in range(60):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(draw(number, 320, 180), format="bgr24")))
        container.mux(stream.encode())
    data = whole.read_bytes()
    cut.write_bytes(data[: len(data) // 2])
    return cut


def test_a_damaged_video_is_converted_as_far_as_it_goes_and_told(
    tmp_path: Path, damaged_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.mp4"
    assert main(["run", *QUICK, "--source", str(damaged_clip), "--sink", str(out)]) == 1
    assert "is damaged" in "".join(capsys.readouterr())  # while it runs, or at the end, but once
    assert 10 < len(frames_of(out)) < 50


def test_matte_of_a_damaged_video_goes_as_far_as_it_can_and_tells(
    tmp_path: Path, damaged_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["matte", str(damaged_clip), str(out), "--backend", "onnxruntime", "--json"]) == 1
    captured = capsys.readouterr()
    assert "greenroom: cut.mkv is damaged" in captured.err
    assert 10 < json.loads(captured.out)["frames"] == len(list(out.iterdir())) < 50


def test_a_run_that_nobody_could_see_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["run", *QUICK, "--source", "pattern", "--sink", "v4l2:/dev/video99", "--seconds", "1", "--json"]
    assert main(arguments) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["published"] == 0
    assert "video99" in captured.out


@pytest.mark.parametrize("command", ["devices --backend litert --model lite --threads 1", "models", "doctor"])
def test_reports_are_json_and_text(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    main([*command.split(), "--json"])
    facts = json.loads(capsys.readouterr().out)
    assert facts
    main(command.split())
    text = capsys.readouterr().out
    assert "{" not in text
    if command.startswith("devices"):
        chosen = facts["candidates"][0]
        assert (chosen["backend"], chosen["threads"], chosen["problem"]) == ("litert", 1, "")
        assert f"→ {chosen['title']}: {chosen['ms']:.1f} ms" in text, "the same, remembered"
    if command == "models":
        assert facts[0]["name"] == "lite" and all("verified" in f["state"] for f in facts[0]["files"])


def test_bench_measures_what_it_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "bench.json"
    facts = run_json(capsys, "bench", "compose", "--frames", "10", "--output", str(out))
    assert json.loads(out.read_text()) == facts
    assert {row["size"] for row in facts["compose"]} >= {"640x480", "1280x720"}  # type: ignore[index]


def test_bench_replaces_older_results_only_by_whole_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from app import bench

    out = tmp_path / "bench.json"
    out.write_text("older")

    def broken(*_: object, **__: object) -> None:
        raise GreenroomError("It broke.")

    monkeypatch.setattr(bench, "measure", broken)
    assert main(["bench", "compose", "--output", str(out)]) == 1
    assert "It broke" in capsys.readouterr().err
    assert out.read_text() == "older" and list(tmp_path.iterdir()) == [out]
    monkeypatch.setattr(bench, "measure", lambda *_, **__: {"machine": {}})
    run_json(capsys, "bench", "compose", "--output", str(out))
    assert json.loads(out.read_text()) == {"machine": {}} and list(tmp_path.iterdir()) == [out]
    run_json(capsys, "bench", "compose", "--output", os.devnull)
    assert not Path(os.devnull).is_file(), "a device is written to, not replaced"


def test_devices_fails_when_nothing_runs_the_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices", "--model", "nosuch"]) == 1
    assert "nosuch" in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize(
    ("sink", "message"),
    [("out.avi", "mp4"), ("file:out", "mp4"), ("there.mp4/", r"there\.mp4/out\.mp4"), ("x" * 300 + ".mp4", "another")],
)
def test_a_file_that_can_never_be_written_is_refused_at_once(
    sink: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also from a live source, which would be waited for and tried again for ever."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.mp4").mkdir()
    arguments = ["run", *QUICK, "--source", "pattern", "--seconds", "1", "--sink", "null", "--sink", sink]
    assert main(arguments) == 1
    captured = capsys.readouterr()
    assert captured.out == "" and re.search(message, captured.err)
    assert [path.name for path in tmp_path.rglob("*.mp4")] == ["there.mp4"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--source", "gone.mp4"], r"gone\.mp4"),
        (["run", "--source", "pattern", "--size", "1281x720"], "even numbers"),
        (["run", "--source", "pattern", "--effect", "none"], "--show-room"),
        (["run", "--source", "{clip}", "--sink", "/proc/nowhere/out.mp4"], "nowhere"),
        (["run", "--source", "{clip}", "--effect", "image", "--image", "bookcase"], "bookcase.*bookshelf"),
        (["run", "--source", "{clip}", "--sink", "out.xyz"], "mp4"),
        (["matte", "{clip}", "/proc/nowhere"], "nowhere"),
        (["matte", "gone.mp4", "out"], r"gone\.mp4"),
        (["matte", "{clip}", "out", "--model", "huge"], "lite"),
        (["run", "--source", "pattern", "--model", "huge"], "lite"),
        (["bench", "compose", "--output", "/proc/nowhere.json"], "nowhere.json"),
    ],
)
def test_errors_name_the_cure_and_exit_with_1_or_2(
    arguments: list[str],
    message: str,
    short_clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    given = [argument.format(clip=short_clip) for argument in arguments]
    if given[0] == "run" and "--sink" not in given:
        given += ["--sink", "null"]
    assert main(given) == (2 if message in ("even numbers", "--show-room") else 1), "2 for a setting's wrong value"
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines()[-1].startswith("greenroom: ")
    assert re.search(message, captured.err)


def test_wrong_usage_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = [["run", "--effect", "sparkles"], ["dance"], ["matte"], ["bench", "--frames", "0"]]
    wrong += [["run", "--source", "gone.mp4", "--seconds", seconds] for seconds in ("-1", "nan", "inf", "soon")]
    for arguments in wrong:
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2
        capsys.readouterr()


@pytest.mark.parametrize("command", [[], ["run"], ["matte"], ["devices"], ["models"], ["doctor"], ["bench"]])
def test_help_has_an_example(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*command, "--help"])
    assert stop.value.code == 0
    assert "Example: greenroom" in capsys.readouterr().out


def environment(tmp_path: Path) -> dict[str, str]:
    """A user without a display."""
    kept = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
    kept.pop("QT_QPA_PLATFORM", None)
    return kept | {"XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_CACHE_HOME": str(tmp_path / "cache")}


def test_ctrl_c_ends_a_recording_properly(tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    command = [sys.executable, "-m", "app", "run", *QUICK, "--source", "pattern", "--sink", str(out)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment(tmp_path), stderr=subprocess.PIPE, text=True)
    time.sleep(4)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert len(frames_of(out)) > 5


def test_without_a_display_or_camera_a_video_is_written(tmp_path: Path) -> None:
    """What `make run` does on a bare machine."""
    command = [sys.executable, "-m", "app"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=environment(tmp_path) | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "No display" in done.stderr
    frames = frames_of(tmp_path / "greenroom-out.mp4")
    assert len(frames) >= 150
    assert frames[0].shape == (720, 1280, 3)
