"""A study's results as DICOM objects: one SR, and a Secondary Capture and a presentation state for chosen images."""

from __future__ import annotations

from collections.abc import Sequence

from cxr_core.bundle import Manifest
from cxr_core.prediction import Prediction
from cxr_core.results.common import Origin
from cxr_core.results.records import (
    AnalysedImage,
    PreviousReport,
    ResultChoice,
    ResultError,
    ResultObject,
    Which,
)
from cxr_core.results.source import SourceImage, reading_order


def encode_study(
    images: Sequence[AnalysedImage],
    choice: ResultChoice,
    producer: str,
    previous: PreviousReport | None = None,
) -> list[ResultObject]:
    """The result objects of one study.

    The same arguments give the same bytes, in whatever order the images come. Captures and presentation states depend
    on their own image alone, so that those of earlier images stay the same when a late one joins the study.

    Parameters
    ----------
    images : sequence of AnalysedImage
        Every image of the study so far, those that were refused or failed too.
    choice : ResultChoice
        Which objects are made.
    producer : str
        Who makes them, 1 to 64 characters of ASCII: two nodes that see the same study make different objects.
    previous : PreviousReport, optional
        The study's last SR; the new one names it as its predecessor.

    Returns
    -------
    list of ResultObject
        The SR first, then SC and GSPS by image. Empty when nothing was predicted, unless `choice.sr_for_refused`.

    Raises
    ------
    ResultError
        An image that cannot be referenced, images of several studies or patients, or a producer that cannot be written.
    """
    if not 1 <= len(producer) <= 64 or not producer.isascii() or not producer.isprintable() or "\\" in producer:
        raise ResultError("a producer that cannot be written", "1 to 64 characters of ASCII", "set another")
    try:
        ordered = reading_order(images)
    except ResultError:
        raise
    except Exception as error:  # pydicom parses values on access and raises many kinds of errors on damage
        raise ResultError(f"a damaged header ({type(error).__name__})", "a whole data set", "send it again") from error
    studies = {source.study_instance_uid for source, _ in ordered}
    if len(studies) > 1:
        raise ResultError(f"images of {len(studies)} studies", "one study", "encode each study for itself")
    patients = {source.patient_id for source, _ in ordered} - {b""}
    if len(patients) > 1:
        # A report on both would stand in the record of one.
        raise ResultError(
            f"images of {len(patients)} Patient IDs in one study", "those of one patient", "correct them and send again"
        )
    predicted = [pair for pair in ordered if pair[1].result.prediction is not None]
    if not predicted and not (choice.sr_for_refused and ordered):
        return []
    from cxr_core.results.structured_report import structured_report

    named = (predicted or ordered)[0][0]  # its patient and study stand in the SR
    report = structured_report(ordered, named, _origin(ordered, producer), previous)
    return [report, *_pictures(predicted, choice, producer)]


def _pictures(
    predicted: list[tuple[SourceImage, AnalysedImage]], choice: ResultChoice, producer: str
) -> list[ResultObject]:
    from cxr_core.results.presentation_state import presentation_state
    from cxr_core.results.secondary_capture import secondary_capture

    made = []
    for source, analysed in predicted:
        image, prediction, manifest = analysed.image, analysed.result.prediction, analysed.manifest
        if image is None or prediction is None or manifest is None:
            raise ResultError("a prediction without its image or manifest", "both", "give all three")
        origin = _origin([(source, analysed)], producer)
        positive = is_positive(prediction, manifest)
        if _chosen(choice.sc, positive):
            made.append(secondary_capture(image, prediction, manifest, origin, outlined=positive, rle=choice.sc_rle))
        if _chosen(choice.gsps, positive) and source.monochrome:
            made.append(presentation_state(image, prediction, manifest, origin, outlined=positive))
    return made


def is_positive(prediction: Prediction, manifest: Manifest) -> bool:
    """Whether a verdict was given and is a finding; a withheld or indeterminate one is not."""
    if prediction.verdict_withheld is not None:
        return False
    if manifest.positive is not None:
        return prediction.verdict == manifest.positive
    if manifest.task == "multi_label":
        return any(finding.positive for finding in prediction.findings)
    # Of several classes, those that are findings have a code; "normal" has none.
    return any(label.name == prediction.verdict and label.code is not None for label in manifest.labels)


def _chosen(which: Which, positive: bool) -> bool:
    return which == "always" or (which == "positive" and positive)


def _origin(pairs: list[tuple[SourceImage, AnalysedImage]], producer: str) -> Origin:
    predictions = (analysed.result.prediction for _, analysed in pairs)
    return Origin(
        producer=producer,
        sources=tuple(source for source, _ in pairs),
        digests=tuple(analysed.digest for _, analysed in pairs),
        models=tuple(sorted({prediction.model.sha256 for prediction in predictions if prediction is not None})),
    )
