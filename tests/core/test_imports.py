"""What must not be loaded at start: `cxr --help` answers at once, and prediction needs no training package."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: Loaded by the command that needs them, never by the command line itself.
NOT_AT_START = (
    "numpy",
    "cv2",
    "pydicom",
    "imagecodecs",
    "ai_edge_litert",
    "tensorflow",
    "PIL",
    "rich.table",
    "rich.progress",
    "cxr_core.classifier",
    "cxr_core.pipeline",
)
#: Of other packages of this house; the core does without.
NEVER_IN_PREDICT = (
    "tensorflow",
    "keras",
    "sklearn",
    "scipy",
    "pandas",
    "matplotlib",
    "PySide6",
    "pynetdicom",
    "dbos",
    "highdicom",
    "training",
)

AT_START = "import cxr_core.cli"
HELP = """
import sys
sys.argv = ["cxr", *{words}]
from cxr_core.cli import app
try:
    app()
except SystemExit as leaving:
    assert not leaving.code, leaving.code
"""


def loaded(code: str) -> set[str]:
    """Names of the modules that a child process has loaded after the code."""
    tail = "\nimport json, sys; print('\\n' + json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code + tail], capture_output=True, text=True, check=True, cwd=ROOT, timeout=60
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def found(forbidden: tuple[str, ...], modules: set[str]) -> set[str]:
    return {name for name in forbidden if any(m == name or m.startswith(f"{name}.") for m in modules)}


@pytest.mark.parametrize(
    "code",
    [AT_START, *(HELP.format(words=words) for words in (["--help"], ["predict", "--help"], ["--version"]))],
    ids=["import", "help", "predict-help", "version"],
)
def test_nothing_heavy_at_start(code: str) -> None:
    modules = loaded(code)
    assert "cxr_core.cli" in modules
    assert found(NOT_AT_START, modules) == set()


@pytest.mark.parametrize("options", [["--json"], [], ["--heatmap-dir", "{out}"]], ids=["json", "text", "heatmap"])
def test_predict_needs_no_other_package(options: list[str], tmp_path: Path) -> None:
    words = ["predict", "resources/samples", *(option.format(out=tmp_path) for option in options)]
    modules = loaded(HELP.format(words=words))
    assert "ai_edge_litert" in modules, "nothing was predicted"
    assert found(NEVER_IN_PREDICT, modules) == set()


def test_models_needs_no_runtime() -> None:
    modules = loaded(HELP.format(words=["models"]))
    assert found(("ai_edge_litert", "imagecodecs", "PIL", *NEVER_IN_PREDICT), modules) == set()


def test_a_forbidden_module_is_noticed() -> None:
    assert found(("json", "rich.table"), loaded("import json, rich")) == {"json"}
