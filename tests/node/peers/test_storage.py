"""C-STORE: every outcome, and the very bytes of the object on the other side."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.uid import CTImageStorage, DigitalXRayImageStorageForPresentation
from pynetdicom import evt

from dicom_node.peers import Cancel, Cause, EncodedObject, Sent, StoreOutcome, Timeouts, store
from tests.dicom_builder import TRANSFER_SYNTAXES, build, gradient
from tests.node.peers.fakes import ABORT, OURS, PATIENT, Line, on_store, raw_peer, response, scp

CR = "1.2.840.10008.5.1.4.1.1.1"
ALL = [(CR, list(TRANSFER_SYNTAXES.values()))]
SHORT = replace(PATIENT, dimse_seconds=1)


class Kept:
    """Takes what a server gets: the encoded data sets, by SOP Instance UID."""

    def __init__(self, status: int = 0) -> None:
        self.data_sets: dict[str, tuple[str, bytes]] = {}
        self._status = status

    def __call__(self, event: evt.Event) -> int:
        encoded = event.request.DataSet.getvalue()
        self.data_sets[event.request.AffectedSOPInstanceUID] = event.context.transfer_syntax, encoded
        return self._status


def _uids(count: int) -> list[str]:
    return [f"2.25.{100 + index}" for index in range(count)]


def _objects(count: int) -> list[bytes]:
    return [build(gradient(8, 8), SOPInstanceUID=uid) for uid in _uids(count)]


def _results(outcomes: list[StoreOutcome]) -> list[Sent]:
    return [outcome.result for outcome in outcomes]


@pytest.mark.parametrize("kind", ["bytes", "path", "data set"])
def test_the_very_bytes_arrive_in_every_transfer_syntax(kind: str, tmp_path: Path) -> None:
    sources: list[bytes | Path | EncodedObject] = []
    expected: dict[str, tuple[str, bytes]] = {}
    for index, (name, syntax) in enumerate(TRANSFER_SYNTAXES.items()):
        uid = f"2.25.{300 + index}"
        data = build(bits_stored=8 if name == "jpeg-baseline" else 12, syntax=name, SOPInstanceUID=uid)
        whole = EncodedObject.of(data)
        expected[uid] = syntax, data[whole.offset :]
        path = tmp_path / name
        path.write_bytes(data)
        bare = replace(whole, source=memoryview(expected[uid][1]), offset=0)
        sources.append({"bytes": data, "path": path, "data set": bare}[kind])
    kept = Kept()
    with scp(ALL, on_store(kept)) as peer:
        outcomes = store(peer, sources, calling_ae_title=OURS, timeouts=PATIENT)
    assert _results(outcomes) == [Sent.ACCEPTED] * len(sources)
    assert all(outcome.is_delivered and outcome.status == 0 for outcome in outcomes)
    assert [outcome.sop_instance_uid for outcome in outcomes] == list(expected)
    assert kept.data_sets == expected


@pytest.mark.parametrize("kind", ["bytes", "path"])
def test_objects_of_several_blocks_arrive_whole(kind: str, tmp_path: Path) -> None:
    data = build(gradient(1500, 1200), SOPInstanceUID="2.25.1")
    assert len(data) > 3 << 20
    path = tmp_path / "object.dcm"
    path.write_bytes(data)
    kept = Kept()
    with scp(ALL, on_store(kept)) as peer:
        (outcome,) = store(peer, [data if kind == "bytes" else path], calling_ae_title=OURS, timeouts=PATIENT)
    assert outcome.result is Sent.ACCEPTED
    assert kept.data_sets["2.25.1"][1] == data[EncodedObject.of(data).offset :]


@pytest.mark.parametrize("longest", [0, 7, 129, 16384, 131072, 1 << 31])
def test_no_pdu_is_longer_than_the_peer_takes(longest: int) -> None:
    data = build(gradient(40, 40))
    lengths: list[int] = []
    received: list[bytes] = []

    def script(line: Line) -> None:
        line.accept(longest=longest)
        control = 0
        while control != 2:
            kind, body = line.read_pdu()
            assert kind == 4
            lengths.append(len(body))
            control = body[5]
            assert control & 1 or len(body) % 2 == 0, "an odd fragment (PS3.8 E.2)"
            if not control & 1:
                received.append(body[6:])

    with raw_peer(script) as peer:
        (outcome,) = store(peer, [data], calling_ae_title=OURS, timeouts=PATIENT)
    assert b"".join(received) == data[EncodedObject.of(data).offset :]
    assert max(lengths) <= (longest if longest > 7 else 1 << 20 if longest == 0 else 8)
    assert outcome.result is Sent.UNKNOWN


STATUSES = {
    0x0000: (Sent.ACCEPTED, "the peer accepted the object", False),
    0xB000: (Sent.WARNING, "accepted the object with 0xB000: coercion of data elements", False),
    0xB007: (Sent.WARNING, "0xB007: data set does not match sop class", False),
    0x0107: (Sent.WARNING, "0x0107", False),
    0x0111: (Sent.DUPLICATE, "has an object of this UID already", False),
    0xA700: (Sent.REFUSED, "refused the object with 0xA700: refused: out of resources", True),
    0xA900: (Sent.REFUSED, "0xA900: data set does not match sop class", False),
    0xC000: (Sent.REFUSED, "0xC000: cannot understand", False),
    0x0110: (Sent.REFUSED, "0x0110: processing failure", True),
    0x0122: (Sent.REFUSED, "0x0122: refused: sop class not supported", False),
    0x0124: (Sent.REFUSED, "0x0124: refused: not authorised", False),
    0x0213: (Sent.REFUSED, "0x0213: resource limitation", True),
    0xD123: (Sent.REFUSED, "a status that the standard does not know", False),
}


def test_a_status_is_an_outcome_in_words_and_the_next_object_goes_out() -> None:
    statuses = iter(STATUSES)
    with scp(ALL, on_store(lambda _event: next(statuses))) as peer:
        outcomes = store(peer, _objects(len(STATUSES)), calling_ae_title=OURS, timeouts=PATIENT)
    for (status, (result, words, passing)), outcome in zip(STATUSES.items(), outcomes, strict=True):
        assert (outcome.status, outcome.result, outcome.passing) == (status, result, passing)
        assert words in outcome.words


def test_a_comment_is_kept_apart_from_the_words() -> None:
    from pydicom.dataset import Dataset

    answer = Dataset()
    answer.Status, answer.ErrorComment = 0xA900, "SYNTHETIC^TEST is unknown"
    with scp(ALL, on_store(lambda _event: answer)) as peer:
        (outcome,) = store(peer, _objects(1), calling_ae_title=OURS, timeouts=PATIENT)
    assert outcome.comment == "SYNTHETIC^TEST is unknown"
    assert "SYNTHETIC" not in outcome.words + repr(outcome)


def test_contexts_are_negotiated_by_class_and_coding() -> None:
    accepted = [
        build(gradient(8, 8), SOPInstanceUID="2.25.1"),
        build(
            gradient(8, 8), SOPInstanceUID="2.25.2", SOPClassUID=DigitalXRayImageStorageForPresentation, syntax="rle"
        ),
    ]
    refused = [
        build(gradient(8, 8), SOPInstanceUID="2.25.3", syntax="rle"),
        build(gradient(8, 8), SOPInstanceUID="2.25.4", SOPClassUID=CTImageStorage),
    ]
    contexts = [
        (CR, ["1.2.840.10008.1.2.1"]),
        (DigitalXRayImageStorageForPresentation, ["1.2.840.10008.1.2.5"]),
    ]
    with scp(contexts, on_store(0)) as peer:
        outcomes = store(peer, [refused[0], *accepted, refused[1]], calling_ae_title=OURS, timeouts=PATIENT)
    assert _results(outcomes) == [Sent.NOT_SENT, Sent.ACCEPTED, Sent.ACCEPTED, Sent.NOT_SENT]
    assert outcomes[0].words == "the peer does not accept Computed Radiography Image Storage in RLE Lossless"
    assert outcomes[3].words == "the peer does not accept CT Image Storage in Explicit VR Little Endian"
    assert not outcomes[0].passing


def test_more_kinds_than_an_association_holds_take_two() -> None:
    classes = [f"1.2.840.99999.{number}" for number in range(130)]
    objects = [
        EncodedObject(each, f"2.25.{index}", "1.2.840.10008.1.2.1", b"\0\0") for index, each in enumerate(classes)
    ]
    requests: list[int] = []

    def count(event: evt.Event) -> None:
        requests.append(len(event.assoc.requestor.primitive.presentation_context_definition_list))

    with scp(ALL, [(evt.EVT_REQUESTED, count)]) as peer:
        outcomes = store(peer, objects, calling_ae_title=OURS, timeouts=PATIENT)
    assert requests == [128, 128, 4], "each in its own transfer syntax and in Implicit VR"
    assert _results(outcomes) == [Sent.NOT_SENT] * 130


def _takes_one_and(then: Callable[[Line], None]) -> Callable[[Line], None]:
    """A peer that answers the first C-STORE, and meets the second as `then` does."""

    def script(line: Line) -> None:
        line.accept()
        line.read_message()
        line.send(response(0x01))
        then(line)

    return script


@pytest.mark.parametrize(
    ("then", "second", "cause"),
    [
        # The whole request went out, and the answer is lost: nobody knows.
        (lambda line: line.read_message(), Sent.UNKNOWN, Cause.LOST),
        (lambda line: (line.read_message(), line.send(ABORT)), Sent.UNKNOWN, Cause.ABORTED),
        (lambda line: (line.read_message(), line.send(b"\x04\0\0\0")), Sent.UNKNOWN, Cause.LOST),
        (lambda line: (line.read_message(), line.send(b"\x09\0\0\0\0\0")), Sent.UNKNOWN, Cause.NOT_UNDERSTOOD),
        (lambda line: (line.read_message(), line.wait()), Sent.UNKNOWN, Cause.SILENT),
    ],
)
def test_an_answer_that_is_lost_is_unknown_and_what_follows_is_not_sent(
    then: Callable[[Line], None], second: Sent, cause: Cause
) -> None:
    known: list[tuple[int, Sent]] = []
    with raw_peer(_takes_one_and(then)) as peer:
        outcomes = store(
            peer,
            _objects(3),
            calling_ae_title=OURS,
            timeouts=SHORT if cause is Cause.SILENT else PATIENT,
            on_outcome=lambda index, outcome: known.append((index, outcome.result)),
        )
    assert _results(outcomes) == [Sent.ACCEPTED, second, Sent.NOT_SENT]
    assert [outcome.sop_instance_uid for outcome in outcomes] == _uids(3)
    assert outcomes[1].failure is not None
    assert outcomes[1].failure.cause is cause
    assert outcomes[1].words.endswith("; the peer may have the object")
    assert all(outcome.passing == (cause is not Cause.NOT_UNDERSTOOD) for outcome in outcomes[1:])
    assert known == [(0, Sent.ACCEPTED), (1, second), (2, Sent.NOT_SENT)]


LARGE = EncodedObject(CR, "2.25.9", "1.2.840.10008.1.2.1", bytes(64 << 20))
"""More than the system buffers of a loopback connection."""


@pytest.mark.parametrize(
    ("then", "cause"),
    [
        (lambda line: (line.read(1 << 20), line.send(ABORT)), Cause.ABORTED),
        (lambda line: line.read(1 << 20), Cause.LOST),
        (Line.wait, Cause.SILENT),
    ],
)
def test_a_peer_that_gives_up_inside_an_object_cannot_have_it(then: Callable[[Line], None], cause: Cause) -> None:
    def script(line: Line) -> None:
        line.accept()
        then(line)

    with raw_peer(script) as peer:
        timeouts = SHORT if cause is Cause.SILENT else PATIENT
        outcomes = store(peer, [LARGE, *_objects(1)], calling_ae_title=OURS, timeouts=timeouts)
    assert _results(outcomes) == [Sent.NOT_SENT, Sent.NOT_SENT]
    failure = outcomes[0].failure
    assert failure is not None
    assert failure.cause is cause


@pytest.mark.parametrize(("whole", "result"), [(False, Sent.NOT_SENT), (True, Sent.UNKNOWN)])
def test_a_cancel_ends_a_send_at_once(whole: bool, result: Sent) -> None:
    cancel = Cancel()

    def script(line: Line) -> None:
        line.accept()
        if whole:
            line.read_message()
        else:
            line.read(1 << 20)
        cancel.set()
        line.wait()

    with raw_peer(script) as peer:
        objects = _objects(2) if whole else [LARGE, *_objects(1)]
        outcomes = store(peer, objects, calling_ae_title=OURS, timeouts=PATIENT, cancel=cancel)
    assert _results(outcomes) == [result, Sent.NOT_SENT]
    failure = outcomes[0].failure
    assert failure is not None
    assert failure.cause is Cause.CANCELLED


def test_an_association_that_is_refused_sends_nothing() -> None:
    with scp(ALL, on_store(0), require_calling_aet=["OTHER"]) as peer:
        outcomes = store(peer, _objects(2), calling_ae_title=OURS, timeouts=PATIENT)
    assert _results(outcomes) == [Sent.NOT_SENT] * 2
    assert "calling AE title not recognised" in outcomes[0].words


def test_what_is_no_object_is_told_and_the_rest_is_sent(tmp_path: Path) -> None:
    whole = _objects(1)[0]
    offset = EncodedObject.of(whole).offset
    bad: list[bytes | Path] = [
        b"",
        b"no DICOM",
        whole[:100],
        whole[:offset],
        build(meta=False, preamble=False),
        build(SOPInstanceUID="1.2.ÄÖ"),
        build(SOPInstanceUID="1." * 40),
        tmp_path / "missing.dcm",
        tmp_path,
    ]
    with scp(ALL, on_store(0)) as peer:
        outcomes = store(peer, [*bad, whole], calling_ae_title=OURS, timeouts=PATIENT)
    assert _results(outcomes) == [Sent.NOT_SENT] * len(bad) + [Sent.ACCEPTED]
    assert "no DICOM file" in outcomes[1].words
    assert "not whole" in outcomes[5].words
    assert "cannot be read" in outcomes[7].words
    assert not any(str(tmp_path) in outcome.words for outcome in outcomes)


def test_nothing_to_send_makes_no_association() -> None:
    with scp(ALL, require_calling_aet=["OTHER"]) as peer:
        assert store(peer, [], calling_ae_title=OURS) == []


def test_a_file_that_shrinks_after_it_was_read_is_not_sent(tmp_path: Path) -> None:
    path = tmp_path / "object.dcm"
    path.write_bytes(_objects(1)[0])
    shrunk = EncodedObject.of(path)
    path.write_bytes(path.read_bytes()[: shrunk.offset])
    path.unlink()
    with scp(ALL, on_store(0)) as peer:
        outcomes = store(peer, [shrunk, *_objects(1)], calling_ae_title=OURS, timeouts=PATIENT)
    assert _results(outcomes) == [Sent.NOT_SENT] * 2
    assert "the file of the object cannot be read" in outcomes[0].words
    assert not outcomes[0].passing
    assert outcomes[1].passing


def test_several_sends_at_once_do_not_disturb_each_other() -> None:
    kept = Kept()
    objects = [build(gradient(64, 64), SOPInstanceUID=f"2.25.{200 + index}") for index in range(12)]
    results: list[Sent] = []
    with scp(ALL, on_store(kept)) as peer:

        def send(share: list[bytes]) -> None:
            results.extend(_results(store(peer, share, calling_ae_title=OURS, timeouts=Timeouts())))

        threads = [threading.Thread(target=send, args=(objects[start::4],)) for start in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert results == [Sent.ACCEPTED] * 12
    offset = EncodedObject.of(objects[0]).offset
    assert {uid: encoded for uid, (_, encoded) in kept.data_sets.items()} == {
        EncodedObject.of(data).sop_instance_uid: data[offset:] for data in objects
    }
