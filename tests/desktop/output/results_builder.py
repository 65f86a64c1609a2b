"""Result objects of a synthetic study, as the viewer makes them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from cxr_core.results.records import ResultChoice, ResultObject
from cxr_desktop.output.results import AnsweredFilm
from cxr_desktop.state.answers import Answer
from cxr_desktop.state.records import InstanceRecord
from cxr_desktop.workers.encoding import encode
from cxr_desktop.workers.inference_messages import Encode, StudyImage
from tests.desktop.answers_builder import positive
from tests.desktop.films import film
from tests.dicom_builder import build, gradient

ANSWERED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def answered_film(answer: Answer | None, **attributes: object) -> AnsweredFilm:
    """A film of study 2.25.1002, unless attributes say otherwise, with its answer."""
    loaded = film(**attributes)
    facts = loaded.image.facts
    record = InstanceRecord(
        "folder/synthetic.dcm",
        "image",
        sop_instance_uid=facts.sop_instance_uid or "",
        study_instance_uid=facts.study_instance_uid or "",
    )
    return AnsweredFilm(replace(loaded, record=record), answer, ANSWERED)


def result_objects() -> list[ResultObject]:
    """An SR, an SC and a GSPS."""
    image = StudyImage(build(gradient(200, 180)), ANSWERED, positive())
    return encode(Encode((image,), ResultChoice(), "CXR_DESKTOP", None))
