"""An ImageResult as JSON and back, complete: what is made of an answer may be made by a later process."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from cxr_core.prediction import Finding, ImageResult, Milliseconds, ModelIdentity, Prediction


def to_json(result: ImageResult) -> str:
    """The text of a result. Floating point numbers keep every bit."""
    record = {field.name: getattr(result, field.name) for field in fields(result)}
    record["milliseconds"] = asdict(result.milliseconds)
    if result.prediction is not None:
        prediction = {field.name: getattr(result.prediction, field.name) for field in fields(result.prediction)}
        prediction["model"] = asdict(result.prediction.model)
        prediction["findings"] = [asdict(finding) for finding in result.prediction.findings]
        prediction["maps"] = _packed(result.prediction.maps)
        prediction["embedding"] = _packed(result.prediction.embedding)
        record["prediction"] = prediction
    return json.dumps(record)


def from_json(text: str) -> ImageResult:
    """The result of a text that `to_json` made."""
    record = json.loads(text)
    record["warnings"] = tuple(record["warnings"])
    record["milliseconds"] = Milliseconds(**record["milliseconds"])
    prediction = record["prediction"]
    if prediction is not None:
        prediction["model"] = ModelIdentity(**prediction["model"])
        prediction["findings"] = tuple(Finding(**finding) for finding in prediction["findings"])
        for name in ("labels", "probabilities", "warnings"):
            prediction[name] = tuple(prediction[name])
        for name in ("maps", "embedding"):
            prediction[name] = _unpacked(prediction[name])
        record["prediction"] = Prediction(**prediction)
    return ImageResult(**record)


def _packed(array: npt.NDArray[np.float32]) -> dict[str, Any]:
    content = np.ascontiguousarray(array, "<f4").tobytes()
    return {"shape": list(array.shape), "float32": base64.b64encode(content).decode("ascii")}


def _unpacked(packed: dict[str, Any]) -> npt.NDArray[np.float32]:
    content = base64.b64decode(packed["float32"])
    return np.frombuffer(content, "<f4").astype(np.float32).reshape(packed["shape"])
