"""Intake: each refusal and warning with its reason, relaxed rules, and every code held against pydicom's dictionary."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from cxr_core import intake
from cxr_core.chest_image import HeaderFacts
from cxr_core.errors import SettingsError
from cxr_core.intake import Intake, examine
from cxr_core.reading import read_image
from cxr_core.settings import INTAKE_RULES, IntakeSettings
from tests.dicom_builder import build, header, to_bytes

_FOR_PROCESSING_DX = "1.2.840.10008.5.1.4.1.1.1.1.1"
_CR_CLASS = "1.2.840.10008.5.1.4.1.1.1"
_VIEWS = codes.cid4010.concepts.values()
_REGIONS = codes.cid4031.concepts.values()


def _facts(**changes: Any) -> HeaderFacts:
    good = {
        "container": "dicom",
        "rows": 2000,
        "columns": 2500,
        "modality": "CR",
        "body_part": "CHEST",
        "view_position": "PA",
        "age_years": 3.0,
    }
    return HeaderFacts(**(good | changes))


def _examine(relaxed: tuple[str, ...] = (), **changes: Any) -> Intake:
    return examine(_facts(**changes), IntakeSettings(relaxed=frozenset(relaxed)))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"modality": "DX", "presentation_intent": "FOR PRESENTATION"},
        {"modality": "RG", "view_position": "AP"},
        {"modality": "OT"},
        {"modality": "SC"},
        {"body_part": "THORAX"},
        {"body_part": "LUNG"},
        {"body_part": "CHEST PA"},
        {"body_part": None, "anatomic_region": ("816094009", "SCT")},
        {"body_part": None, "anatomic_region": ("T-D3000", "SNM3")},
        {"body_part": None, "anatomic_region": ("51185008", "SCT"), "modality": "OT"},
        {"view_position": None, "view_code": ("272479007", "SCT")},
        {"view_position": None, "view_code": ("R-10206", "SNM3")},
        {"rows": 64, "columns": 64},
        {"colour_share": 0.01},
    ],
    ids=str,
)
def test_a_frontal_chest_film_is_taken_without_a_word(changes: dict[str, Any]) -> None:
    assert _examine(**changes) == Intake(None, ())


REFUSALS = [
    ({"view_position": "LL"}, "lateral view (View Position LL); a frontal film, PA or AP, is needed"),
    (
        {"view_position": "LEFT LATERAL"},
        "lateral view (View Position LEFTLATERAL); a frontal film, PA or AP, is needed",
    ),
    ({"view_position": "LLD"}, "decubitus view (View Position LLD); a frontal film, PA or AP, is needed"),
    ({"view_position": "RAO"}, "oblique view (View Position RAO); a frontal film, PA or AP, is needed"),
    (
        {"view_position": None, "view_code": ("399173006", "SCT")},
        "left lateral view (View Code 399173006); a frontal film, PA or AP, is needed",
    ),
    (
        {"view_position": None, "view_code": ("R-10208", "SRT")},
        "antero-posterior oblique view (View Code R-10208); a frontal film, PA or AP, is needed",
    ),
    (
        {"view_position": "", "view_code": ("R-102CD", "SNM3")},
        "lateral view (View Code R-102CD); a frontal film, PA or AP, is needed",
    ),
    ({"body_part": "HAND"}, "Body Part Examined HAND; CHEST is needed"),
    ({"body_part": "T SPINE"}, "Body Part Examined T SPINE; CHEST is needed"),
    ({"body_part": "CHEST ABDOMEN"}, "Body Part Examined CHEST ABDOMEN; CHEST is needed"),
    ({"body_part": None, "anatomic_region": ("85562004", "SCT")}, "Anatomic Region Hand; the chest is needed"),
    ({"body_part": None, "anatomic_region": ("T-D8700", "SNM3")}, "Anatomic Region Hand; the chest is needed"),
    ({"modality": "CT"}, "Modality CT; CR, DX or RG is needed"),
    ({"modality": "PX"}, "Modality PX; CR, DX or RG is needed"),
    ({"modality": None}, "Modality missing; CR, DX or RG is needed"),
    ({"modality": "OT", "body_part": None}, "Modality OT without Body Part Examined CHEST"),
    ({"modality": "SC", "body_part": "HAND"}, "Modality SC without Body Part Examined CHEST"),
    ({"presentation_intent": "FOR PROCESSING"}, "FOR PROCESSING image; send its FOR PRESENTATION twin"),
    ({"sop_class_uid": _FOR_PROCESSING_DX}, "FOR PROCESSING image; send its FOR PRESENTATION twin"),
    ({"has_pixels": False}, "object without pixel data"),
    ({"frames": 12}, "multi-frame object of 12 frames; a single-frame radiograph is needed"),
    ({"rows": 63}, "image of 63 x 2500 pixels; at least 64 on either side are needed"),
    ({"columns": 10}, "image of 2000 x 10 pixels; at least 64 on either side are needed"),
    ({"colour_share": 0.0101}, "colour picture (1 % of its pixels); a radiograph is grey"),
    (
        {"container": "png", "modality": None, "colour_share": 0.8},
        "colour picture (80 % of its pixels); a radiograph is grey",
    ),
]


@pytest.mark.parametrize(("changes", "reason"), REFUSALS, ids=[str(changes) for changes, _ in REFUSALS])
def test_refusals_give_their_reason(changes: dict[str, Any], reason: str) -> None:
    assert _examine(**changes).refusal == reason


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        ({"lossy": True}, "lossy compressed"),
        ({"age_years": None}, "patient age unknown"),
        ({"view_position": None}, "view unknown (neither View Position nor View Code Sequence says PA or AP)"),
        ({"view_position": "SUPINE"}, "view unknown (neither View Position nor View Code Sequence says PA or AP)"),
        (
            {"view_position": None, "view_code": ("1234", "99SITE")},
            "view unknown (neither View Position nor View Code Sequence says PA or AP)",
        ),
        (
            {"view_code": ("399067008", "SCT")},
            "View Position PA contradicts the View Code (lateral)",
        ),
        ({"body_part": None}, "body part unknown (Body Part Examined missing)"),
        ({"body_part": "SMITH^JOHN"}, "body part unknown (Body Part Examined is no defined term)"),
        (
            {"body_part": None, "anatomic_region": ("1234", "99SITE")},
            "body part unknown (Anatomic Region of unknown code)",
        ),
        (
            {"modality": None, "sop_class_uid": _CR_CLASS},
            "Modality missing, taken as radiography from the SOP class",
        ),
    ],
    ids=str,
)
def test_doubts_are_warned_of(changes: dict[str, Any], warning: str) -> None:
    assert _examine(**changes) == Intake(None, (warning,))


def test_a_picture_without_header_is_taken_with_warnings() -> None:
    assert _examine(
        container="jpeg", modality=None, body_part=None, view_position=None, age_years=None, lossy=True
    ) == (
        Intake(
            None,
            (
                "JPEG picture without DICOM header: body part, view unknown",
                "lossy compressed",
                "patient age unknown",
            ),
        )
    )


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("modality", {"modality": "CT"}),
        ("body_part", {"body_part": "HAND"}),
        ("view", {"view_position": "LL"}),
        ("for_processing", {"presentation_intent": "FOR PROCESSING"}),
    ],
)
def test_a_relaxed_rule_shows_in_the_warnings_and_relaxes_nothing_else(rule: str, changes: dict[str, Any]) -> None:
    refusal = _examine(**changes).refusal
    assert refusal is not None
    assert _examine((rule,), **changes) == Intake(None, (f"accepted by setting although: {refusal}",))
    others = tuple(name for name in INTAKE_RULES if name != rule)
    assert _examine(others, **changes).refusal == refusal


def test_no_setting_relaxes_colour_frames_size_and_pixels() -> None:
    for changes in ({"frames": 2}, {"rows": 10}, {"colour_share": 0.5}, {"has_pixels": False}):
        assert _examine(INTAKE_RULES, **changes).refusal is not None


def test_the_smallest_side_is_a_setting() -> None:
    assert examine(_facts(rows=100), IntakeSettings(min_side=101)).refusal is not None
    assert examine(_facts(rows=101), IntakeSettings(min_side=101)).refusal is None


def test_an_unknown_rule_is_a_settings_error() -> None:
    with pytest.raises(SettingsError, match="intake rule lateral; expected one of modality, body_part, view"):
        IntakeSettings(relaxed=frozenset({"lateral"}))


def test_a_reason_quotes_no_free_text_of_the_header() -> None:
    refusal = _examine(modality="Müller\n\x1b[31m" + "X" * 40).refusal
    assert refusal is not None
    assert "\n" not in refusal
    assert "\x1b" not in refusal
    assert "ü" not in refusal
    assert "X" * 20 not in refusal


def _item(value: str, scheme: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, "whatever the sender writes"
    return item


def test_facts_come_from_the_header() -> None:
    """From bytes to the decision: the codes are read out of their sequences."""
    lateral = read_image(build(ViewPosition=None, ViewCodeSequence=[_item("399198007", "SCT")]))
    assert examine(lateral.facts, IntakeSettings()).refusal == (
        "right lateral view (View Code 399198007); a frontal film, PA or AP, is needed"
    )
    hand = read_image(build(BodyPartExamined=None, AnatomicRegionSequence=[_item("85562004", "SCT")]))
    assert examine(hand.facts, IntakeSettings()).refusal == "Anatomic Region Hand; the chest is needed"
    report = read_image(to_bytes(header(Modality="SR", SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33")))
    assert examine(report.facts, IntakeSettings()).refusal == "Modality SR; CR, DX or RG is needed"
    movie = read_image(build(NumberOfFrames=7))
    assert "7 frames" in str(examine(movie.facts, IntakeSettings()).refusal)


def _as_sct(value: str) -> Code:
    """The code as a key that equals its SNOMED CT twin: pydicom maps the retired codes."""
    return Code(value, "SCT" if value.isdigit() else "SRT", "")


def test_frontal_codes_are_those_of_the_dictionary() -> None:
    frontal = {"postero-anterior", "antero-posterior", "frontal"}
    # R-10214 is postero-anterior of the editions before R-40888; the current mapping no longer has it.
    found = {
        concept.meaning
        for value in intake._FRONTAL_CODES - {"R-10214"}
        for concept in _VIEWS
        if concept == _as_sct(value)
    }
    assert found == frontal
    assert all(any(concept == _as_sct(value) for concept in _VIEWS) for value in intake._FRONTAL_CODES - {"R-10214"})


@pytest.mark.parametrize("view", _VIEWS, ids=lambda view: view.meaning)
def test_every_view_of_cid_4010_is_taken_or_refused(view: Code) -> None:
    refusal = _examine(view_position=None, view_code=(view.value, "SCT")).refusal
    if view.meaning in ("postero-anterior", "antero-posterior", "frontal"):
        assert refusal is None
    else:
        assert refusal is not None
        assert refusal.startswith(f"{view.meaning} view (View Code {view.value})")


@pytest.mark.parametrize("region", _REGIONS, ids=lambda region: region.meaning)
def test_every_region_of_cid_4031_but_the_chest_is_refused(region: Code) -> None:
    refusal = _examine(body_part=None, anatomic_region=(region.value, "SCT")).refusal
    assert refusal == (None if region.meaning == "Chest" else f"Anatomic Region {region.meaning}; the chest is needed")


def test_chest_codes_are_those_of_the_dictionary() -> None:
    assert codes.SCT.Chest.value in intake._CHEST_CODES
    assert codes.SCT.Lung.value in intake._CHEST_CODES
    # The retired codes, and the SNOMED CT codes that pydicom maps them to: Thoracic structure and Lung.
    retired = {value for value in intake._CHEST_CODES if not value.isdigit()}
    assert retired == {"T-D3000", "T-28000"}
    assert Code("T-D3000", "SRT", "") == Code("51185008", "SCT", "")
    assert Code("T-28000", "SRT", "") == codes.SCT.Lung
    assert intake._CHEST_CODES - retired == {codes.SCT.Chest.value, codes.SCT.Lung.value, "51185008"}


def test_other_body_parts_cover_the_regions_of_cid_4031() -> None:
    """A Body Part Examined that spells a region of the dictionary is refused, or its part in the chest is known."""
    within_the_chest = {"CHEST", "HEART", "MEDIASTINUM", "BRONCHUS", "APEXOFLUNG"}
    # Annex L writes these regions with other terms: KNEE, HIP, LEG, CSPINE, SIJOINT ...
    spelled = {"".join(filter(str.isalpha, region.meaning)).upper() for region in _REGIONS}
    one_word = {"".join(region.meaning.split()).upper() for region in _REGIONS if " " not in region.meaning}
    assert one_word - within_the_chest - {"PHANTOM"} <= intake._OTHER_PARTS
    assert not intake._OTHER_PARTS & within_the_chest
    assert len(spelled & intake._OTHER_PARTS) > 40
