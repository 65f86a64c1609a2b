"""Full-size films, as files and wrapped as 14-bit DICOM, against their 224 x 224 copies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.material import BITS
from benchmarks.report import Figure, NotRunError, at_most
from benchmarks.setting import Setting
from benchmarks.wrapped_films import as_14_bit, full_size_files, grey_of
from cxr_core.classifier import Classifier
from cxr_core.pipeline import Pipeline
from cxr_core.prediction import Prediction
from cxr_core.reading import Source
from tests.dicom_builder import build

#: The values of the windowed variant: stored = OFFSET + GAIN * grey, and a window that shows just these.
OFFSET, GAIN = 3000, 30


def run(setting: Setting) -> Iterator[Figure]:
    """Median difference of the probability, and labels that change."""
    originals = full_size_files(setting.films())
    copies = [setting.films() / "chest_xray" / "train" / path.parent.name / path.name for path in originals]
    missing = [path.name for path in copies if not path.exists()]
    if missing:
        raise NotRunError(f"the data folder lacks the small copy of {missing[0]}")
    pipeline = Pipeline(Classifier())
    expected = [_answer(pipeline, path.read_bytes()) for path in copies]
    for name, wrap in WAYS.items():
        answers = [_answer(pipeline, wrap(path)) for path in originals]
        differences = [abs(a.probability - b.probability) for a, b in zip(answers, expected, strict=True)]
        changed = sum(a.label != b.label for a, b in zip(answers, expected, strict=True))
        detail = f"{len(originals)} films, largest {max(differences):.4f}"
        yield Figure(
            f"median difference of the probability, {name}", float(np.median(differences)), "", at_most(0.02), detail
        )
        yield Figure(f"labels that change, {name}", changed, f"of {len(originals)}", at_most(1))
        withheld = sum(a.in_domain != b.in_domain for a, b in zip(answers, expected, strict=True))
        yield Figure(f"domain checks that change, {name}", withheld, f"of {len(originals)}")


def _full_range(path: Path, photometric: str) -> bytes:
    stored = as_14_bit(grey_of(path))
    top = (1 << BITS) - 1
    return build(top - stored if photometric == "MONOCHROME1" else stored, bits_stored=BITS, photometric=photometric)


def _windowed(path: Path) -> bytes:
    stored = (OFFSET + GAIN * grey_of(path).astype(np.int32)).astype(np.uint16)
    # LINEAR shows 0 at center - 0.5 - (width - 1) / 2 and 1 at center - 0.5 + (width - 1) / 2 (PS3.3 C.11.2.1.2).
    attributes: dict[str, Any] = {"WindowCenter": OFFSET + 255 * GAIN / 2 + 0.5, "WindowWidth": 255 * GAIN + 1}
    return build(stored, bits_stored=BITS, **attributes)


WAYS = {
    "as JPEG files": lambda path: path.read_bytes(),
    "as 14-bit MONOCHROME2": lambda path: _full_range(path, "MONOCHROME2"),
    "as 14-bit MONOCHROME1": lambda path: _full_range(path, "MONOCHROME1"),
    "as 14-bit MONOCHROME2 with a window": _windowed,
}


def _answer(pipeline: Pipeline, data: bytes) -> Prediction:
    result, _ = pipeline(Source("film", lambda: data))
    assert result.prediction is not None, result.reason
    return result.prediction
