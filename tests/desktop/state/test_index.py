"""The index: what is kept comes back, and it survives what happens to files."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cxr_desktop.state.index import Index, IndexFileError, StoredAnswer
from cxr_desktop.state.records import InstanceRecord

RECORD = InstanceRecord(
    "films/a.dcm",
    "image",
    sop_instance_uid="2.25.1",
    study_instance_uid="2.25.10",
    patient_id="SYN-1",
    patient_name="SYNTHETIC^ÅSA",
    study_date="20240315",
    rows=96,
    columns=80,
)
ANSWER = StoredAnswer(
    "2.25.1", "cnn", "0.4.0", "ab" * 32, {"verdict": None, "probability": 0.25}, b"maps", "2026-01-01"
)


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "viewer" / "index.sqlite"


@pytest.fixture
def index(path: Path, told: list[str]) -> Iterator[Index]:
    index = Index(path, told.append)
    yield index
    index.close()


def fill(index: Index) -> None:
    index.put_opened(RECORD, 1.0)
    index.put_answer(ANSWER)
    index.put_opinion("2.25.1", {"opinion": "agree"})
    index.put_measurements("2.25.1", lambda _: [{"kind": "length"}])
    index.put_thumbnail(RECORD.name, "7-8", b"picture")


def contents(index: Index) -> list[object]:
    answers = [(a.key, a.sha256, a.document, a.maps) for a in index.answers_of("2.25.1")]
    lists = (index.search(""), index.recent(), answers, index.opinions_of("2.25.1"), index.measurements_of("2.25.1"))
    return [*lists, index.thumbnail_of(RECORD.name, "7-8")]


FULL = [
    [RECORD],
    [RECORD],
    [("2.25.1", "ab" * 32, {"verdict": None, "probability": 0.25}, b"maps")],
    [{"opinion": "agree"}],
    [{"kind": "length"}],
    b"picture",
]
EMPTY: list[object] = [[], [], [], [], [], None]


def test_all_comes_back_after_reopening(path: Path, index: Index, told: list[str]) -> None:
    fill(index)
    index.close()
    again = Index(path, told.append)
    assert contents(again) == FULL
    again.close()
    assert told == []


def test_file_is_its_owners_alone(path: Path, index: Index) -> None:
    fill(index)
    assert {file.name: oct(file.stat().st_mode & 0o777) for file in path.parent.iterdir()} == {
        "index.sqlite": "0o600",
        "index.sqlite-wal": "0o600",
        "index.sqlite-shm": "0o600",
    }


def test_search_takes_every_word(index: Index) -> None:
    other = replace(RECORD, name="films/b.dcm", patient_name="SYNTHETIC^ANNA", study_date="20230101")
    index.put_instances([RECORD, other])
    assert index.search("asa 2024-03") == [RECORD]
    assert index.search("synthetic") == [RECORD, other]
    assert index.search("%") == []


def test_records_of_a_patient(index: Index) -> None:
    before = replace(RECORD, name="films/b.dcm", study_instance_uid="2.25.11")
    index.put_instances(
        [
            RECORD,
            before,
            replace(RECORD, name="films/c.dcm", patient_id="SYN-2"),
            replace(RECORD, name="films/d.dcm", issuer="ELSEWHERE"),
            replace(RECORD, name="films/e.dcm", patient_id=""),
        ]
    )
    assert index.of_patient(RECORD) == [RECORD, before]
    assert index.of_patient(replace(RECORD, patient_id="")) == []


def test_listing_again_keeps_when_it_was_opened(index: Index) -> None:
    index.put_opened(RECORD, 1.0)
    index.put_instances([replace(RECORD, study_description="CHEST")])
    assert [record.study_description for record in index.recent()] == ["CHEST"]


def test_recent_has_one_record_a_study_latest_first(index: Index) -> None:
    second = replace(RECORD, name="films/b.dcm", sop_instance_uid="2.25.2")
    other = replace(RECORD, name="films/c.dcm", study_instance_uid="2.25.11")
    for at, record in enumerate((second, other, RECORD)):
        index.put_opened(record, float(at))
    assert index.recent() == [RECORD, other]
    assert index.recent(limit=1) == [RECORD]


def test_removed_record_keeps_what_was_said_of_its_image(index: Index) -> None:
    fill(index)
    index.remove([RECORD.name])
    assert contents(index) == [[], [], *FULL[2:5], None]


def test_answer_of_the_same_bundle_is_replaced(index: Index) -> None:
    index.put_answer(ANSWER)
    index.put_answer(replace(ANSWER, document={"verdict": "NORMAL"}, made="2026-01-02"))
    index.put_answer(replace(ANSWER, sha256="cd" * 32, made="2026-01-03"))
    found = [(answer.sha256[:2], answer.document) for answer in index.answers_of("2.25.1")]
    assert found == [("cd", ANSWER.document), ("ab", {"verdict": "NORMAL"})]
    assert index.answered(["2.25.1", "2.25.2", "file:\udcff'"]) == {"2.25.1"}


def test_opinions_add_up_and_measurements_are_replaced(index: Index) -> None:
    for word in ("agree", "reject"):
        index.put_opinion("2.25.1", {"opinion": word})
        index.put_measurements("2.25.1", lambda _, word=word: [{"kind": word}])
    assert index.opinions_of("2.25.1") == [{"opinion": "agree"}, {"opinion": "reject"}]
    assert index.measurements_of("2.25.1") == [{"kind": "reject"}]
    index.put_measurements("2.25.1", lambda stored: stored * 2)
    assert index.measurements_of("2.25.1") == [{"kind": "reject"}] * 2
    index.put_measurements("2.25.1", lambda _: [])
    assert index.measurements_of("2.25.1") == []


def test_thumbnail_of_a_changed_file_is_not_its(index: Index) -> None:
    index.put_thumbnail("a.png", "1-2", b"old")
    assert index.thumbnail_of("a.png", "1-2") == b"old"
    assert index.thumbnail_of("a.png", "1-3") is None


def test_clear_leaves_nothing_on_the_disk(path: Path, index: Index) -> None:
    fill(index)
    aside = path.with_name("index.sqlite.damaged-20260101T000000")
    aside.write_bytes(b"SYNTHETIC")
    index.clear()
    assert contents(index) == EMPTY
    assert not aside.exists()
    for file in path.parent.iterdir():
        assert b"SYNTHETIC" not in file.read_bytes(), file
        assert b"SYN-1" not in file.read_bytes(), file


def test_two_windows_share_the_file(path: Path, index: Index, told: list[str]) -> None:
    other = Index(path, told.append)
    fill(index)
    assert contents(other) == FULL
    other.clear()
    assert contents(index) == EMPTY
    other.close()
    assert told == []


_WRITER = """
import sys
from pathlib import Path
from cxr_desktop.state.index import Index
index = Index(Path(sys.argv[1]), lambda words: None)
for number in range(100):
    index.put_opinion("2.25.1", {"of": sys.argv[2], "number": number})
