"""The SR: what it says of each image, of the study, and of images without a result. Read back by highdicom."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from highdicom.sr import Comprehensive3DSR, MeasurementReport
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from cxr_core.prediction import Finding
from cxr_core.results import codes
from cxr_core.results.records import PreviousReport, ResultChoice
from tests.core.results.builder import (
    ANSWERS,
    BUNDLE,
    MANIFEST,
    PRODUCER,
    analysed,
    encoded,
    of_kind,
    one,
    parsed,
    prediction,
)

ONLY_SR = ResultChoice(sc="never", gsps="never")


def report_of(*images: Any, **options: Any) -> Comprehensive3DSR:
    report = Comprehensive3DSR.from_dataset(one("sr", *images, **options))
    assert isinstance(report.content, MeasurementReport)
    return report


def groups_of(*images: Any) -> list[Any]:
    return report_of(*images).content.get_image_measurement_groups()


def texts(data_set: Dataset) -> list[str]:
    return [element.value for element in data_set.iterall() if element.keyword == "TextValue"]


def comments(container: Dataset) -> list[str]:
    """The comments directly in a container."""
    return [
        item.TextValue
        for item in container.ContentSequence
        if item.ValueType == "TEXT" and item.ConceptNameCodeSequence[0].CodeValue == codes.COMMENT.value
    ]


def container(report: Dataset, code: Code) -> Dataset:
    (found,) = [item for item in report.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == code.value]
    return found


@pytest.mark.parametrize(
    ("answer", "interpretation", "certainty"),
    [
        ("positive", codes.POSITIVE, 97.31),
        ("negative", codes.NEGATIVE, 3.12),
        ("indeterminate", codes.INDETERMINATE, 41.0),
        ("out of domain", codes.WITHHELD_DOMAIN, 97.31),
        ("outside", codes.WITHHELD_POPULATION, 97.31),
        ("outside, warned", codes.POSITIVE, 97.31),
        ("age unknown", codes.POSITIVE, 97.31),
    ],
)
def test_answer_of_an_image(answer: str, interpretation: Code, certainty: float) -> None:
    (group,) = groups_of(analysed(answer))
    assert group.finding_type == Code("233604007", "SCT", "Pneumonia")
    assert [site.value for site in group.finding_sites] == [codes.CHEST]
    (measurement,) = group.get_measurements()
    assert (measurement.name, measurement.unit, measurement.value) == (codes.CERTAINTY, codes.PERCENT, certainty)
    (evaluation,) = group.get_qualitative_evaluations()
    assert (evaluation.name, evaluation.value) == (codes.INTERPRETATION, interpretation)
    (source,) = group.source_images
    assert source.referenced_sop_instance_uid == "2.25.1001"


def test_every_answer_has_words_of_its_own() -> None:
    words = {answer: comments(groups_of(analysed(answer))[0][0])[:2] for answer in ANSWERS}
    assert words["positive"] == ["PNEUMONIA: pneumonia pattern", "Patient age inside the model's population"]
    assert words["negative"][0] == f"NORMAL: {MANIFEST.labels[0].meaning}"
    assert "nothing else was assessed" in words["negative"][0]
    assert words["indeterminate"][0] == "Indeterminate"
    assert words["out of domain"][0] == "Verdict withheld, out of domain: unlike the training images"
    assert words["outside"][0] == "Verdict withheld: not validated for this patient"
    assert words["outside, warned"][1].startswith("NOT VALIDATED FOR THIS PATIENT")
    assert words["age unknown"][1].startswith("Patient age unknown")
    assert len({tuple(pair) for pair in words.values()}) == len(words)


@pytest.mark.parametrize("answer", ["out of domain", "outside", "indeterminate"])
def test_what_is_withheld_is_neither_positive_nor_negative(answer: str) -> None:
    report = one("sr", analysed(answer))
    values = {element.value for element in report.iterall() if element.keyword == "CodeValue"}
    assert not values & {codes.POSITIVE.value, codes.NEGATIVE.value}


def test_what_the_numbers_rest_on() -> None:
    said = texts(one("sr", analysed()))
    assert said[said.index("cnn") + 1] == MANIFEST.version
    assert f"bundle sha256 = {BUNDLE.sha256}" in said
    assert "threshold = 0.5; P(PNEUMONIA) at or above it is positive" in said
    low, high = MANIFEST.indeterminate or (0, 0)
    assert f"indeterminate = {low:.6g} to {high:.6g}, at a prevalence of 0.5" in said
    assert "prevalence = 0.5; the certainty holds for it" in said


def test_a_sites_prevalence_and_threshold_are_written() -> None:
    answer = prediction(prevalence=0.1, findings=(Finding("PNEUMONIA", 0.2, 0.1, True),))
    said = texts(one("sr", analysed(answer)))
    assert "prevalence = 0.1; the certainty holds for it" in said
    assert "threshold = 0.1; P(PNEUMONIA) at or above it is positive" in said


def test_what_is_said_of_the_whole() -> None:
    said = comments(container(one("sr", analysed()), codes.QUALITATIVE_EVALUATIONS))
    assert said == [
        "Research use only, not for diagnosis. Output of a computer model: no diagnosis, and read by nobody yet.",
        f"Model cnn {MANIFEST.version} assessed: Pneumonia. Nothing else was assessed.",
        f"Model cnn {MANIFEST.version} is validated for children of 1 to 5 years only.",
    ]


def test_warnings_are_in_the_group_once() -> None:
    image = analysed(warnings=("lossy compressed", "body part unknown", "lossy compressed"))
    assert comments(groups_of(image)[0][0])[2:] == ["Warning: lossy compressed", "Warning: body part unknown"]


def test_a_group_an_image_in_reading_order() -> None:
    groups = groups_of(analysed("negative", number=2), analysed("positive", number=1), analysed("outside", number=3))
    assert [group.source_images[0].referenced_sop_instance_uid for group in groups] == [
        f"2.25.100{n}" for n in (1, 2, 3)
    ]
    assert [group.get_measurements()[0].value for group in groups] == [97.31, 3.12, 97.31]
    assert [group.tracking_identifier for group in groups] == [f"Image {n}, Pneumonia" for n in (1, 2, 3)]
    assert len({group.tracking_uid for group in groups}) == 3


def test_a_finding_keeps_its_tracking_uid_in_later_reports() -> None:
    (early,) = groups_of(analysed(number=2))
    late = groups_of(analysed(number=1), analysed("negative", number=2))[1]
    assert early.tracking_uid == late.tracking_uid


def test_every_image_is_referenced_as_evidence() -> None:
    images = [
        analysed(number=1),
        analysed(None, number=2, reason="lateral view"),
        analysed(number=3, SeriesInstanceUID="2.25.5", SeriesNumber=9),
    ]
    report = report_of(*images)
    assert {tuple(map(str, entry[:3])) for entry in report.get_evidence(current_procedure_only=True)} == {
        ("2.25.1002", "2.25.1003", "2.25.1001"),
        ("2.25.1002", "2.25.1003", "2.25.1002"),
        ("2.25.1002", "2.25.5", "2.25.1003"),
    }
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    assert len(study.ReferencedSeriesSequence) == 2


def test_images_without_a_result_are_said_so() -> None:
    report = one(
        "sr",
        analysed(number=1),
        analysed(None, number=2, reason="lateral view (View Position LL); a frontal film is needed"),
        analysed(None, number=3, status="failed", reason="a truncated file; expected a whole file"),
    )
    items = [
        item
        for item in container(report, codes.QUALITATIVE_EVALUATIONS).ContentSequence
        if item.get("ContentSequence") is not None
    ]
    assert [item.TextValue for item in items] == [
        "Image NOT ANALYSED (refused): lateral view (View Position LL); a frontal film is needed",
        "Image NOT ANALYSED (failed): a truncated file; expected a whole file",
    ]
    for item, uid in zip(items, ("2.25.1002", "2.25.1003"), strict=True):
        (image,) = item.ContentSequence
        assert (image.ValueType, image.RelationshipType) == ("IMAGE", "INFERRED FROM")
        assert image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == uid


def test_a_study_without_any_result_yields_nothing_unless_asked() -> None:
    image = analysed(None, reason="FOR PROCESSING image")
    assert encoded(image) == []
    assert encoded() == []
    asked = replace(ONLY_SR, sr_for_refused=True)
    assert encoded(choice=asked) == []
    (made,) = encoded(image, choice=asked)
    report = parsed(made)
    assert "Image NOT ANALYSED (refused): FOR PROCESSING image" in texts(report)
    assert codes.IMAGING_MEASUREMENTS.value not in str(report)
    assert report.PatientID == "SYNTHETIC-T"


def test_patient_and_study_are_those_of_an_image_with_a_result() -> None:
    refused = analysed(None, number=1, reason="lateral view", StudyDescription="refused")
    assert one("sr", refused, analysed(number=2, StudyDescription="analysed")).StudyDescription == "analysed"


def test_a_later_report_names_its_predecessor() -> None:
    first = of_kind(encoded(analysed(number=1)), "sr")
    assert "PredecessorDocumentsSequence" not in parsed(first)
    previous = PreviousReport(first.sop_instance_uid, first.series_instance_uid, 4)
    later = one("sr", analysed(number=1), analysed(number=2), previous=previous)
    (study,) = later.PredecessorDocumentsSequence
    (series,) = study.ReferencedSeriesSequence
    (instance,) = series.ReferencedSOPSequence
    assert study.StudyInstanceUID == later.StudyInstanceUID
    assert series.SeriesInstanceUID == first.series_instance_uid
    assert instance.ReferencedSOPInstanceUID == first.sop_instance_uid
    assert instance.ReferencedSOPClassUID == first.sop_class_uid
    assert later.InstanceNumber == 5


def test_findings_of_a_multi_label_model_have_a_group_each() -> None:
    labels = tuple(label.model_copy(update={"name": name}) for label, name in zip(MANIFEST.labels, "AB", strict=True))
    manifest = MANIFEST.model_copy(
        update={"labels": labels, "positive": None, "task": "multi_label", "thresholds": {"A": 0.5, "B": 0.25}}
    )
    findings = (Finding("A", 0.4, 0.5, False), Finding("B", 0.3, 0.25, True))
    answer = prediction(labels=("A", "B"), findings=findings, verdict=None, label=None, prevalence=None)
    groups = groups_of(analysed(answer, manifest=manifest))
    assert [group.finding_type.value for group in groups] == ["A", "233604007"]
    values = [group.get_qualitative_evaluations()[0].value for group in groups]
    assert values == [codes.NEGATIVE, codes.POSITIVE]
    said = comments(container(one("sr", analysed(answer, manifest=manifest)), codes.QUALITATIVE_EVALUATIONS))
    assert any("assessed: no pneumonia pattern found" in text for text in said)
    assert not any(text.startswith("prevalence") for text in texts(one("sr", analysed(answer, manifest=manifest))))


def test_a_label_that_the_largest_probability_decides_has_no_threshold() -> None:
    answer = prediction(findings=(Finding("PNEUMONIA", 0.9, None, True),))
    assert not any(text.startswith("threshold") for text in texts(one("sr", analysed(answer))))


def test_two_models_in_one_study_are_both_named() -> None:
    other = replace(prediction().model, name="other", sha256="1" * 64)
    said = comments(
        container(
            one("sr", analysed(number=1), analysed(prediction(model=other), number=2)), codes.QUALITATIVE_EVALUATIONS
        )
    )
    assert sum("Nothing else was assessed" in text for text in said) == 2


def test_the_document_says_who_wrote_it_and_that_nobody_verified_it() -> None:
    report = report_of(analysed())
    assert (report.CompletionFlag, report.VerificationFlag, report.PreliminaryFlag) == (
        "COMPLETE",
        "UNVERIFIED",
        "PRELIMINARY",
    )
    (observer,) = report.content.get_observer_contexts()
    assert observer.observer_type == codes.DEVICE
    assert observer.observer_identifying_attributes.serial_number == PRODUCER
    assert report.DeviceSerialNumber == PRODUCER
