"""A lossless JPEG 2000 film to the model's input: against a full decode, and the same answer by every entry."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import cv2

from benchmarks.material import drawn_film, write_film
from benchmarks.measure import cpu_ms, interleaved, run_process
from benchmarks.report import Figure, at_least, at_most
from benchmarks.setting import Setting, cxr_command
from cxr_core.chest_image import ChestImage
from cxr_core.classifier import Classifier
from cxr_core.pipeline import Pipeline
from cxr_core.preprocess import model_input
from cxr_core.reading import Source, find_sources, read_image
from cxr_core.reading.raster_file import DecodedPixels

PAIRS = 7


def run(setting: Setting) -> Iterator[Figure]:
    """CPU against a full decode, then the probabilities."""
    cv2.setNumThreads(1)
    stored = drawn_film()
    packed = write_film(setting.work / "packed.dcm", stored, "jpeg2000-lossless")
    plain = write_film(setting.work / "plain.dcm", stored)
    data = packed.read_bytes()

    def short_way() -> object:
        return model_input(read_image(data), "zero_to_one")

    def full_decode() -> object:
        image = read_image(data)
        whole = ChestImage(image.facts, image.attributes, DecodedPixels(image.stored))
        return model_input(whole, "zero_to_one")

    full_ms, short_ms = interleaved(cpu_ms, full_decode, short_way, PAIRS)
    yield Figure(
        "CPU with a full decode over ours, file to input",
        full_ms / short_ms,
        "times",
        at_least(8),
        f"{full_ms:.0f} ms against {short_ms:.1f} ms, medians of {PAIRS} interleaved pairs",
    )
    by_entry = probability_by_entry(packed, setting.work)
    spread = max(by_entry.values()) - min(by_entry.values())
    entries = ", ".join(by_entry)
    yield Figure(f"largest difference of the probability between {entries}", spread, "", at_most(0))
    twin = probability_by_entry(plain, setting.work, command=False)["path"]
    yield Figure(
        "distance of the probability to the uncompressed twin",
        abs(by_entry["path"] - twin),
        "",
        None,
        f"{by_entry['path']:.4f} against {twin:.4f}; the decoder's own reduction is a wavelet's, not block means",
    )


def probability_by_entry(path: Path, work: Path, *, command: bool = True) -> dict[str, float]:
    """The probability of one file by path, as bytes, in a folder, as a zip member, and by the command line."""
    pipeline = Pipeline(Classifier())
    folder, archive = work / f"folder-{path.stem}", work / f"{path.stem}.zip"
    folder.mkdir()
    (folder / path.name).write_bytes(path.read_bytes())
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as members:
        members.write(path, path.name)
    sources = {
        "path": next(find_sources(str(path))),
        "bytes": Source("bytes", path.read_bytes),
        "folder": next(find_sources(str(folder))),
    }
    found = {name: _probability(pipeline, source) for name, source in sources.items()}
    # A member is read while its archive is open, so while the iterator lives.
    members_found = find_sources(str(archive))
    found["zip"] = _probability(pipeline, next(members_found))
    if command:
        found["cxr predict"] = json.loads(run_process([cxr_command(), "predict", "--json", str(path)]).output)[
            "probability"
        ]
    return found


def _probability(pipeline: Pipeline, source: Source) -> float:
    result, _ = pipeline(source)
    assert result.prediction is not None, result.reason
    return result.prediction.probability
