"""A batch run's list: every state of its own, nothing sinks unseen, and a CSV that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import pytest

from cxr_core.errors import OutputError
from cxr_desktop.state.batch import COLUMNS, STATE_WORDS, BatchList, safe_cell, write_csv
from tests.desktop import answers_builder as made


def run() -> BatchList:
    """One of every state."""
    batch = BatchList()
    batch.add("negative withheld low refused running high failed unusable sure-negative indeterminate waiting".split())
    answers = {
        0: made.answer(0.10),
        1: made.wrong_population(),
        2: made.answer(0.60),
        3: made.refused(),
        5: made.answer(0.95),
        6: made.failed(),
        8: made.answer(0.01),
        9: made.indeterminate(),
    }
    for number, answer in answers.items():
        batch.start(number)
        batch.answer(number, answer)
    batch.fail(7, "the process that worked on this ended (SIGKILL); ask again")
    batch.start(4)
    return batch


def test_states() -> None:
    batch = run()
    assert [item.state for item in batch.items] == (
        "answered withheld answered refused running answered failed failed answered answered waiting".split()
    )
    assert batch.counts() == {"waiting": 1, "running": 1, "answered": 5, "withheld": 1, "refused": 1, "failed": 2}
    assert len({item.state_words for item in batch.items}) == 6


def test_every_state_has_words_of_its_own_and_only_the_answered_read_like_an_answer() -> None:
    assert len(set(STATE_WORDS.values())) == 7
    words = {item.name: item.words for item in run().items}
    assert words["withheld"].startswith("Verdict withheld: not validated for this patient")
    assert words["refused"].startswith("Not analysed, refused: lateral view")
    assert words["failed"].startswith("Not analysed, failed: a truncated DICOM file")
    assert words["unusable"].startswith("the process that worked on this ended")
    assert words["waiting"] == words["running"] == ""


def test_order_of_arrival_is_the_list() -> None:
    batch = run()
    assert batch.order("arrival") == list(range(11))


def test_by_score_findings_rise_and_nothing_unseen_sinks_below_a_negative() -> None:
    batch = run()
    assert [batch.items[number].name for number in batch.order("score")] == (
        "high low indeterminate withheld refused running failed unusable waiting negative sure-negative".split()
    )


def test_the_score_of_a_withheld_verdict_sorts_nothing() -> None:
    assert run().items[1].score is None


def test_one_after_the_other() -> None:
    batch = BatchList()
    batch.add(["a", "b"])
    assert batch.next_waiting() == 0
    batch.start(0)
    assert batch.next_waiting() == 1
    batch.start(1)
    assert batch.next_waiting() is None
    batch.add(["c"])
    assert batch.next_waiting() == 2


def test_cancel_leaves_what_was_answered() -> None:
    batch = run()
    batch.cancel()
    assert [item.name for item in batch.items if item.state == "cancelled"] == ["running", "waiting"]
    assert batch.counts()["answered"] == 5
    assert batch.next_waiting() is None


def rows(content: bytes) -> list[dict[str, str]]:
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_csv() -> None:
    batch = run()
    lines = rows(batch.csv())
    assert list(lines[0]) == COLUMNS
    assert [line["file"] for line in lines] == [item.name for item in batch.items]
    by_name = {line["file"]: line for line in lines}
    high = by_name["high"]
    assert (high["state"], high["verdict"], high["score"], high["model"]) == ("answered", "PNEUMONIA", "0.9500", "cnn")
    assert (high["in_domain"], high["domain_score"], high["population"]) == ("yes", "0.4100", "inside")
    assert high["sop_instance_uid"] == made.UID
    withheld = by_name["withheld"]
    assert (withheld["verdict"], withheld["score"], withheld["findings"]) == ("", "", "PNEUMONIA 0.9300")
    refused = by_name["refused"]
    assert (refused["state"], refused["model"], refused["sop_instance_uid"]) == ("refused", "", made.UID)
    assert by_name["waiting"]["state"] == "waiting"
    assert {line["note"] for line in lines} == {"Research use only, not for diagnosis. Nothing else was assessed."}


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\uff1d1"])
def test_no_cell_is_a_formula(name: str) -> None:
    batch = BatchList()
    batch.add([name])
    assert rows(batch.csv())[0]["file"] == f"'{name}"


@pytest.mark.parametrize("cell", ["-0.1200", "0.5", "/a/=b", "a,b", 'a"b', "a\nb", "肋骨.dcm"])
def test_other_cells_are_as_they_were(cell: str) -> None:
    assert safe_cell(cell) == cell
    batch = BatchList()
    batch.add([cell])
    assert rows(batch.csv())[0]["file"] == cell


def test_a_file_name_that_is_no_text_is_written_all_the_same() -> None:
    batch = BatchList()
    batch.add([os.fsdecode(b"film-\xff.dcm")])
    assert rows(batch.csv())[0]["file"] == "film-\\udcff.dcm"


def test_csv_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    write_csv(path, run())
    assert path.read_bytes() == run().csv()
    with pytest.raises(OutputError, match=r"a file that cannot be written \(No such file or directory\)"):
        write_csv(tmp_path / "gone" / "list.csv", run())
    assert sorted(tmp_path.iterdir()) == [path]
