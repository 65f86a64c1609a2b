"""A study's result objects, made from the files and the answers that the reader saw."""

from __future__ import annotations

import io

from pydicom.filereader import read_dataset

from cxr_core.digest import encoded_digest
from cxr_core.errors import ImageReadError
from cxr_core.reading.dicom_file import damage_told
from cxr_core.reading.read import read_with_data_set
from cxr_core.results.encode import encode_study
from cxr_core.results.records import AnalysedImage, ResultError, ResultObject
from cxr_core.settings import ReadLimits
from cxr_desktop.workers.inference_messages import Encode, StudyImage


def encode(request: Encode) -> list[ResultObject]:
    """The objects of one study. Raises ResultError where they cannot be made."""
    images = [analysed for image in request.images if (analysed := _analysed(image)) is not None]
    try:
        return encode_study(images, request.choice, request.producer, request.previous)
    except ResultError:
        # The header of an image without an answer may be damaged; the others have theirs.
        predicted = [image for image in images if image.result.prediction is not None]
        if len(predicted) == len(images):
            raise
        return encode_study(predicted, request.choice, request.producer, request.previous)


def _analysed(image: StudyImage) -> AnalysedImage | None:
    """The record of one image; None of one that cannot be read, so that nothing can refer to it."""
    result, manifest = image.answer.result, image.answer.manifest
    try:
        chest_image, data_set = read_with_data_set(image.content, ReadLimits())
        if data_set is None:
            raise ResultError("a picture without a DICOM header", "a DICOM image", "export a picture or report instead")
        digest = data_set_digest(image.content)
    except ImageReadError:
        return None
    return AnalysedImage(
        data_set=data_set,
        digest=digest,
        received=image.received,
        image=None if result.prediction is None else chest_image,
        result=result,
        manifest=manifest,
    )


def data_set_digest(content: bytes) -> str:
    """Digest of the data set as it is transferred: the file without preamble and file meta (PS3.10 7.1), in hex.

    A node that received the same object has the same digest. Raises ImageReadError.
    """
    file = io.BytesIO(content)
    file.seek(132 if content[128:132] == b"DICM" else 0)
    with damage_told():
        read_dataset(file, False, True, stop_when=lambda tag, vr, length: tag.group != 2)
    return encoded_digest(memoryview(content)[file.tell() :])
