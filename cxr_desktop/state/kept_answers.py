"""Answers as the index keeps them, and back: what was said yesterday is shown as it was said."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from pydantic import ValidationError

from cxr_core import result_json
from cxr_core.bundle import Manifest
from cxr_desktop.state.answers import Answer
from cxr_desktop.state.index import StoredAnswer


def kept(key: str, answer: Answer) -> StoredAnswer | None:
    """The row of an answer, under InstanceRecord.key; None of a refusal or failure, which may be none tomorrow."""
    prediction = answer.result.prediction
    if prediction is None or answer.manifest is None:
        return None
    model = prediction.model
    document = {
        "result": json.loads(result_json.to_json(answer.result)),
        "manifest": answer.manifest.model_dump(mode="json"),
    }
    # The maps are small, and in the result.
    return StoredAnswer(key, model.name, model.version, model.sha256, document, None, datetime.now(UTC).isoformat())


def answer_of(stored: StoredAnswer) -> Answer | None:
    """The answer of a row; None where an earlier or later version of the program wrote it differently."""
    try:
        manifest = Manifest.model_validate_json(json.dumps(stored.document["manifest"]))
        return Answer(result_json.from_json(json.dumps(stored.document["result"])), manifest)
    except (KeyError, TypeError, ValueError, ValidationError):
        return None
