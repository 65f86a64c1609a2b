"""Results all the way: a sample film, the real model in its process, and Orthanc, with what each of them said."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from cxr_core.reading import Source
from cxr_core.samples import SAMPLES, sample_folder
from cxr_core.settings import Settings
from cxr_desktop.output.results import AnsweredFilm
from cxr_desktop.panels.results_dialog import ResultsDialog
from cxr_desktop.state.answers import Answer
from cxr_desktop.state.records import LoadedImage
from cxr_desktop.state.settings import PacsEntry
from cxr_desktop.workers.inference import Inference
from cxr_desktop.workers.listing import record_of
from cxr_desktop.workers.loading import load
from tests.node.orthanc_server import free_ports, running_orthanc

pytestmark = pytest.mark.peers

PATIENCE = 60_000


@pytest.fixture
def inference() -> Iterator[Inference]:
    inference = Inference(Settings())
    yield inference
    inference.stop()


def sample() -> LoadedImage:
    path = sample_folder() / SAMPLES[1].file
    return load(record_of(Source(str(path), path.read_bytes)))


def test_three_objects_reach_orthanc_and_nothing_reaches_a_closed_port(
    qtbot: QtBot, inference: Inference, tmp_path: Path
) -> None:
    film = sample()
    with qtbot.waitSignal(inference.answered, timeout=PATIENCE) as answered:
        inference.ask(film, None)
    answer = answered.args[1]
    assert isinstance(answer, Answer)
    (closed,) = free_ports(1)
    (tmp_path / "orthanc").mkdir()
    with running_orthanc(tmp_path / "orthanc") as server:
        pacs = [
            PacsEntry("Orthanc", server.ae_title, "127.0.0.1", server.dicom_port),
            PacsEntry("Nobody", "NOBODY", "127.0.0.1", closed),
        ]
        films = [AnsweredFilm(film, answer, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))]
        dialog = ResultsDialog(films, inference, pacs, tmp_path)
        qtbot.addWidget(dialog)
        dialog.sc.setCurrentIndex(1)
        dialog.gsps.setCurrentIndex(1)
        dialog.target.setCurrentIndex(2)
        with qtbot.waitSignal(dialog.told, timeout=PATIENCE) as told:
            dialog.start()
        assert told.args == ["Results: 0 of 3 delivered, 3 not sent", False]
        dialog.target.setCurrentIndex(1)
        with qtbot.waitSignal(dialog.told, timeout=PATIENCE) as told:
            dialog.start()
        assert told.args == ["Results: 3 of 3 delivered", True]
        assert dialog.delivery is not None
        held = {one["MainDicomTags"]["SOPInstanceUID"] for one in server.ask("/instances?expand")}
        assert held == {made.sop_instance_uid for made in dialog.delivery.objects}
        assert {made.kind for made in dialog.delivery.objects} == {"sr", "sc", "gsps"}
