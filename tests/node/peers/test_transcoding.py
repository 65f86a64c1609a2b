"""A peer that takes Implicit VR alone: it gets the same data elements, value by value, and nobody else notices."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicom_node.destinations.asking import is_same
from dicom_node.destinations.dicom import DicomDestination
from dicom_node.destinations.outcome import Fate, Outcome, Outgoing
from dicom_node.peers import Cause, EncodedObject, Sent, store
from dicom_node.peers.encoded import file_head
from dicom_node.peers.transcoding import NotTranscodedError, implicit
from tests.core.results.builder import CHARACTER_SETS, SOURCES, analysed, encoded
from tests.dicom_builder import build
from tests.node.peers.fakes import OURS, PATIENT, on_store, scp
from tests.node.peers.test_dcmtk import storescp
from tests.node.peers.test_storage import Kept

CR = "1.2.840.10008.5.1.4.1.1.1"


def results(source: str = "CR", texts: str = "default") -> list[bytes]:
    return [made.data for made in encoded(analysed(**SOURCES[source] | CHARACTER_SETS[texts]))]


def values(data_set: Dataset) -> Iterator[tuple[object, ...]]:
    """Every element with its place and the bytes of its value."""
    for tag in sorted(data_set.keys()):
        element = data_set.get_item(tag)
        if data_set[tag].VR == "SQ":
            yield tag, len(data_set[tag].value)
            for number, item in enumerate(data_set[tag].value):
                yield from ((tag, number, *inner) for inner in values(item))
        else:
            yield tag, element.value or b""  # pydicom decodes empty ones as it reads


def parsed(data_set: bytes | memoryview, syntax: str) -> Dataset:
    return read_dataset(io.BytesIO(data_set), syntax == ImplicitVRLittleEndian, True)


def original(data: bytes) -> Dataset:
    given = EncodedObject.of(data)
    return parsed(data[given.offset :], given.transfer_syntax_uid)


@pytest.mark.parametrize("texts", CHARACTER_SETS)
@pytest.mark.parametrize("source", SOURCES)
def test_results_arrive_value_by_value(source: str, texts: str) -> None:
    objects = results(source, texts)
    kept = Kept()
    classes = {EncodedObject.of(data).sop_class_uid for data in objects}
    with scp([(each, [ImplicitVRLittleEndian]) for each in classes], on_store(kept)) as peer:
        outcomes = store(peer, objects, calling_ae_title=OURS, timeouts=PATIENT)
    assert [outcome.result for outcome in outcomes] == [Sent.ACCEPTED] * 3
    for data in objects:
        syntax, arrived = kept.data_sets[EncodedObject.of(data).sop_instance_uid]
        assert syntax == ImplicitVRLittleEndian
        assert list(values(parsed(arrived, syntax))) == list(values(original(data)))


@pytest.mark.parametrize("kind", ["sr", "sc", "gsps"])
def test_pydicom_writes_the_same_bytes(kind: str) -> None:
    data = results()[["sr", "sc", "gsps"].index(kind)]
    expected = DicomBytesIO()
    expected.is_implicit_VR, expected.is_little_endian = True, True
    write_dataset(expected, pydicom.dcmread(io.BytesIO(data)))
    assert implicit(EncodedObject.of(data)).source == expected.getvalue()


def test_text_that_nobody_can_read_keeps_its_bytes() -> None:
    data = build(SpecificCharacterSet="ISO_IR 192", PatientComments="XXXX").replace(b"XXXX", b"\xff\xfe\xfa\x80")
    assert b"\xff\xfe\xfa\x80" in implicit(EncodedObject.of(data)).source


def explicit(*elements: bytes) -> EncodedObject:
    return EncodedObject(CR, "2.25.1", ExplicitVRLittleEndian, b"".join(elements))


UNDEFINED = b"\xff\xff\xff\xff"
ITEM, ITEM_ENDS, ENDS = b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0" + bytes(4), b"\xfe\xff\xdd\xe0" + bytes(4)
CODE = b"\x08\x00\x00\x01SH\x04\x00CODE"
CODE_IMPLICIT = b"\x08\x00\x00\x01\x04\x00\x00\x00CODE"
SEQUENCE = b"\x08\x00\x40\x11"


@pytest.mark.parametrize(
    "sequence",
    [
        b"SQ\0\0" + UNDEFINED + ITEM + UNDEFINED + CODE + ITEM_ENDS + ENDS,
        b"SQ\0\0" + UNDEFINED + ITEM + b"\x0c\0\0\0" + CODE + ENDS,
        b"SQ\0\0\x1c\0\0\0" + ITEM + UNDEFINED + CODE + ITEM_ENDS,
        b"SQ\0\0\x14\0\0\0" + ITEM + b"\x0c\0\0\0" + CODE,
    ],
)
def test_sequences_get_a_defined_length(sequence: bytes) -> None:
    transcoded = implicit(explicit(SEQUENCE + sequence, b"\x10\x00\x20\x00LO\x02\x00ID"))
    body = ITEM + b"\x0c\0\0\0" + CODE_IMPLICIT
    assert transcoded.source == SEQUENCE + b"\x14\0\0\0" + body + b"\x10\x00\x20\x00\x02\x00\x00\x00ID"


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        (b"\x09\x00\x10\x10UN\0\0" + UNDEFINED + ENDS, "a value of undefined length"),
        (CODE[:-1], "an element longer than what holds it"),
        (CODE[:7], "an element that is cut off"),
        (SEQUENCE + b"SQ\0\0\x15\0\0\0" + ITEM + b"\x0c\0\0\0" + CODE, "an element that is cut off"),
        (SEQUENCE + b"SQ\0\0\x14\0\0\0" + ITEM + b"\x0b\0\0\0" + CODE, "an element longer than what holds it"),
        (SEQUENCE + b"SQ\0\0\x0c\0\0\0" + CODE, "a sequence of something else than items"),
        ((SEQUENCE + b"SQ\0\0" + UNDEFINED + ITEM + UNDEFINED) * 2000, "sequences too deep in each other"),
    ],
)
def test_what_cannot_be_transcoded_is_told_and_not_sent(elements: bytes, words: str) -> None:
    with pytest.raises(NotTranscodedError, match=words):
        implicit(explicit(elements))
    with scp([(CR, [ImplicitVRLittleEndian])], on_store(0)) as peer:
        bad, good = store(peer, [explicit(elements), build()], calling_ae_title=OURS, timeouts=PATIENT)
    assert bad.result is Sent.NOT_SENT
    assert bad.failure is not None
    assert (bad.failure.cause, bad.failure.passing) == (Cause.NOT_OFFERED, False)
    assert bad.words == f"the peer takes Implicit VR alone, and the object has {words}"
    assert good.result is Sent.ACCEPTED, "the association goes on"


def test_only_explicit_vr_little_endian_is_transcoded() -> None:
    with scp([(CR, [ImplicitVRLittleEndian])], on_store(0)) as peer:
        outcomes = store(peer, [build(syntax="rle"), build()], calling_ae_title=OURS, timeouts=PATIENT)
    assert [outcome.result for outcome in outcomes] == [Sent.NOT_SENT, Sent.ACCEPTED]
    assert outcomes[0].words == "the peer does not accept Computed Radiography Image Storage in RLE Lossless"


def test_a_peer_that_takes_both_gets_the_very_bytes() -> None:
    kept, data = Kept(), build()
    with scp([(CR, [ImplicitVRLittleEndian, ExplicitVRLittleEndian])], on_store(kept)) as peer:
        store(peer, [data], calling_ae_title=OURS, timeouts=PATIENT)
    assert kept.data_sets == {"2.25.1001": (ExplicitVRLittleEndian, data[EncodedObject.of(data).offset :])}


def outgoing(data: bytes, folder: Path) -> Outgoing:
    given = EncodedObject.of(data)
    path = folder / f"{given.sop_instance_uid}.dcm"
    path.write_bytes(data)
    return Outgoing(given.sop_class_uid, given.sop_instance_uid, "2.25.3", "2.25.4", path, "", False)


def test_what_a_destination_got_in_implicit_vr_counts_as_ours(tmp_path: Path) -> None:
    kept, told = Kept(), dict[str, Outcome]()
    objects = [outgoing(data, tmp_path) for data in results()]
    with scp([(sent.sop_class_uid, [ImplicitVRLittleEndian]) for sent in objects], on_store(kept)) as peer:
        DicomDestination(peer, OURS, may_ask=True).send(objects, told.__setitem__)
    assert {outcome.fate for outcome in told.values()} == {Fate.DELIVERED}
    for sent in objects:
        syntax, arrived = kept.data_sets[sent.sop_instance_uid]
        head = file_head(sent.sop_class_uid, sent.sop_instance_uid, syntax)
        assert is_same(sent.path, pydicom.dcmread(io.BytesIO(head + arrived)))


@pytest.mark.peers
def test_storescp_that_takes_implicit_alone_keeps_what_can_be_read(tmp_path: Path) -> None:
    objects = results(texts="ISO 2022 IR 87")
    with storescp(tmp_path, "+xi") as peer:
        outcomes = store(peer, objects, calling_ae_title=OURS, timeouts=PATIENT)
    assert [outcome.result for outcome in outcomes] == [Sent.ACCEPTED] * 3
    for data in objects:
        kept = next(tmp_path.glob(f"*.{EncodedObject.of(data).sop_instance_uid}")).read_bytes()
        assert EncodedObject.of(kept).transfer_syntax_uid == ImplicitVRLittleEndian
        assert list(values(original(kept))) == list(values(original(data)))
