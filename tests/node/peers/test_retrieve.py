"""C-MOVE and C-GET: progress, what arrives, what does not, and why."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pynetdicom import evt

from dicom_node.peers import Cancel, Cause, EncodedObject, Level, RetrievedObject, SubOperations, get, move
from dicom_node.peers.classes import OTHER_CLASSES, RADIOGRAPH_CLASSES, RADIOGRAPH_SYNTAXES, retrievable
from tests.dicom_builder import build, gradient
from tests.node.peers.fakes import OURS, PATIENT, Line, raw_peer, scp

MOVE, GET = "1.2.840.10008.5.1.4.1.2.2.2", "1.2.840.10008.5.1.4.1.2.2.3"
CR = uid.ComputedRadiographyImageStorage
RESULTS = (
    uid.Comprehensive3DSRStorage,
    uid.SecondaryCaptureImageStorage,
    uid.GrayscaleSoftcopyPresentationStateStorage,
    uid.SegmentationStorage,
)
STUDY = {"StudyInstanceUID": "2.25.1002"}
GET_CONTEXTS = [(GET, None), *((each, ["1.2.840.10008.1.2.1"]) for each in (CR, *RESULTS))]


def _data_sets(count: int) -> list[Dataset]:
    return [
        pydicom.dcmread(BytesIO(build(gradient(8, 8), SOPInstanceUID=f"2.25.{50 + index}"))) for index in range(count)
    ]


def _gives(data_sets: list[Dataset], final: int | None = None) -> list[tuple[Any, ...]]:
    def handle(_event: evt.Event) -> Iterator[Any]:
        yield len(data_sets) or 1
        for data_set in data_sets:
            yield 0xFF00, data_set
        if final is not None:
            yield final, Dataset()

    return [(evt.EVT_C_GET, handle)]


def test_objects_come_as_they_are_encoded() -> None:
    data_sets = _data_sets(3)
    got: list[RetrievedObject] = []
    progress: list[SubOperations] = []
    with scp(GET_CONTEXTS, _gives(data_sets)) as peer:
        result = get(
            peer, Level.STUDY, STUDY, got.append, calling_ae_title=OURS, timeouts=PATIENT, on_progress=progress.append
        )
    assert result.failure is None
    assert result.received == 3
    assert result.operations == SubOperations(0, 3, 0, 0) == progress[-1]
    assert [each.remaining for each in progress] == [2, 1, 0, 0]
    for given, data_set in zip(got, data_sets, strict=True):
        assert (given.sop_class_uid, given.transfer_syntax_uid) == (CR, "1.2.840.10008.1.2.1")
        assert pydicom.dcmread(BytesIO(given.file_head() + given.data_set)) == data_set


def test_a_folder_gets_whole_files(tmp_path: Path) -> None:
    data_sets = _data_sets(2)
    with scp(GET_CONTEXTS, _gives(data_sets)) as peer:
        result = get(peer, Level.STUDY, STUDY, tmp_path, calling_ae_title=OURS, timeouts=PATIENT)
    assert result.received == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2.25.50.dcm", "2.25.51.dcm"]
    for data_set in data_sets:
        path = tmp_path / f"{data_set.SOPInstanceUID}.dcm"
        assert pydicom.dcmread(path) == data_set
        assert EncodedObject.of(path).sop_instance_uid == data_set.SOPInstanceUID


def test_a_uid_that_is_none_cannot_name_a_file_elsewhere(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    given = RetrievedObject(CR, "../../evil", "1.2.840.10008.1.2.1", memoryview(b"\x08\0\x60\0CS\x02\0CR"))
    path = given.write_to(inner)
    assert path.parent == inner
    assert [each.name for each in tmp_path.iterdir()] == ["inner"]


def test_every_result_class_is_proposed_and_each_coding_of_radiographs() -> None:
    proposals = retrievable(GET, ["1.2.840.99999.1"])
    assert len(proposals) <= 128
    proposed = {proposal.abstract_syntax for proposal in proposals if proposal.as_scp}
    assert proposed == {*RADIOGRAPH_CLASSES, *OTHER_CLASSES, "1.2.840.99999.1"}
    assert proposed > set(RESULTS)
    codings = [proposal.transfer_syntaxes for proposal in proposals if proposal.abstract_syntax == CR]
    assert codings == [(syntax,) for syntax in RADIOGRAPH_SYNTAXES]


def test_roles_are_offered_for_what_we_take() -> None:
    roles: dict[str, tuple[bool, bool]] = {}

    def note(event: evt.Event) -> None:
        for sop_class, item in event.assoc.requestor.role_selection.items():
            roles[sop_class] = (bool(item.scu_role), bool(item.scp_role))

    with scp(GET_CONTEXTS, [*_gives([], 0x0000), (evt.EVT_REQUESTED, note)]) as peer:
        result = get(peer, Level.STUDY, STUDY, lambda _object: None, calling_ae_title=OURS, timeouts=PATIENT)
    assert (result.received, result.failure) == (0, None)
    assert GET not in roles
    assert {*RADIOGRAPH_CLASSES, *RESULTS} <= set(roles)
    assert set(roles.values()) == {(False, True)}


def test_an_object_that_cannot_be_kept_is_told_to_the_peer_and_to_us() -> None:
    kept: list[str] = []

    def keep(given: RetrievedObject) -> None:
        if kept:
            raise OSError(28, "No space left on device")
        kept.append(given.sop_instance_uid)

    with scp(GET_CONTEXTS, _gives(_data_sets(2))) as peer:
        result = get(peer, Level.STUDY, STUDY, keep, calling_ae_title=OURS, timeouts=PATIENT)
    assert result.received == 1
    assert (result.operations.completed, result.operations.failed) == (1, 1)
    assert result.failed_sop_instance_uids == ("2.25.51",)
    assert result.failure is not None
    assert result.failure.cause is Cause.OURS
    assert result.failure.words == "an object that came could not be kept: No space left on device"


def test_what_the_caller_raises_is_the_callers() -> None:
    def fail(_given: RetrievedObject) -> None:
        raise KeyError("a mistake of the caller")

    with scp(GET_CONTEXTS, _gives(_data_sets(1))) as peer, pytest.raises(KeyError, match="a mistake"):
        get(peer, Level.STUDY, STUDY, fail, calling_ae_title=OURS, timeouts=PATIENT)


def test_an_object_of_a_class_that_the_peer_cannot_send_is_named() -> None:
    data_sets = _data_sets(2)
    data_sets[1].SOPClassUID = uid.Comprehensive3DSRStorage
    contexts = [(GET, None), (CR, ["1.2.840.10008.1.2.1"])]
    got: list[RetrievedObject] = []
    with scp(contexts, _gives(data_sets)) as peer:
        result = get(peer, Level.STUDY, STUDY, got.append, calling_ae_title=OURS, timeouts=PATIENT)
    assert len(got) == 1
    assert result.failure is not None
    assert result.failure.words == "the peer could not send 1 of 2 objects"
    assert result.failed_sop_instance_uids == ("2.25.51",)


def test_a_failure_of_the_peer() -> None:
    with scp(GET_CONTEXTS, _gives([], 0xA701)) as peer:
        result = get(peer, Level.STUDY, STUDY, lambda _object: None, calling_ae_title=OURS, timeouts=PATIENT)
    assert result.failure is not None
    assert "the peer answered C-GET with 0xA701: refused: out of resources" in result.failure.words
    assert result.failure.passing


def test_a_cancel_ends_a_retrieval_after_what_has_come() -> None:
    cancel = Cancel()

    def take(_given: RetrievedObject) -> None:
        cancel.set()

    with scp(GET_CONTEXTS, _gives(_data_sets(50))) as peer:
        result = get(peer, Level.STUDY, STUDY, take, calling_ae_title=OURS, timeouts=PATIENT, cancel=cancel)
    assert result.failure is not None
    assert result.failure.cause is Cause.CANCELLED
    assert 1 <= result.received < 50


def test_a_peer_that_breaks_off_inside_an_object() -> None:
    def script(line: Line) -> None:
        line.accept()
        line.read_message()
        line.send(b"\x04\0\0\0\x10\0" + bytes(100))

    with raw_peer(script) as peer:
        result = get(peer, Level.STUDY, STUDY, lambda _object: None, calling_ae_title=OURS, timeouts=PATIENT)
    assert result.failure is not None
    assert result.failure.cause is Cause.LOST
    assert result.received == 0


def _moves(*steps: tuple[int, Dataset | None], destination: tuple[Any, ...] = (None, None)) -> list[tuple[Any, ...]]:
    def handle(_event: evt.Event) -> Iterator[Any]:
        yield destination
        yield len(steps)
        yield from steps

    return [(evt.EVT_C_MOVE, handle)]


def test_a_move_counts_what_was_sent_and_names_what_was_not() -> None:
    good, bad = _data_sets(2)
    received: list[str] = []

    def take(event: evt.Event) -> int:
        received.append(event.request.AffectedSOPInstanceUID)
        return 0 if len(received) == 1 else 0xA700

    progress: list[SubOperations] = []
    with scp([(CR, None)], [(evt.EVT_C_STORE, take)]) as destination:
        handlers = _moves((0xFF00, good), (0xFF00, bad), destination=("127.0.0.1", destination.port))
        with scp([(MOVE, None)], handlers, requested_contexts=_requested()) as peer:
            result = move(
                peer,
                Level.STUDY,
                STUDY,
                "VIEWER",
                calling_ae_title=OURS,
                timeouts=PATIENT,
                on_progress=progress.append,
            )
    assert received == ["2.25.50", "2.25.51"]
    assert result.operations == SubOperations(0, 1, 1, 0)
    assert [each.remaining for each in progress] == [1, 0, 0]
    assert result.failed_sop_instance_uids == ("2.25.51",)
    assert result.failure is not None
    assert result.failure.words == "the peer could not send 1 of 2 objects"


def _requested() -> list[Any]:
    from pynetdicom import build_context

    return [build_context(CR)]


def test_a_move_to_a_destination_that_the_peer_does_not_know() -> None:
    with scp([(MOVE, None)], _moves()) as peer:
        result = move(peer, Level.STUDY, STUDY, "NOBODY", calling_ae_title=OURS, timeouts=PATIENT)
    assert result.failure is not None
    assert result.failure.words == "the peer answered C-MOVE with 0xA801: move destination unknown"


def test_a_move_is_cancelled() -> None:
    cancel, over = Cancel(), threading.Event()

    def handle(_event: evt.Event) -> Iterator[Any]:
        cancel.set()
        over.wait(60)
        yield None, None

    with scp([(MOVE, None)], [(evt.EVT_C_MOVE, handle)]) as peer:
        result = move(peer, Level.STUDY, STUDY, "VIEWER", calling_ae_title=OURS, timeouts=PATIENT, cancel=cancel)
        over.set()
    assert result.failure is not None
    assert result.failure.cause is Cause.CANCELLED


def test_a_move_is_silent_no_longer_than_said() -> None:
    over = threading.Event()

    def handle(_event: evt.Event) -> Iterator[Any]:
        over.wait(60)
        yield None, None

    with scp([(MOVE, None)], [(evt.EVT_C_MOVE, handle)]) as peer:
        timeouts = replace(PATIENT, dimse_seconds=0.1)
        result = move(peer, Level.STUDY, STUDY, "VIEWER", calling_ae_title=OURS, timeouts=timeouts)
        over.set()
    assert result.failure is not None
    assert result.failure.words == "no answer to C-MOVE for 0.1 s"
