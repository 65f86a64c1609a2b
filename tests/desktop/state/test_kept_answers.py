"""An answer in the index reads tomorrow as it did today, and one that cannot be read is none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cxr_desktop.state.answers import Answer, words_of
from cxr_desktop.state.index import Index
from cxr_desktop.state.kept_answers import answer_of, kept
from tests.desktop import answers_builder as made


@pytest.mark.parametrize(
    "answer", [made.positive(), made.out_of_domain(), made.of_findings(0.7, 0.2), made.of_classes(0.7, 0.3)]
)
def test_through_the_index(tmp_path: Path, answer: Answer) -> None:
    index = Index(tmp_path / "index.sqlite", pytest.fail)
    row = kept("1.2.3", answer)
    assert row is not None
    index.put_answer(row)
    (stored,) = index.answers_of("1.2.3")
    again = answer_of(stored)
    index.close()
    assert again is not None
    assert words_of(again) == words_of(answer)
    assert again.manifest == answer.manifest
    assert answer.result.prediction is not None
    assert again.result.prediction is not None
    assert np.array_equal(again.result.prediction.maps, answer.result.prediction.maps)
    assert (stored.model, stored.version, stored.sha256) == ("cnn", "0.4.0", "cnn".ljust(64, "0"))


@pytest.mark.parametrize("answer", [made.refused(), made.failed()])
def test_what_may_be_answered_tomorrow_is_not_kept(answer: Answer) -> None:
    assert kept("1.2.3", answer) is None


def test_a_row_of_another_version_is_none() -> None:
    row = kept("1.2.3", made.positive())
    assert row is not None
    for document in ({}, {"manifest": {"format": 2}, "result": {}}, row.document | {"result": {"path": "a"}}):
        assert answer_of(replace(row, document=document)) is None
