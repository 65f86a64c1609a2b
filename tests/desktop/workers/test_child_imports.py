"""The inference process loads no Qt, and its module nothing heavy: it starts beside a window that is being built."""

from __future__ import annotations

import pytest

from tests.core.test_imports import found, loaded

HEAVY = ("numpy", "cv2", "pydicom", "pydantic", "ai_edge_litert", "highdicom", "imagecodecs")


def test_the_module_is_light() -> None:
    modules = loaded("import cxr_desktop.workers.inference_child")
    assert "cxr_desktop.workers.child_service" in modules
    assert found(("PySide6", *HEAVY), modules) == set()


@pytest.mark.parametrize(
    "request_",
    [
        "Ask('resources/samples/synthetic-1-child.dcm', None, None, Settings())",
        "Describe(None)",
        "Warm(None, Settings())",
    ],
)
def test_no_request_loads_qt(request_: str) -> None:
    code = (
        "from cxr_core.settings import Settings\n"
        "from cxr_desktop.workers.inference_child import *\n"
        f"list(replies({request_}, Models()))"
    )
    modules = loaded(code)
    assert "cxr_core.bundle" in modules
    assert found(("PySide6", "highdicom", "pynetdicom", "tensorflow"), modules) == set()
