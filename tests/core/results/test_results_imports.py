"""What receives and forwards objects knows our results without loading what makes them."""

from __future__ import annotations

import pytest

from tests.core.test_imports import found, loaded

HEAVY = ("highdicom", "PySide6", "pynetdicom", "tensorflow", "imagecodecs", "ai_edge_litert")


@pytest.mark.parametrize("module", ["marks", "records", "encode"])
def test_nothing_heavy_before_an_object_is_made(module: str) -> None:
    modules = loaded(f"import cxr_core.results.{module}")
    assert f"cxr_core.results.{module}" in modules
    assert found(HEAVY, modules) == set()


def test_only_the_report_needs_highdicom() -> None:
    assert found(("highdicom",), loaded("import cxr_core.results.structured_report")) == {"highdicom"}
    modules = loaded("import cxr_core.results.secondary_capture, cxr_core.results.presentation_state")
    assert found(("highdicom", "pynetdicom", "PySide6"), modules) == set()
