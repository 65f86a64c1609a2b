"""The dialog of results: what is written, the status of each object, another try, cancel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pynetdicom import evt
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from cxr_core.results.records import ResultChoice, ResultError, ResultObject
from cxr_desktop.output.results import AnsweredFilm
from cxr_desktop.panels.results_dialog import ResultsDialog
from cxr_desktop.state.settings import PacsEntry
from cxr_desktop.workers.encoding import encode
from cxr_desktop.workers.inference_messages import Encode, StudyImage
from tests.desktop.answers_builder import out_of_domain, positive
from tests.desktop.output.results_builder import answered_film
from tests.node.peers.fakes import THEIRS, scp


class Encoder(QObject):
    """The inference process, in this one: encodes when it is told to."""

    encoded = Signal(int, object)
    failed = Signal(int, str)

    def __init__(self) -> None:
        super().__init__()
        self.asked: dict[int, Encode] = {}
        self.cancelled: list[int] = []

    def encode(self, images: Sequence[StudyImage], choice: ResultChoice, producer: str) -> int:
        self.asked[len(self.asked) + 1] = Encode(tuple(images), choice, producer, None)
        return len(self.asked)

    def cancel(self, ticket: int) -> None:
        self.cancelled.append(ticket)

    def answer(self) -> list[ResultObject]:
        made: list[ResultObject] = []
        for ticket, request in self.asked.items():
            objects = encode(request)
            made += objects
            self.encoded.emit(ticket, objects)
        return made


@pytest.fixture
def encoder() -> Encoder:
    return Encoder()


def dialog_of(
    qtbot: QtBot, encoder: Any, folder: Path, films: Sequence[AnsweredFilm], pacs: Sequence[PacsEntry] = ()
) -> ResultsDialog:
    dialog = ResultsDialog(films, encoder, pacs, folder)
    qtbot.addWidget(dialog)
    return dialog


def cells(dialog: ResultsDialog, column: int) -> list[str]:
    found = []
    for row in range(dialog.table.rowCount()):
        item = dialog.table.item(row, column)
        found.append("" if item is None else item.text())
    return found


def test_the_three_objects_are_saved_and_each_has_its_status(qtbot: QtBot, encoder: Encoder, tmp_path: Path) -> None:
    dialog = dialog_of(qtbot, encoder, tmp_path, [answered_film(positive())])
    assert "Pneumonia pattern found" in dialog.films.text()
    dialog.start()
    assert dialog.busy
    assert not dialog.start_button.isEnabled()
    with qtbot.waitSignal(dialog.told, timeout=30_000) as told:
        made = encoder.answer()
    assert cells(dialog, 0) == ["Structured report (SR)", "Secondary capture (SC)", "Presentation state (GSPS)"]
    assert cells(dialog, 1) == ["Saved"] * 3
    assert sorted(path.read_bytes() for path in tmp_path.glob("*.dcm")) == sorted(one.data for one in made)
    assert told.args == ["Results: 3 of 3 delivered", True]
    assert not dialog.retry_button.isEnabled()
    with qtbot.waitSignal(dialog.told, timeout=30_000):
        dialog.start()  # not made again
    assert cells(dialog, 1) == ["There already"] * 3
    assert len(encoder.asked) == 1


def test_a_withheld_verdict_has_pictures_only_where_they_are_wanted(
    qtbot: QtBot, encoder: Encoder, tmp_path: Path
) -> None:
    dialog = dialog_of(qtbot, encoder, tmp_path, [answered_film(out_of_domain())])
    assert "Verdict withheld" in dialog.films.text()
    dialog.start()
    with qtbot.waitSignal(dialog.told, timeout=30_000):
        assert [made.kind for made in encoder.answer()] == ["sr"]
    dialog.sc.setCurrentIndex(1)
    dialog.gsps.setCurrentIndex(2)
    dialog.start()
    encoder.asked.pop(1)
    with qtbot.waitSignal(dialog.told, timeout=30_000):
        assert [made.kind for made in encoder.answer()] == ["sr", "sc"]
    assert cells(dialog, 1) == ["There already", "Saved"]


def test_refused_by_a_pacs_then_tried_again(qtbot: QtBot, encoder: Encoder, tmp_path: Path) -> None:
    answers = [0xA700, 0, 0xB007, 0]
    dialog = dialog_of(qtbot, encoder, tmp_path, [answered_film(positive())])
    dialog.start()
    with qtbot.waitSignal(dialog.told, timeout=30_000):
        made = encoder.answer()
    contexts = [(one.sop_class_uid, "1.2.840.10008.1.2.1") for one in made]
    encoder.asked.clear()
    with scp(contexts, [(evt.EVT_C_STORE, lambda event: answers.pop(0))]) as peer:
        pacs = [PacsEntry("Archive", THEIRS, peer.host, peer.port)]
        dialog = dialog_of(qtbot, encoder, tmp_path, [answered_film(positive())], pacs)
        dialog.target.setCurrentIndex(1)
        assert not dialog.folder.isEnabled()
        dialog.start()
        with qtbot.waitSignal(dialog.told, timeout=30_000) as told:
            encoder.answer()
        assert cells(dialog, 1) == ["Refused", "Accepted", "Accepted with a warning"]
        assert "0xA700" in cells(dialog, 2)[0]
        assert told.args == ["Results: 2 of 3 delivered, 1 refused", False]
        dialog.target.setCurrentIndex(0)
        assert not dialog.retry_button.isEnabled()  # elsewhere it was not tried
        dialog.target.setCurrentIndex(1)
        with qtbot.waitSignal(dialog.told, timeout=30_000):
            dialog.retry()
    assert cells(dialog, 1) == ["Accepted", "Accepted", "Accepted with a warning"]
    assert not dialog.retry_button.isEnabled()


def test_cancel_while_they_are_made(qtbot: QtBot, encoder: Encoder, tmp_path: Path) -> None:
    dialog = dialog_of(qtbot, encoder, tmp_path, [answered_film(positive())])
    dialog.start()
    dialog.cancel()
    assert encoder.cancelled == [1]
    encoder.answer()  # came late
    assert dialog.delivery is None
    assert list(tmp_path.glob("*.dcm")) == []
    assert "nothing was written" in dialog.status.text()
    assert dialog.start_button.isEnabled()


@pytest.mark.parametrize("way", ["escape", "button", "window"])
def test_closing_cancels_what_is_made(qtbot: QtBot, encoder: Encoder, tmp_path: Path, way: str) -> None:
    dialog = dialog_of(qtbot, encoder, tmp_path, [answered_film(positive())])
    dialog.open()
    dialog.start()
    with qtbot.waitSignal(dialog.finished, timeout=30_000):
        if way == "escape":
            QTest.keyClick(dialog, Qt.Key.Key_Escape)
        elif way == "button":
            dialog.close_button.click()
        else:
            dialog.close()
    assert not dialog.isVisible()
    assert encoder.cancelled == [1]


def test_what_cannot_be_made_is_said(qtbot: QtBot, encoder: Encoder, tmp_path: Path) -> None:
    dialog = dialog_of(qtbot, encoder, tmp_path, [answered_film(positive())])
    dialog.start()
    encoder.failed.emit(1, str(ResultError("images of 2 Patient IDs in one study")))
    assert dialog.status.text() == "Not made: images of 2 Patient IDs in one study"
    assert dialog.start_button.isEnabled()


def test_without_an_answer_there_is_nothing_to_start(qtbot: QtBot, encoder: Encoder, tmp_path: Path) -> None:
    dialog = dialog_of(qtbot, encoder, tmp_path, [answered_film(None)])
    assert "nothing to write" in dialog.status.text()
    assert "ask the model first" in dialog.films.text()
    assert not dialog.start_button.isEnabled()
