"""What docs/viewer.md says is what the program does: keys, places, pictures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cxr_desktop.state.batch import STATE_WORDS
from cxr_desktop.state.places import Places
from cxr_desktop.window.actions import COMMANDS

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "viewer.md").read_text()
README = (ROOT / "README.md").read_text()
PICTURES = ROOT / "docs" / "pictures"


def rows(heading: str) -> list[list[str]]:
    """Cells of the table under a heading, without its own and the rule."""
    text = GUIDE[GUIDE.index(f"\n## {heading}\n") + 1 :].split("\n## ")[0]
    lines = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line] for line in lines[2:]]


def test_the_table_of_keys_is_the_table_of_commands() -> None:
    told = {(text, menu): key.strip("`") for menu, text, key in rows("Keys")}
    assert told == {(command.text, command.menu): command.key for command in COMMANDS}


def test_keys_in_the_text_are_those_of_their_commands() -> None:
    keys = {command.name: command.key for command in COMMANDS}
    told = {
        "ask": "`V` gives a verdict",
        "show_map": "`M` the map",
        "ask_both": "`B` asks both",
        "agree": "`Y`, `N`, `U` give your opinion: agree, reject, unsure",
        "comment": "`Shift+C` adds a comment",
        "prior": "`G` hangs",
        "linked": "`Ctrl+L` unlinks",
        "batch": "`Ctrl+B` analyses a folder",
        "undo": "`Ctrl+Z` takes back",
        "keys": "`F1` shows those that hold",
        "cancel": "`Esc` stops it",
    }
    for name, words in told.items():
        assert words in GUIDE, words
        assert f"`{keys[name]}`" in words, name
    assert (keys["reject"], keys["unsure"]) == ("N", "U")
    taken_out = {key.strip("`"): what for what, key, _ in rows("Take out")}
    names = {
        "export_picture": "picture",
        "export_report": "report",
        "results": "results",
        "anonymise": "anonymised copy",
    }
    assert taken_out == {keys[name]: what for name, what in names.items()}


def test_places_are_where_the_program_keeps_things(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name)
    places = Places.of_user()
    told = [Path(where.strip("`")).expanduser() for _, where, _ in rows("What is kept, and where")]
    assert told == [places.settings_file, places.window_file, places.index_file, places.log_file]


def test_states_of_a_batch_are_named() -> None:
    for state in STATE_WORDS:
        assert state == "running" or re.search(rf"\b{state}\b", GUIDE, re.IGNORECASE), state


def test_the_libraries_of_a_window_are_those_that_are_installed_where_it_is_tried() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    (named,) = re.findall(r"for library in (.*?); do", script, re.DOTALL)
    wanted = set(named.replace("\\", " ").split())
    for text in (GUIDE, README):
        assert wanted <= set(re.findall(r"[\w.-]+", text))


def test_every_picture_is_there_and_shown_and_they_are_small() -> None:
    shown = set(re.findall(r"\(pictures/(viewer-[a-z-]+\.png)\)", GUIDE))
    there = {path.name: path.stat().st_size for path in PICTURES.glob("viewer-*.png")}
    assert shown == set(there)
    assert max(there.values()) < 250_000
    assert sum(there.values()) < 2_000_000
    assert set(re.findall(r"docs/pictures/(viewer-[a-z-]+\.png)", README)) <= set(there)
