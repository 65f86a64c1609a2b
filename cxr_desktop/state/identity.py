"""Whether two records are of the same person: told by ID and issuer, doubted by what else differs."""

from __future__ import annotations

from cxr_desktop.state.records import InstanceRecord
from cxr_desktop.state.search import folded


def same_patient(one: InstanceRecord, other: InstanceRecord) -> bool:
    """Whether both name the same Patient ID of the same issuer (PS3.3 C.7.1.1); never told by the name alone."""
    return bool(one.patient_id) and one.patient_key == other.patient_key


def differences(one: InstanceRecord, other: InstanceRecord) -> tuple[str, ...]:
    """What contradicts that both are of the same person: "name", "birth date", "sex". What is absent says nothing."""
    found = [] if names_agree(one.patient_name, other.patient_name) else ["name"]
    for words, field in (("birth date", "patient_birth_date"), ("sex", "patient_sex")):
        values = {getattr(record, field) for record in (one, other)} - {""}
        if len(values) > 1:
            found.append(words)
    return tuple(found)


def names_agree(one: str, other: str) -> bool:
    """Whether two person names may be the same: in a group that both have, the words of one are all in the other."""
    for mine, theirs in zip(one.split("="), other.split("="), strict=False):
        words, others = (set(folded(group).replace("^", " ").split()) for group in (mine, theirs))
        if words and others and not (words <= others or others <= words):
            return False
    return True
