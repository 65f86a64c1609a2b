"""What must not be loaded at a start: the model is on its way before anything heavy is imported."""

from __future__ import annotations

import pytest

from tests.core.test_imports import loaded

HEAVY = {"sqlalchemy", "dbos", "pydicom", "pynetdicom", "numpy", "cv2", "highdicom", "cxr_core.classifier"}


@pytest.mark.parametrize(
    "module",
    [
        "dicom_node.cli",
        "dicom_node.serve",  # the node, until its work process is started
        "dicom_node.work.process",  # the work process, until its model process is started
        "dicom_node.work.model_process",
        "dicom_node.work.model",
    ],
)
def test_nothing_heavy_is_loaded_before_the_next_process_is_started(module: str) -> None:
    assert loaded(f"import {module}") & HEAVY == set()


def test_the_listener_s_process_does_without_dbos_and_the_model() -> None:
    names = loaded(
        "import dicom_node.serve, dicom_node.listener.server, dicom_node.store.sink, dicom_node.store.rebuild"
    )
    assert not names & {"dbos", "cv2", "highdicom", "cxr_core.classifier", "ai_edge_litert"}


def test_the_model_s_process_does_without_database_and_network() -> None:
    names = loaded("import dicom_node.work.analysis, dicom_node.work.encoding, cxr_core.classifier")
    assert not names & {"dbos", "sqlalchemy", "pynetdicom"}
