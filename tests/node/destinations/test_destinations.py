"""Destinations: what each tells of every object, and what it answers when it is asked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pydicom
import pydicom.uid as uid
import pytest
from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
)

from dicom_node.destinations.choose import Destinations
from dicom_node.destinations.dicom import DicomDestination
from dicom_node.destinations.folder import FolderDestination
from dicom_node.destinations.outcome import Destination, Fate, Outcome, Outgoing
from dicom_node.destinations.stow import StowDestination
from dicom_node.peers import Peer, WebService
from dicom_node.settings import settings_of
from dicom_node.store.folder import DataFolder
from tests.dicom_builder import build, gradient
from tests.node.peers.fakes import OURS, Line, raw_peer, scp
from tests.node.peers.web_server import Web, serving

CR = uid.ComputedRadiographyImageStorage
EXPLICIT = uid.ExplicitVRLittleEndian
FIND, GET = StudyRootQueryRetrieveInformationModelFind, StudyRootQueryRetrieveInformationModelGet
STORE_ALONE = [(CR, EXPLICIT)]
WITH_FIND = [*STORE_ALONE, (FIND, None)]


class Sends:
    """Objects on the disk, and what a destination tells of them."""

    def __init__(self, folder: Path) -> None:
        self.objects = [self._object(folder / f"{number}.dcm", f"2.25.9{number}") for number in range(2)]

    def _object(self, path: Path, sop_instance_uid: str) -> Outgoing:
        content = build(gradient(16, 16), SOPInstanceUID=sop_instance_uid)
        path.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        return Outgoing(CR, sop_instance_uid, "2.25.1003", "2.25.1002", path, digest, False)

    def send(self, destination: Destination) -> list[Outcome]:
        told: dict[str, Outcome] = {}
        destination.send(self.objects, told.__setitem__)
        return [told[sent.sop_instance_uid] for sent in self.objects]

    def ask(self, destination: Destination) -> list[Outcome]:
        told = destination.ask(self.objects)
        return [told[sent.sop_instance_uid] for sent in self.objects]


@pytest.fixture
def sends(tmp_path: Path) -> Sends:
    return Sends(tmp_path)


def fates(outcomes: list[Outcome]) -> list[Fate]:
    return [outcome.fate for outcome in outcomes]


def stores(*statuses: int) -> list[tuple[Any, ...]]:
    """A server that answers so, one after the other."""
    answers: Iterator[int] = iter(statuses)
    return [(evt.EVT_C_STORE, lambda _event: next(answers))]


def has(*uids: str) -> list[tuple[Any, ...]]:
    """A server that has these and no others of the series that it is asked for."""

    def found(event: evt.Event) -> Iterator[tuple[int, Dataset]]:
        asked = event.identifier
        assert (asked.StudyInstanceUID, asked.SeriesInstanceUID) == ("2.25.1002", "2.25.1003")
        for one in uids:
            match = Dataset()
            match.QueryRetrieveLevel = "IMAGE"
            match.StudyInstanceUID, match.SeriesInstanceUID = asked.StudyInstanceUID, asked.SeriesInstanceUID
            match.SOPInstanceUID = one
            yield 0xFF00, match

    return [(evt.EVT_C_FIND, found)]


def gives(data_set: Dataset | None) -> list[tuple[Any, ...]]:
    """A server that says that it has every object, and gives this one."""

    def give(_event: evt.Event) -> Iterator[Any]:
        yield 1 if data_set is not None else 0
        if data_set is not None:
            yield 0xFF00, data_set

    return [*stores(0x0111, 0x0111), (evt.EVT_C_GET, give)]


def to(peer: Peer, *, may_ask: bool = True) -> DicomDestination:
    return DicomDestination(peer, OURS, may_ask=may_ask)


def test_a_peer_takes_each_object_or_not(sends: Sends) -> None:
    with scp(STORE_ALONE, stores(0x0000, 0xA700)) as peer:
        outcomes = sends.send(to(peer))
    assert fates(outcomes) == [Fate.DELIVERED, Fate.NOT_THERE]
    assert all(outcome.reached for outcome in outcomes)


def test_a_warning_is_delivered(sends: Sends) -> None:
    with scp(STORE_ALONE, stores(0xB000, 0x0000)) as peer:
        assert fates(sends.send(to(peer))) == [Fate.DELIVERED] * 2


def test_a_peer_that_is_not_there_has_nothing(sends: Sends) -> None:
    with scp(STORE_ALONE) as peer:
        pass
    outcomes = sends.send(to(peer))
    assert fates(outcomes) == [Fate.NOT_THERE] * 2
    assert not any(outcome.reached for outcome in outcomes)


def test_an_answer_that_is_lost_leaves_it_unknown(sends: Sends) -> None:
    def lose(line: Line) -> None:
        line.accept()
        line.read_message()

    with raw_peer(lose) as peer:
        assert fates(sends.send(to(peer))) == [Fate.UNKNOWN, Fate.NOT_THERE]


def test_a_peer_is_asked_by_find(sends: Sends) -> None:
    with scp(WITH_FIND, has("2.25.91", "2.25.7")) as peer:
        assert fates(sends.ask(to(peer))) == [Fate.NOT_THERE, Fate.DELIVERED]


def test_a_peer_that_offers_no_find_cannot_be_asked(sends: Sends) -> None:
    with scp(STORE_ALONE) as peer:
        assert fates(sends.ask(to(peer))) == [Fate.NOT_THERE] * 2


def test_a_peer_that_cannot_answer_now_is_asked_later(sends: Sends) -> None:
    with scp(WITH_FIND, [(evt.EVT_C_FIND, lambda _event: iter([(0xA700, None)]))]) as peer:
        assert fates(sends.ask(to(peer))) == [Fate.UNKNOWN] * 2
    outcomes = sends.ask(to(peer))  # it has gone
    assert fates(outcomes) == [Fate.UNKNOWN] * 2
    assert not any(outcome.reached for outcome in outcomes)


def test_a_peer_that_does_not_understand_the_question_cannot_be_asked(sends: Sends) -> None:
    with scp(WITH_FIND, [(evt.EVT_C_FIND, lambda _event: iter([(0xA900, None)]))]) as peer:
        assert fates(sends.ask(to(peer))) == [Fate.NOT_THERE] * 2


def test_nobody_is_asked_against_the_setting(sends: Sends) -> None:
    with scp(WITH_FIND, has("2.25.90", "2.25.91")) as peer:
        assert fates(sends.ask(to(peer, may_ask=False))) == [Fate.NOT_THERE] * 2


WITH_GET = [*STORE_ALONE, (GET, None)]


def test_a_duplicate_counts_when_its_content_is_ours(sends: Sends) -> None:
    data_set = pydicom.dcmread(sends.objects[0].path)
    data_set.PatientName = "CORRECTED^NAME"  # as archives do
    data_set.RetrieveAETitle = "PACS"
    with scp(WITH_GET, gives(data_set)) as peer:
        first, second = sends.send(to(peer))
    assert first.fate is Fate.DELIVERED
    assert second.fate is Fate.HOPELESS, "the same object is given for the other UID"
    assert second.words == "there is an object of this UID with other content"


def test_a_duplicate_with_other_pixels_is_another_object(sends: Sends) -> None:
    data_set = pydicom.dcmread(sends.objects[0].path)
    pixels = bytearray(data_set.PixelData)
    pixels[5] ^= 1
    data_set.PixelData = bytes(pixels)
    with scp(WITH_GET, gives(data_set)) as peer:
        assert sends.send(to(peer))[0].fate is Fate.HOPELESS


@pytest.mark.parametrize("contexts", [STORE_ALONE, WITH_GET])
def test_a_duplicate_that_cannot_be_looked_at_is_for_a_person(sends: Sends, contexts: list[Any]) -> None:
    with scp(contexts, gives(None)) as peer:
        assert fates(sends.send(to(peer))) == [Fate.HOPELESS] * 2


def test_a_duplicate_of_our_own_attempt_has_arrived(sends: Sends) -> None:
    sends.objects = [replace(sent, sent_before=True) for sent in sends.objects]
    with scp(STORE_ALONE, stores(0x0111, 0x0111)) as peer:
        assert fates(sends.send(to(peer))) == [Fate.DELIVERED] * 2


def test_a_call_can_be_ended(sends: Sends) -> None:
    destination: list[DicomDestination] = []

    def hang(line: Line) -> None:
        line.accept()
        line.read_message()
        destination[0].stop()
        line.wait()

    with raw_peer(hang) as peer:
        destination.append(to(peer))
        assert fates(sends.send(destination[0])) == [Fate.UNKNOWN, Fate.NOT_THERE]


def test_a_web_service_takes_objects_and_is_asked(sends: Sends) -> None:
    web = Web()
    with serving(web):
        service = StowDestination(WebService(web.url), may_ask=True)
        assert fates(sends.send(service)) == [Fate.DELIVERED] * 2
        web.body = [{"00080018": {"vr": "UI", "Value": ["2.25.90"]}}]
        assert fates(sends.ask(service)) == [Fate.DELIVERED, Fate.NOT_THERE]
        assert service.look() is None
        web.status = 503
        assert fates(sends.send(service)) == [Fate.NOT_THERE] * 2
        assert fates(sends.ask(service)) == [Fate.UNKNOWN] * 2
        web.status = 500
        assert fates(sends.send(service)) == [Fate.UNKNOWN] * 2
        web.status = 401
        assert fates(sends.ask(service)) == [Fate.UNKNOWN] * 2
        assert "check the token" in str(service.look())
    assert len(web.requests) == 8


@pytest.mark.parametrize(
    ("status", "fate"),
    [(401, Fate.UNKNOWN), (403, Fate.UNKNOWN), (503, Fate.UNKNOWN), (400, Fate.NOT_THERE), (404, Fate.NOT_THERE)],
)
def test_a_web_service_that_does_not_let_us_in_has_not_said_that_nothing_is_there(
    sends: Sends, status: int, fate: Fate
) -> None:
    with serving(Web(status)) as web:
        assert fates(sends.ask(StowDestination(WebService(web.url), may_ask=True))) == [fate] * 2


def test_a_folder_gets_whole_files(sends: Sends, tmp_path: Path) -> None:
    folder = FolderDestination(tmp_path / "new" / "results")
    assert fates(sends.ask(folder)) == [Fate.NOT_THERE] * 2
    assert fates(sends.send(folder)) == [Fate.DELIVERED] * 2
    path = tmp_path / "new" / "results" / "2.25.1002" / "2.25.90.dcm"
    assert path.read_bytes() == sends.objects[0].path.read_bytes()
    assert sorted(file.name for file in path.parent.iterdir()) == ["2.25.90.dcm", "2.25.91.dcm"]
    assert fates(sends.ask(folder)) == [Fate.DELIVERED] * 2
    path.write_bytes(b"other")
    assert fates(sends.ask(folder)) == [Fate.NOT_THERE, Fate.DELIVERED]


def test_a_folder_that_cannot_be_written_is_tried_again(sends: Sends, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    outcomes = sends.send(FolderDestination(tmp_path / "file"))
    assert fates(outcomes) == [Fate.NOT_THERE] * 2
    assert "Not a directory" in outcomes[0].words
    assert str(tmp_path) not in outcomes[0].words


def configured(tmp_path: Path, **settings: Any) -> Destinations:
    return Destinations(settings_of(settings, "test"), DataFolder(tmp_path))


def test_without_settings_results_go_into_the_data_folder(tmp_path: Path) -> None:
    destinations = configured(tmp_path)
    assert list(destinations.configured) == ["results"]
    assert isinstance(destinations.open("results", ""), FolderDestination)
    (wanted,) = destinations.wanted("MODALITY")
    assert (wanted.destination, wanted.peer, wanted.kinds) == ("results", "", ("sr", "sc", "gsps"))


def test_what_keeps_results_elsewhere_than_in_the_data_folder(tmp_path: Path) -> None:
    assert configured(tmp_path).elsewhere == []
    (tmp_path / "data").mkdir()
    (tmp_path / "disk").mkdir()
    (tmp_path / "data" / "results").symlink_to(tmp_path / "disk")
    folders = {"inside": tmp_path / "data" / "mine", "same": tmp_path / "disk", "other": tmp_path / "other"}
    named = [{"name": name, "kind": "folder", "folder": folder} for name, folder in folders.items()]
    web = {"name": "web", "kind": "stow", "url": "https://pacs.example"}
    back = {"name": "results", "kind": "dicom", "peer": "sender"}
    assert configured(tmp_path / "data", destinations=[*named, web, back]).elsewhere == ["other", "web", "results"]


def test_sender_is_the_peer_that_the_study_came_from(tmp_path: Path) -> None:
    peers = [{"ae_title": "PACS", "host": "127.0.0.1", "port": 104}, {"ae_title": "DR", "host": "127.0.0.1"}]
    destination = {"name": "back", "kind": "dicom", "peer": "sender", "objects": ["sr"]}
    destinations = configured(tmp_path, peers=peers, destinations=[destination])
    (wanted,) = destinations.wanted("PACS")
    assert (wanted.peer, wanted.kinds) == ("PACS", ("sr",))
    assert isinstance(destinations.open("back", "PACS"), DicomDestination)
    assert destinations.open("back", "DR") == "no peer DR with a port is listed; list it under [[peers]]"
    assert destinations.open("back", "X") == "no peer X with a port is listed; list it under [[peers]]"


def test_a_token_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    destination = {"name": "web", "kind": "stow", "url": "http://127.0.0.1/dicom-web", "token_variable": "CXR_TOKEN"}
    destinations = configured(tmp_path, destinations=[destination])
    monkeypatch.delenv("CXR_TOKEN", raising=False)
    assert destinations.open("web", "") == "the environment variable CXR_TOKEN is not set"
    monkeypatch.setenv("CXR_TOKEN", "secret")
    service = destinations.open("web", "")
    assert isinstance(service, StowDestination)
    assert "secret" not in repr(vars(service))


def test_an_address_that_is_none_is_told(tmp_path: Path) -> None:
    destinations = configured(tmp_path, destinations=[{"name": "web", "kind": "stow", "url": "pacs/dicom-web"}])
    assert "http" in str(destinations.open("web", ""))
