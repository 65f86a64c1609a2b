"""Which prior hangs beside the current image: one rule, newest earlier study of the same patient, same view if any."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from cxr_desktop.state.identity import differences, same_patient
from cxr_desktop.state.records import InstanceRecord

View = Literal["frontal", "lateral", "other", "unknown"]

#: View Position and meanings of view codes (CID 4010), their letters alone.
_FRONTAL = frozenset({"PA", "AP", "FRONTAL", "POSTEROANTERIOR", "ANTEROPOSTERIOR", "POSTEROANTERIORPROJECTION"})


@dataclass(frozen=True, slots=True)
class Prior:
    """An earlier image, and what has to be said beside it."""

    record: InstanceRecord
    same_view: bool
    warning: str
    """One line; "" where nothing speaks against the comparison."""


def view_of(record: InstanceRecord) -> View:
    """The kind of view: PA and AP are compared with each other, a lateral with laterals."""
    letters = "".join(c for c in record.view_position.upper() if c.isalpha())
    if not letters:
        return "unknown"
    if letters in _FRONTAL:
        return "frontal"
    return "lateral" if letters in ("LL", "RL") or "LAT" in letters else "other"


def prior_of(current: InstanceRecord, records: Iterable[InstanceRecord]) -> Prior | None:
    """The image that hangs beside `current`, out of all that are known; None where there is none.

    It is an image of an earlier study of the same patient: of the same view if there is one, else of an unknown view,
    else of another; of these the newest. Result objects, what failed, and what has no date never hang.
    """
    candidates = [record for record in records if can_be_prior(record, current)]
    if not candidates:
        return None
    mine = view_of(current)

    def rank(record: InstanceRecord) -> tuple[bool, bool, tuple[str, str], bool]:
        view = view_of(record)
        same = view == mine
        return same, view == "unknown", _when(record), record.view_position == current.view_position

    best = max(candidates, key=rank)  # the first of equals
    same_view = view_of(best) == mine
    return Prior(best, same_view, _warning(current, best, same_view))


def can_be_prior(record: InstanceRecord, current: InstanceRecord) -> bool:
    """Whether a record is an image of an earlier study of the same patient."""
    return (
        record.kind == "image"
        and same_patient(record, current)
        and record.study_key != current.study_key
        and bool(record.study_date and current.study_date)
        and _when(record) < _when(current)
    )


def prior_warning(current: InstanceRecord, prior: InstanceRecord) -> str:
    """What has to be said when a person chose this prior: another patient, contradictions, another view."""
    if not same_patient(current, prior):
        return "The image beside it is not known to be of the same patient: the patient IDs differ or are missing."
    return _warning(current, prior, view_of(current) == view_of(prior))


def _warning(current: InstanceRecord, prior: InstanceRecord, same_view: bool) -> str:
    different = differences(current, prior)
    if different:
        return f"Same patient ID, but another {' and '.join(different)}: check that both are of the same person."
    if not same_view and "unknown" not in (view_of(current), view_of(prior)):
        return "The prior is another view."
    return ""


def _when(record: InstanceRecord) -> tuple[str, str]:
    return record.study_date, record.study_time