index.close()
"""


def test_two_processes_that_write_at_once_lose_nothing(path: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", _WRITER, str(path), name]) for name in ("one", "two")]
    assert [writer.wait() for writer in writers] == [0, 0]
    index = Index(path, lambda words: None)
    opinions = index.opinions_of("2.25.1")
    index.close()
    for name in ("one", "two"):
        assert [opinion["number"] for opinion in opinions if opinion["of"] == name] == list(range(100))


def test_name_that_is_no_text(index: Index) -> None:
    record = replace(RECORD, name="/films/f\udcffilm.dcm")
    index.put_opened(record, 1.0)
    index.put_thumbnail(record.name, "1-2", b"picture")
    assert index.search("") == index.recent() == [record]
    assert index.thumbnail_of(record.name, "1-2") == b"picture"
    index.remove([record.name])
    assert index.search("") == []


def test_a_writer_that_holds_the_file_is_a_clear_error(
    path: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(index)
    index._connection.execute("PRAGMA busy_timeout = 1")
    with sqlite3.connect(path) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(
            IndexFileError, match=r"^an index that another window holds; expected a free one; do it again$"
        ):
            index.put_opinion("2.25.1", {})
        assert contents(index) == FULL
        holder.rollback()
    holder.close()
    index.put_opinion("2.25.1", {})


@pytest.mark.parametrize("damage", ["other content", "cut off", "header of zeros"])
def test_damaged_file_is_set_aside(path: Path, index: Index, told: list[str], damage: str) -> None:
    fill(index)
    index.close()
    content = path.read_bytes()
    damaged = {"other content": b"no database " * 1000, "cut off": content[:5000], "header of zeros": bytes(4096)}[
        damage
    ]
    path.write_bytes(damaged)
    again = Index(path, told.append)
    again.search("")
    fill(again)
    assert contents(again) == FULL
    again.close()
    assert len(told) == 1
    aside = next(path.parent.glob("index.sqlite.damaged-*"))
    assert told[0] == f"The index file was damaged. It was set aside as {aside.name}, and a new, empty one begun."
    assert aside.read_bytes() == damaged


def test_damage_that_is_met_later_is_set_aside(path: Path, index: Index, told: list[str]) -> None:
    fill(index)
    index.close()
    with path.open("r+b") as file:  # behind the schema, so that opening does not meet it
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    again = Index(path, told.append)
    assert told == []
    assert again.search("") == []
    assert len(told) == 1
    fill(again)
    assert contents(again) == FULL
    again.close()


def test_file_of_a_later_version_is_left_alone(path: Path, index: Index, told: list[str]) -> None:
    fill(index)
    index.close()
    with sqlite3.connect(path) as later:
        later.execute("PRAGMA user_version = 99")
    later.close()
    again = Index(path, told.append)
    assert again.in_memory
    assert "a later version of the program wrote it" in told[0]
    fill(again)
    assert contents(again) == FULL
    again.close()
    with sqlite3.connect(path) as later:
        assert later.execute("SELECT count(*) FROM opinions").fetchone() == (1,)
    later.close()


def test_folder_that_cannot_be_made_means_memory(tmp_path: Path, told: list[str]) -> None:
    (tmp_path / "file").write_bytes(b"")
    index = Index(tmp_path / "file" / "viewer" / "index.sqlite", told.append)
    assert index.in_memory
    assert told == [
        "The list of studies cannot be kept on this computer (Not a directory): it is forgotten when the program ends. "
        "Check the folder of the index and its permissions."
    ]
    fill(index)
    assert contents(index) == FULL
    index.clear()
    assert contents(index) == EMPTY
    index.close()


_READER = """
import os, sys
from pathlib import Path
from cxr_desktop.state.index import Index
if os.getuid() == 0:
    os.setuid(65534)  # root may write everywhere
