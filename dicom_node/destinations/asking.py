"""Whether objects are at the other side, by a query at IMAGE level; and whether what is there is the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from dicom_node.destinations.outcome import Fate, Outcome, Outgoing
from dicom_node.peers import Cause, Failure, FindResult

#: What an archive puts right for the whole study or patient (PS3.4 B.4.2.2), beside group 0010.
_CORRECTED = frozenset(
    {
        "AccessionNumber",
        "IssuerOfAccessionNumberSequence",
        "InstanceCoercionDateTime",
        "ReferringPhysicianName",
        "SpecificCharacterSet",
        "StudyDate",
        "StudyDescription",
        "StudyID",
        "StudyTime",
    }
)


def ask(
    objects: Sequence[Outgoing], find: Callable[[Mapping[str, str | Sequence[str]]], FindResult] | None
) -> dict[str, Outcome]:
    """The fate of each object, by one query a series; None for `find`: the settings say that nobody is asked.

    Where the other side cannot be asked at all (no such service, a query that it does not understand) nothing is
    known to be there, so that everything is sent again, with the same bytes.
    """
    if find is None:
        return {sent.sop_instance_uid: Outcome(Fate.NOT_THERE, "is not asked") for sent in objects}
    series: dict[tuple[str, str], list[str]] = {}
    for sent in objects:
        series.setdefault((sent.study_instance_uid, sent.series_instance_uid), []).append(sent.sop_instance_uid)
    fates = {}
    for (study, one), uids in series.items():
        found = find({"StudyInstanceUID": study, "SeriesInstanceUID": one, "SOPInstanceUID": uids})
        there = {match.sop_instance_uid for match in found.matches}
        for uid in uids:
            fates[uid] = Outcome(Fate.DELIVERED, "found there") if uid in there else _missing(found.failure)
    return fates


def _missing(failure: Failure | None) -> Outcome:
    """Of an object that was not found. One who did not let us in has not answered: it may be there."""
    if failure is None:
        return Outcome(Fate.NOT_THERE, "not found there")
    if failure.cause is Cause.NOT_OFFERED or (failure.cause is Cause.STATUS and not failure.passing):
        return Outcome(Fate.NOT_THERE, "cannot be asked")
    return Outcome(Fate.UNKNOWN, f"it may be there; {failure.words}", reached=was_reached(failure))


def was_reached(failure: Failure) -> bool:
    """Whether the other side was there at all."""
    return failure.cause not in (Cause.ADDRESS, Cause.UNREACHABLE, Cause.TLS, Cause.OURS)


def duplicate(sent: Outgoing, there: Sequence[Dataset], failure: Failure | None) -> Outcome:
    """The fate of an object that the other side has already, as 0x0111 says: it counts when its content is ours.

    Parameters
    ----------
    sent : Outgoing
        Our object.
    there : sequence of pydicom.Dataset
        What the other side gave when it was asked for the object.
    failure : Failure or None
        Why it gave none.
    """
    if there:
        if all(is_same(sent.path, one) for one in there):
            return Outcome(Fate.DELIVERED, "it is there already, with this content")
        return Outcome(Fate.HOPELESS, "there is an object of this UID with other content")
    if failure is not None and failure.passing:
        return Outcome(Fate.UNKNOWN, "there is an object of this UID, which could not be looked at now")
    if sent.sent_before:
        # As much as a query tells, and our very bytes may have arrived: nobody else makes this UID, a hash of them.
        return Outcome(Fate.DELIVERED, "it has arrived by an earlier attempt")
    return Outcome(Fate.HOPELESS, "there is an object of this UID, which cannot be looked at")


def is_same(path: Path, theirs: Dataset) -> bool:
    """Whether an object that came back holds everything that was sent, apart from what archives put right.

    Elements may have been added. Pixels are compared as values, for they may have been compressed.
    """
    ours = pydicom.dcmread(path)
    try:
        return all(_has(theirs, element.tag, ours) for element in ours if not _may_differ(ours, element.tag))
    except Exception:  # noqa: BLE001  # what cannot be parsed is not the same
        return False


def _may_differ(ours: Dataset, tag: pydicom.tag.BaseTag) -> bool:
    return tag.group == 0x0010 or ours[tag].keyword in _CORRECTED


def _has(theirs: Dataset, tag: pydicom.tag.BaseTag, ours: Dataset) -> bool:
    if tag not in theirs:
        return False
    if ours[tag].keyword == "PixelData" and ours.file_meta.TransferSyntaxUID != theirs.file_meta.TransferSyntaxUID:
        return bool((ours.pixel_array == theirs.pixel_array).all())
    return bool(ours[tag].value == theirs[tag].value)
