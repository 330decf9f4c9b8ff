"""Settings: one table, an atomic file, migration, and nothing lost when the file is broken."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import settings as module
from app.problems import SettingsError
from app.settings import Settings, load, parse, save


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "settings.json"
    settings = Settings().replace(effect="image", image="bild äöü.png", blur=7, sinks=("v4l2", "a.mp4"), mirror=True)
    save(settings, path)
    assert load(path) == (settings, [])


def test_missing_file_gives_defaults(tmp_path: Path) -> None:
    assert load(tmp_path / "none.json") == (Settings(), [])


@pytest.mark.parametrize("text", ["", "{", "[1]", "\0\0\0", '{"blur": '])
def test_corrupt_file_is_kept_and_reported(tmp_path: Path, text: str) -> None:
    path = tmp_path / "settings.json"
    path.write_text(text)
    settings, problems = load(path)
    assert settings == Settings()
    assert len(problems) == 1
    assert "defaults" in str(problems[0])
    assert (tmp_path / "settings.json.broken").read_text() == text


def test_wrong_entries_are_replaced_and_the_rest_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"version": 2, "blur": 200, "effect": "confetti", "mirror": True, "hat": 1}))
    settings, problems = load(path)
    assert settings == Settings().replace(mirror=True)
    text = " ".join(map(str, problems))
    assert "0 to 100" in text
    assert "confetti" in text
    assert "'hat'" in text
    assert path.with_name("settings.json.broken").exists()


def test_version_1_is_migrated() -> None:
    settings, problems = parse({"version": 1, "sink": "v4l2", "blur": 20})
    assert settings.sinks == ("v4l2",)
    assert settings.blur == 20
    assert problems == []


def test_version_2_s_only_network_was_no_choice() -> None:
    settings, problems = parse({"version": 2, "model": "lite", "threads": 2})
    assert (settings.model, settings.threads, problems) == ("auto", 2, [])
    assert parse({"version": 3, "model": "lite"})[0].model == "lite"


def test_a_later_version_keeps_what_is_understood() -> None:
    settings, problems = parse({"version": 99, "blur": 20, "hologram": True})
    assert settings.blur == 20
    assert len(problems) == 1


def test_no_effect_needs_consent_and_consent_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--show-room"):
        Settings().replace(effect="none")
    path = tmp_path / "settings.json"
    save(Settings().replace(effect="none", show_room=True), path)
    settings, problems = load(path)
    assert (settings.effect, settings.show_room, problems) == ("blur", False, [])


@pytest.mark.parametrize("names", [("show_room", "effect"), ("effect", "show_room")])
def test_no_file_consents_to_show_the_room(names: tuple[str, str]) -> None:
    values: dict[str, object] = {"show_room": True, "effect": "none"}
    settings, problems = parse({name: values[name] for name in names})
    assert (settings.effect, settings.show_room) == ("blur", False)
    assert any("show_room" in problem.message and "--show-room" in problem.cure for problem in problems)
    assert parse({"show_room": False}) == (Settings(), [])


def test_a_file_that_cannot_be_read_is_moved_beside_before_another_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "settings.json"
    save(Settings().replace(blur=7), path)
    old = path.read_bytes()

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_text", refuse)
        patch.setattr(Path, "open", refuse)
        settings, (problem,) = load(path)
        assert settings == Settings() and "Permission denied" in problem.message and "own" in problem.cure
        assert [found.name for found in tmp_path.iterdir()] == [path.name], "only to look changes nothing"
        save(settings, path)
    assert (tmp_path / "settings.json.broken").read_bytes() == old
    assert load(path) == (Settings(), [])


def test_a_file_of_which_no_copy_can_be_kept_stays_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "settings.json"
    path.write_text('{"blur": 7, "hologram": true}')
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        settings, problems = load(path)
    assert settings.blur == 7 and any("no copy" in problem.cure.lower() for problem in problems)
    assert load(path)[0].blur == 7
    assert f"The old file is kept as {path}.broken." in [problem.cure for problem in load(path)[1]], "as it is written"


def test_older_broken_files_are_kept_and_the_same_one_once(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    for content in ('{"first', '{"first', '{"second"', '{"first'):
        path.write_text(content)
        assert load(path)[1]
    kept = sorted(tmp_path.glob("*.broken*"))
    assert [(file.name, file.read_text()) for file in kept] == [
        ("settings.json.broken", '{"first'),
        ("settings.json.broken-2", '{"second"'),
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("size", "16384x16384"),
        ("size", "1280x721"),
        ("size", "9" * 5000 + "x2"),
        ("size", "0x0"),
        ("size", "90000x2"),
        ("size", "big"),
        ("fps", 0),
        ("fps", 30.0),
        ("blur", True),
        ("colour", "green"),
        ("sinks", ("a", 1)),
        ("mirror", 1),
        ("backend", "abacus"),
    ],
)
def test_wrong_values_are_refused_with_the_cure(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings().replace(**{name: value})


@given(
    st.dictionaries(
        st.text(max_size=8) | st.sampled_from([*Settings.__annotations__]),
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.text(max_size=3), max_size=2),
        max_size=6,
    )
)
def test_any_file_gives_valid_settings(values: dict[str, object]) -> None:
    settings, _ = parse(values)
    assert isinstance(settings, Settings)


def test_a_failed_save_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "settings.json"
    save(Settings().replace(blur=1), path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SettingsError, match=r"No space left.*Make room"):
        save(Settings().replace(blur=2), path)
    assert load(path)[0].blur == 1
    assert [found.name for found in tmp_path.iterdir()] == ["settings.json"]


def test_every_option_has_help_and_flags_are_unique() -> None:
    options = {name: option for name, option, _ in Settings().items()}
    assert all(option.help.endswith(".") for option in options.values())
    flags = [option.flag for option in options.values() if option.flag]
    assert len(flags) == len(set(flags))
    assert max(module._MIGRATIONS) + 1 == module.VERSION