told = []
index = Index(Path(sys.argv[1]), told.append)
index.put_opinion("2.25.1", {"opinion": "unsure"})
print(index.in_memory, len(told), len(index.opinions_of("2.25.1")))
try:
    index.clear()
except OSError as error:
    print(type(error).__name__, len(index.opinions_of("2.25.1")))
"""


def test_read_only_folder_shows_what_is_there(path: Path, index: Index) -> None:
    fill(index)
    index.close()
    folders = [path.parent, *path.parent.parents]
    modes = [(folder, folder.stat().st_mode) for folder in folders if folder.stat().st_mode & 0o005 != 0o005]
    try:
        for folder, mode in modes:
            folder.chmod(mode | 0o055)
        path.chmod(0o444)
        path.parent.chmod(0o555)
        answer = subprocess.run([sys.executable, "-c", _READER, str(path)], capture_output=True, text=True, check=True)
    finally:
        for folder, mode in modes:
            folder.chmod(mode)
    assert answer.stdout.split() == ["True", "1", "2", "PermissionError", "0"]


def test_full_disk_is_a_clear_error_and_loses_nothing(index: Index) -> None:
    fill(index)
    pages = index._connection.execute("PRAGMA page_count").fetchone()[0]
    index._connection.execute(f"PRAGMA max_page_count = {pages}")  # SQLite's answer is that of a full disk
    with pytest.raises(
        IndexFileError, match=r"^a disk without room for the index; expected some free space; make room"
    ):
        index.put_thumbnail("large", "1-2", bytes(100_000))
    assert contents(index) == FULL
