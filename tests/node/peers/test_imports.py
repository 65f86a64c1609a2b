"""The client calls stand alone: the viewer imports them without the node, and before pynetdicom is needed."""

from __future__ import annotations

import json
import subprocess
import sys

LATER = (
    "pynetdicom",
    "dicomweb_client",
    "dbos",
    "sqlalchemy",
    "structlog",
    "highdicom",
    "cv2",
    "PySide6",
    "tensorflow",
)


def test_importing_the_calls_loads_neither_the_node_nor_what_is_heavy() -> None:
    code = "import dicom_node.peers, json, sys; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = json.loads(run.stdout)
    assert not [name for name in loaded if name.partition(".")[0] in LATER]
    assert not [name for name in loaded if name.startswith("dicom_node.") and not name.startswith("dicom_node.peers")]
    ours = {name for name in loaded if name.startswith("cxr_core")}
    assert ours == {"cxr_core", "cxr_core.errors"}
