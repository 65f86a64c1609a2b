"""One file through the pipeline, with what its words need. An object of ours is no film, and is refused."""

from __future__ import annotations

import io

from cxr_core.errors import ImageReadError
from cxr_core.pipeline import Pipeline
from cxr_core.prediction import ImageResult, Milliseconds, Status
from cxr_core.reading import Source
from cxr_core.reading.dicom_file import damage_told
from cxr_core.reading.header import read_header
from cxr_core.reading.sources import read_named
from cxr_core.results.marks import is_result
from cxr_core.settings import ReadLimits
from cxr_desktop.state.answers import Answer

OWN_RESULT = "a result object of this program, not a film; open the film that it was made from"


def answer(name: str, content: bytes | None, pipeline: Pipeline) -> Answer:
    """The answer for a file; raises nothing for any content.

    Parameters
    ----------
    name : str
        As InstanceRecord.name.
    content : bytes or None
        The whole file; None to read it under its name.
    pipeline : Pipeline
        Of the model.
    """
    limits = pipeline.classifier.settings.limits
    try:
        held = read_named(name, limits) if content is None else content
        own, uid = _own_result(held, limits)
    except ImageReadError as error:
        return _unanswered(name, "failed", str(error), error.sop_instance_uid)
    if own:
        return _unanswered(name, "refused", OWN_RESULT, uid)
    result, _ = pipeline(Source(name, lambda: held))
    return Answer(result, None if result.prediction is None else pipeline.classifier.bundle.manifest)


def _own_result(content: bytes, limits: ReadLimits) -> tuple[bool, str | None]:
    """Whether it is an object of ours, and its SOP Instance UID. Raises ImageReadError."""
    header = read_header(io.BytesIO(content), len(content), limits)
    with damage_told():
        own = header.data_set is not None and is_result(header.data_set)
    return own, header.facts.sop_instance_uid


def _unanswered(name: str, status: Status, reason: str, uid: str | None) -> Answer:
    return Answer(ImageResult(name, status, reason, uid, (), None, Milliseconds()), None)
