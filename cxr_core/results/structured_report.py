"""The study's findings as Comprehensive 3D SR (PS3.3 A.35.13), TID 1500: a measurement group an image.

highdicom's templates make the content tree (5 ms). Its SOP classes are not used: they copy the tree, refuse what
senders write (a Patient's Sex of "X") and keep the standard's attribute tables in memory (65 MB).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from highdicom.sr import (
    AlgorithmIdentification,
    CodeContentItem,
    CodedConcept,
    ContainerContentItem,
    ContentSequence,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    ImageContentItem,
    LanguageOfContentItemAndDescendants,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import Comprehensive3DSRStorage, ExplicitVRLittleEndian

from cxr_core.bundle import Manifest
from cxr_core.heatmap import STRIP, caveat, verdict_lines
from cxr_core.prediction import INDETERMINATE, Finding, ImageResult, Prediction
from cxr_core.results import codes
from cxr_core.results.common import Origin, begin, plain, references, seal
from cxr_core.results.marks import MANUFACTURER, MODEL_NAME
from cxr_core.results.records import AnalysedImage, PreviousReport, ResultObject
from cxr_core.results.source import SourceImage
from cxr_core.results.uids import hashed_uid

_CONTAINS = RelationshipTypeValues.CONTAINS


def structured_report(
    images: Sequence[tuple[SourceImage, AnalysedImage]],
    named: SourceImage,
    origin: Origin,
    previous: PreviousReport | None,
) -> ResultObject:
    """The report on all images of a study, in reading order; patient and study are those of `named`."""
    moment = max(source.received for source, _ in images).astimezone(named.received.tzinfo)
    number = 1 if previous is None else previous.instance_number + 1
    made = begin("sr", Comprehensive3DSRStorage, named, origin, moment, number)
    made.CodingSchemeIdentificationSequence = [codes.private_scheme()]
    made.ContentDate, made.ContentTime = made.InstanceCreationDate, made.InstanceCreationTime
    made.CompletionFlag = "COMPLETE"
    made.VerificationFlag = "UNVERIFIED"
    made.PreliminaryFlag = "PRELIMINARY"
    made.ReferencedPerformedProcedureStepSequence = []
    made.PerformedProcedureCodeSequence = []
    made.CurrentRequestedProcedureEvidenceSequence = [_study_references(origin)]
    if previous is not None:
        made.PredecessorDocumentsSequence = [_predecessor(previous, origin)]
    for element in _content(images, origin):
        made[element.tag] = element
    return seal("sr", made, origin, ExplicitVRLittleEndian)


def _study_references(origin: Origin) -> Dataset:
    item = Dataset()
    item.StudyInstanceUID = origin.sources[0].study_instance_uid
    item.ReferencedSeriesSequence = references(origin.sources, "ReferencedSOPSequence")
    return item


def _predecessor(previous: PreviousReport, origin: Origin) -> Dataset:
    report = Dataset()
    report.ReferencedSOPClassUID = Comprehensive3DSRStorage
    report.ReferencedSOPInstanceUID = previous.sop_instance_uid
    series = Dataset()
    series.SeriesInstanceUID = previous.series_instance_uid
    series.ReferencedSOPSequence = [report]
    item = Dataset()
    item.StudyInstanceUID = origin.sources[0].study_instance_uid
    item.ReferencedSeriesSequence = [series]
    return item


def _content(images: Sequence[tuple[SourceImage, AnalysedImage]], origin: Origin) -> ContainerContentItem:
    """The root of the tree: language, observer, procedure, a group an image, and what is said of the whole study."""
    observer = DeviceObserverIdentifyingAttributes(
        uid=hashed_uid("device", origin.producer),
        name=MODEL_NAME,
        manufacturer_name=MANUFACTURER,
        model_name=MODEL_NAME,
        serial_number=origin.producer,
    )
    procedure = CodeContentItem(codes.PROCEDURE_REPORTED, codes.CHEST_IMAGING, RelationshipTypeValues.HAS_CONCEPT_MOD)
    content = ContentSequence()
    content.extend(LanguageOfContentItemAndDescendants(CodedConcept.from_code(codes.LANGUAGE)))
    content.extend(ObservationContext(ObserverContext(CodedConcept.from_code(codes.DEVICE), observer)))
    content.append(procedure)
    groups = [
        group
        for number, (source, analysed) in enumerate(images, start=1)
        if analysed.result.prediction is not None and analysed.manifest is not None
        for group in _groups(number, source, analysed.result, analysed.result.prediction, analysed.manifest)
    ]
    if groups:
        measurements = ContainerContentItem(codes.IMAGING_MEASUREMENTS, relationship_type=_CONTAINS)
        measurements.ContentSequence = ContentSequence(groups)
        content.append(measurements)
    whole = ContainerContentItem(codes.QUALITATIVE_EVALUATIONS, relationship_type=_CONTAINS)
    whole.ContentSequence = ContentSequence([*map(_comment, _statements(images)), *_unanalysed(images)])
    content.append(whole)
    root = ContainerContentItem(codes.REPORT_TITLE, template_id="1500")
    root.ContentSequence = content
    return root


def _groups(
    number: int, source: SourceImage, result: ImageResult, prediction: Prediction, manifest: Manifest
) -> list[ContainerContentItem]:
    """The measurement groups (TID 1501) of one image: one for each finding, which of a two-class model is one."""
    labels = {label.name: label for label in manifest.labels}
    texts = [
        verdict_lines(prediction, manifest)[0],
        caveat(prediction) or "Patient age inside the model's population",
        *(f"Warning: {warning}" for warning in dict.fromkeys(result.warnings)),
    ]
    groups = []
    for finding in prediction.findings:
        concept = codes.finding_of(labels[finding.label])
        group = MeasurementsAndQualitativeEvaluations(
            tracking_identifier=TrackingIdentifier(
                uid=hashed_uid("tracking", source.sop_instance_uid, finding.label),
                identifier=plain(f"Image {number}, {concept.meaning}"),
            ),
            finding_type=_concept(concept),
            finding_sites=[FindingSite(codes.CHEST)],
            algorithm_id=AlgorithmIdentification(
                name=prediction.model.name,
                version=prediction.model.version,
                manufacturer=MANUFACTURER,
                parameters=[*map(plain, _parameters(prediction, finding, manifest))],
            ),
            measurements=[Measurement(codes.CERTAINTY, round(100 * finding.probability, 2), codes.PERCENT)],
            qualitative_evaluations=[QualitativeEvaluation(codes.INTERPRETATION, _interpretation(prediction, finding))],
            source_images=[SourceImageForMeasurementGroup(source.sop_class_uid, source.sop_instance_uid)],
        )
        group[0].ContentSequence.extend(map(_comment, texts))
        groups.append(cast(ContainerContentItem, group[0]))
    return groups


def _parameters(prediction: Prediction, finding: Finding, manifest: Manifest) -> list[str]:
    """What the numbers rest on (TID 4019)."""
    parameters = [f"bundle sha256 = {prediction.model.sha256}"]
    if finding.threshold is not None:
        parameters.append(f"threshold = {finding.threshold:.6g}; P({finding.label}) at or above it is positive")
    if manifest.indeterminate is not None:
        low, high = manifest.indeterminate
        parameters.append(f"indeterminate = {low:.6g} to {high:.6g}, at a prevalence of {manifest.prevalence:.6g}")
    if prediction.prevalence is not None:
        parameters.append(f"prevalence = {prediction.prevalence:.6g}; the certainty holds for it")
    return parameters


def _interpretation(prediction: Prediction, finding: Finding) -> Code:
    """The answer to one finding; a withheld one is neither positive nor negative."""
    if prediction.verdict_withheld == "out_of_domain":
        return codes.WITHHELD_DOMAIN
    if prediction.verdict_withheld == "population":
        return codes.WITHHELD_POPULATION
    if prediction.verdict == INDETERMINATE:
        return codes.INDETERMINATE
    return codes.POSITIVE if finding.positive else codes.NEGATIVE


def _statements(images: Sequence[tuple[SourceImage, AnalysedImage]]) -> list[str]:
    """What is true of the whole report."""
    texts = [f"{STRIP}. Output of a computer model: no diagnosis, and read by nobody yet."]
    models = {
        analysed.result.prediction.model: analysed.manifest
        for _, analysed in images
        if analysed.result.prediction is not None and analysed.manifest is not None
    }
    for model, manifest in models.items():
        assessed = [label for label in manifest.labels if manifest.positive in (None, label.name)]
        names = ", ".join(codes.finding_of(label).meaning for label in assessed)
        texts.append(f"Model {model.name} {model.version} assessed: {names}. Nothing else was assessed.")
        texts.append(f"Model {model.name} {model.version} is validated for {manifest.population.description} only.")
    return texts


def _unanalysed(images: Sequence[tuple[SourceImage, AnalysedImage]]) -> list[TextContentItem]:
    """Images of the study that have no result, each with the reason and a reference."""
    items = []
    for source, analysed in images:
        if analysed.result.prediction is None:
            item = _comment(f"Image NOT ANALYSED ({analysed.result.status}): {analysed.result.reason}")
            item.ContentSequence = ContentSequence(
                [
                    ImageContentItem(
                        codes.SOURCE_OF_MEASUREMENT,
                        source.sop_class_uid,
                        source.sop_instance_uid,
                        relationship_type=RelationshipTypeValues.INFERRED_FROM,
                    )
                ]
            )
            items.append(item)
    return items


def _comment(text: str) -> TextContentItem:
    return TextContentItem(codes.COMMENT, plain(text), _CONTAINS)


def _concept(code: Code) -> CodedConcept:
    return CodedConcept(plain(code.value), code.scheme_designator, plain(code.meaning))
