"""A study's result objects, made from its stored images and their answers, and written to the disk once."""

from __future__ import annotations

import hashlib
import io
from datetime import UTC, datetime
from pathlib import Path

import pydicom

from cxr_core import result_json
from cxr_core.chest_image import ChestImage
from cxr_core.errors import ImageReadError
from cxr_core.files import write_whole
from cxr_core.prediction import ImageResult
from cxr_core.reading import read_image
from cxr_core.results.records import AnalysedImage, ResultChoice, ResultError, ResultObject
from dicom_node.settings import NodeSettings
from dicom_node.store.encoded import EncodedResult
from dicom_node.work.analysis import Analyst
from dicom_node.work.messages import Encode, Encoded, StudyImage


def result_choice(settings: NodeSettings) -> ResultChoice:
    """Which objects are made."""
    chosen = settings.results
    return ResultChoice(chosen.sc, chosen.gsps, chosen.sr_for_refused, chosen.sc_rle)


def encode(request: Encode, analyst: Analyst, choice: ResultChoice, producer: str, folder: Path) -> Encoded:
    """Make and write the objects of one study.

    What an earlier model answered is answered again, so that one report is of one model. A file that is there stays:
    its UID says that it is the same bytes. Raises ResultError, or OSError of the disk.
    """
    from cxr_core.results.encode import encode_study

    again: dict[str, str] = {}
    images = [analysed for image in request.images if (analysed := _analysed(image, analyst, again)) is not None]
    try:
        objects = encode_study(images, choice, producer, request.previous)
    except ResultError:
        # The header of an image without an answer may be damaged; the others have theirs.
        predicted = [image for image in images if image.result.prediction is not None]
        if len(predicted) == len(images):
            raise
        objects = encode_study(predicted, choice, producer, request.previous)
    return Encoded(tuple(_written(made, folder) for made in objects), again)


def _analysed(image: StudyImage, analyst: Analyst, again: dict[str, str]) -> AnalysedImage | None:
    """The record of one image; None of one whose header cannot be read, so that nothing can refer to it."""
    try:
        content = image.path.read_bytes()
    except FileNotFoundError:
        # A report without it would look as if it were of the whole study.
        raise ResultError(
            "a film of the study that is gone from the data folder", "all of them", "send it again"
        ) from None
    try:
        data_set = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True, force=True)
    except Exception:  # noqa: BLE001  # pydicom raises many kinds on damage, and the answer says that it failed
        return None
    result = result_json.from_json(image.answer)
    bundle = analyst.classifier.bundle
    if result.prediction is not None and result.prediction.model.sha256 != bundle.sha256:
        (result,) = analyst.answer([image.path])
        again[image.key] = result_json.to_json(result)
    return AnalysedImage(
        data_set=data_set,
        digest=image.digest,
        received=datetime.fromtimestamp(image.received_at, UTC).astimezone(),
        image=_chest_image(content, result),
        result=result,
        manifest=None if result.prediction is None else bundle.manifest,
    )


def _chest_image(content: bytes, result: ImageResult) -> ChestImage | None:
    if result.prediction is None:
        return None
    try:
        return read_image(content)
    except ImageReadError:
        return None


def _written(made: ResultObject, folder: Path) -> EncodedResult:
    path = folder / f"{made.sop_instance_uid}.dcm"
    made_before = path.exists()
    data = path.read_bytes() if made_before else made.data
    if not made_before:
        write_whole(path, data, private=True)
    return EncodedResult(
        kind=made.kind,
        sop_class_uid=made.sop_class_uid,
        sop_instance_uid=made.sop_instance_uid,
        series_instance_uid=made.series_instance_uid,
        instance_number=made.instance_number,
        file=path.name,
        bytes=len(data),
        digest=hashlib.sha256(data).hexdigest(),
        made_before=made_before,
    )
