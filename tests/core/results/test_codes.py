"""Every code in every object is looked up: in pydicom's dictionaries, or in the table of what they lack."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from pydicom.dataset import Dataset
from pydicom.sr import _concepts_dict
from pydicom.sr.coding import Code

from cxr_core.bundle import Label, bundle_folders, load_bundle
from cxr_core.results import codes
from tests.core.results.builder import ANSWERS, MANIFEST, analysed, encoded, parsed, prediction

#: Codes that pydicom's dictionaries lack, with where they are defined.
CITED = {
    ("C0034375", "UMLS"): ("Qualitative Evaluations", "PS3.16 TID 1500"),
    ("en-US", "RFC5646"): ("English (United States)", "RFC 5646, PS3.16 CID 5000"),
    ("233604007", "SCT"): ("Pneumonia", "SNOMED CT 233604007 |Pneumonia (disorder)|"),
}
_FULLY_SPECIFIED = re.compile(r" \((attribute|qualifier value|procedure|body structure|finding)\)$")


def coded(data_set: Dataset) -> Iterator[Code]:
    """The codes of a data set, at every depth."""
    for element in data_set.iterall():
        if element.VR == "SQ":
            for item in element.value:
                value = item.get("CodeValue") or item.get("LongCodeValue")
                if value is not None:
                    yield Code(value, item.CodingSchemeDesignator, item.CodeMeaning)


def meanings(code: Code) -> set[str]:
    """What the dictionaries call a code; SNOMED's fully specified names without their tag."""
    found = set()
    for concept in _concepts_dict.concepts.get(code.scheme_designator, {}).values():
        if code.value in concept:
            found.add(_FULLY_SPECIFIED.sub("", concept[code.value][0]))
    cited = CITED.get((code.value, code.scheme_designator))
    return found | ({cited[0]} if cited else set())


def all_objects() -> Iterator[Dataset]:
    images = [analysed(answer, number=number) for number, answer in enumerate(ANSWERS, start=1)]
    images.append(analysed(None, number=99, reason="lateral view"))
    yield from map(parsed, encoded(*images))


def test_every_code_that_is_written_is_defined() -> None:
    seen = set()
    for data_set in all_objects():
        for code in coded(data_set):
            seen.add(code)
            if code.scheme_designator == codes.PRIVATE_SCHEME:
                declared = [item.CodingSchemeDesignator for item in data_set.CodingSchemeIdentificationSequence]
                assert declared == [codes.PRIVATE_SCHEME]
            else:
                assert code.meaning in meanings(code), code
    assert len(seen) > 25
    ours = {code for code in vars(codes).values() if isinstance(code, Code)}
    assert ours <= seen, "a code that nothing writes"


def test_a_wrong_code_would_be_noticed() -> None:
    """111013 is Certainty of Impression, which no validator of objects tells from Certainty of Finding."""
    assert codes.CERTAINTY.meaning not in meanings(codes.CERTAINTY._replace(value="111013"))
    assert meanings(Code("999999", "DCM", "Nothing")) == set()


def verhoeff(number: str) -> bool:
    """Whether the check digit is right: SNOMED CT's identifiers end in one."""
    check = 0
    for position, digit in enumerate(map(int, reversed(number))):
        for _ in range(position % 8):
            digit = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)[digit]
        check = _product(check, digit)
    return check == 0


def _product(a: int, b: int) -> int:
    """In the dihedral group of order 10."""
    if a < 5:
        return (a + b) % 5 + 5 * (b >= 5)
    return (a - b) % 5 + 5 * (b < 5)


def test_the_check_digit_finds_a_slip() -> None:
    assert verhoeff("233604007")
    assert verhoeff("816094009")
    assert not verhoeff("233604017")
    assert not verhoeff("233604700")


def test_identifiers_of_snomed_are_whole() -> None:
    for data_set in all_objects():
        for code in coded(data_set):
            assert code.scheme_designator != "SCT" or verhoeff(code.value), code


def test_labels_of_the_shipped_models_are_defined() -> None:
    labels = [label for folder in bundle_folders() for label in load_bundle(folder).manifest.labels if label.code]
    assert len(labels) >= 2
    for label in labels:
        code = codes.finding_of(label)
        assert code.meaning in meanings(code), label.name


@pytest.mark.parametrize("name", ["NODULE", "PLEURAL_THICKENING"])
def test_a_label_without_code_is_in_our_own_scheme(name: str) -> None:
    label = Label(name=name, meaning=f"{name} pattern " + "x" * 80)
    manifest = MANIFEST.model_copy(update={"labels": (MANIFEST.labels[0], label), "positive": name})
    finding = prediction().findings[0]
    answer = prediction(labels=("NORMAL", name), findings=(replace(finding, label=name),), verdict=name)
    report = parsed(encoded(analysed(answer, manifest=manifest))[0])
    found = [code for code in coded(report) if code.value == name]
    assert found == [Code(name, codes.PRIVATE_SCHEME, label.meaning[:64])]
