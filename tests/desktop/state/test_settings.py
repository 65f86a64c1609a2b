"""Settings of the viewer: kept whole, and one wrong value costs that value only."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from cxr_core.errors import SettingsError
from cxr_desktop.state.settings import (
    HeatMapSettings,
    PacsEntry,
    ViewerSettings,
    WindowPreset,
    read_settings,
    write_settings,
)

CHANGED = ViewerSettings(
    analyse_on_open=True,
    model="cnn",
    population="warn",
    prevalence=0.1,
    corner_text=1,
    window_drag="ihe",
    linked=False,
    heat_map=HeatMapSettings(0.3, 0.5, "inferno", contour=True, legend=False),
    presets=(WindowPreset("Lung", 2000, 1500),),
    pacs=(PacsEntry("Archive", "PACS", "127.0.0.1", 11112),),
    shortcuts={"ask": "Q"},
    keep_index=False,
)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "settings.json"
    write_settings(path, CHANGED)
    assert read_settings(path) == (CHANGED, None)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_every_field_differs_from_its_default_in_the_example() -> None:
    assert all(
        getattr(CHANGED, name) != getattr(ViewerSettings(), name)
        for name in ViewerSettings.__dataclass_fields__
        if name != "second_model"
    )


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert read_settings(tmp_path / "none.json") == (ViewerSettings(), None)


@pytest.mark.parametrize("content", ["", "[]", "{", "null", "[" * 100_000])
def test_a_damaged_file_is_told_and_the_defaults_hold(tmp_path: Path, content: str) -> None:
    path = tmp_path / "settings.json"
    path.write_text(content)
    settings, told = read_settings(path)
    assert settings == ViewerSettings()
    assert told is not None
    assert "could not be read (damaged)" in told


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("analyse_on_open", 1),
        ("analyse_on_open", "yes"),
        ("population", "maybe"),
        ("prevalence", 1.5),
        ("prevalence", True),
        ("corner_text", 7),
        ("corner_text", True),
        ("heat_map", []),
        ("heat_map", {"opacity": "much"}),
        ("presets", [{"name": "x"}]),
        ("presets", [{"name": "x", "center": 1, "width": 0}]),
        ("presets", {}),
        ("pacs", [{"name": "x", "ae_title": "MUCH_TOO_LONG_TITLE", "host": "h"}]),
        ("pacs", [{"name": "x", "ae_title": "A", "host": "h", "port": 0}]),
        ("pacs", [{"name": "x", "ae_title": "A", "host": " "}]),
        ("shortcuts", []),
        ("shortcuts", {"ask": 3}),
    ],
)
def test_a_wrong_value_costs_that_value_only(tmp_path: Path, name: str, value: object) -> None:
    path = tmp_path / "settings.json"
    write_settings(path, CHANGED)
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
    settings, told = read_settings(path)
    assert settings == replace(CHANGED, **{name: getattr(ViewerSettings(), name)})
    assert told is not None
    assert f"could not be used: {name};" in told


def test_what_a_later_version_adds_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"corner_text": 0, "of_later": 1}))
    assert read_settings(path) == (ViewerSettings(corner_text=0), None)


def test_whole_numbers_are_taken_where_a_share_is_meant(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"presets": [{"name": "a", "center": 1, "width": 2}]}))
    preset = read_settings(path)[0].presets[0]
    assert (preset, type(preset.center)) == (WindowPreset("a", 1.0, 2.0), float)


@pytest.mark.parametrize("title", ["", "   ", "A" * 17, "PÄCS", "A\\B", "A\nB"])
def test_an_ae_title_that_dicom_does_not_allow_is_refused(title: str) -> None:
    with pytest.raises(SettingsError, match="AE title"):
        PacsEntry("x", title, "host")
