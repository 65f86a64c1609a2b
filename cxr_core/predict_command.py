"""`cxr predict`: results as JSON lines or for people, overlay pictures, a progress bar for many files."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cxr_core.bundle import Manifest
from cxr_core.classifier import Classifier
from cxr_core.errors import ImageReadError
from cxr_core.heatmap import prepare_folder, render_overlay, verdict_lines, write_png
from cxr_core.pipeline import Pipeline, enough_memory
from cxr_core.prediction import ImageResult
from cxr_core.reading import Source, find_sources
from cxr_core.settings import Settings

if TYPE_CHECKING:
    from rich.progress import Progress

#: From this many images on, a person sees a progress bar.
PROGRESS_FROM = 4


def run(paths: Sequence[str], model: str | None, settings: Settings, heatmap_dir: Path | None, *, as_json: bool) -> int:
    """Classify what is behind the paths and print the results; the number of failed images.

    Raises BundleError for an unusable model, SettingsError for a setting that does not go with it, and OutputError for
    an unusable heat-map folder.
    """
    if heatmap_dir is not None:
        prepare_folder(heatmap_dir)
    pipeline = Pipeline(Classifier(model, settings))

    def sources() -> Iterator[Source]:
        return (source for path in paths for source in _sources(path, settings, heatmap_dir))

    results = _results(pipeline, sources(), heatmap_dir)
    failed = 0
    if as_json:
        for result, heatmap in results:
            failed += result.status == "failed"
            print(json.dumps(result.to_json(heatmap), allow_nan=False), flush=True)
        return failed
    counts = {"predicted": 0, "refused": 0, "failed": 0}
    for result, heatmap in _with_progress(results, lambda: sum(1 for _ in sources())):
        counts[result.status] += 1
        _print(describe(result, pipeline.classifier.bundle.manifest, heatmap))
    if sum(counts.values()) > 1:
        _print(", ".join(f"{number} {status}" for status, number in counts.items() if number))
    _print("Research use, not for diagnosis.")
    return counts["failed"]


def _sources(typed: str, settings: Settings, heatmap_dir: Path | None) -> Iterator[Source]:
    """The images behind a typed path, without our own pictures where they are written into a folder of it."""
    sources = find_sources(typed, settings.limits)
    if heatmap_dir is None or _real(typed) not in _real(heatmap_dir).parents:
        return sources
    own = _real(heatmap_dir)
    return (source for source in sources if own not in _real(source.name).parents)


def _real(path: str | Path) -> Path:
    """The path without links; Path.resolve raises for one that links to itself."""
    return Path(os.path.realpath(path))


def _results(
    pipeline: Pipeline, sources: Iterable[Source], heatmap_dir: Path | None
) -> Iterator[tuple[ImageResult, str | None]]:
    for source in sources:
        result, image = pipeline(source)
        heatmap = None
        if heatmap_dir is not None and image is not None and result.prediction is not None:
            try:
                with enough_memory():
                    picture = render_overlay(image, result.prediction, pipeline.classifier.bundle.manifest)
                # Named by content: a path or a header may hold a patient's name, and the same pixels another answer.
                digest = hashlib.sha256(picture.tobytes()).hexdigest()[:12]
                path = heatmap_dir / f"{digest}.{result.prediction.model.name}.png"
                write_png(path, picture)
                heatmap = str(path)
            except OSError as error:
                result = _failed(result, f"its overlay cannot be written ({error.strerror}); free space in the folder")
            except ImageReadError as error:  # JPEG 2000 may reduce well and still be damaged in its finest level
                result = _failed(result, str(error))
        yield result, heatmap


def _failed(result: ImageResult, reason: str) -> ImageResult:
    """A result whose picture, which was asked for, could not be had."""
    return ImageResult(result.path, "failed", reason, result.sop_instance_uid, (), None, result.milliseconds)


def describe(result: ImageResult, manifest: Manifest, heatmap: str | None = None) -> str:
    """One image's result for a person: a line, and indented lines below it."""
    path = _visible(result.path)
    if result.prediction is None:
        return f"{path}: {result.status}: {result.reason}"
    lines = [f"{path}: {verdict_lines(result.prediction, manifest)[0]}"]
    lines.append(f"    {verdict_lines(result.prediction, manifest)[1]}")
    lines += [f"    warning: {warning}" for warning in result.warnings]
    if heatmap:
        lines.append(f"    overlay: {heatmap}")
    return "\n".join(lines)


def _visible(path: str) -> str:
    """A path on one line: a member of a hostile zip may be named with line breaks or commands to the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in path)


def _with_progress(
    results: Iterable[tuple[ImageResult, str | None]], total: Callable[[], int]
) -> Iterable[tuple[ImageResult, str | None]]:
    """The same results, with a bar where somebody is looking and there are many."""
    if not sys.stderr.isatty() or (count := total()) < PROGRESS_FROM:
        return results
    from rich.console import Console
    from rich.progress import Progress

    # On one terminal rich keeps results and bar apart; results that go elsewhere must not pass through it.
    together = sys.stdout.isatty()
    progress = Progress(console=Console(stderr=not together), redirect_stdout=together, transient=True)
    return _tracked(progress, results, count)


def _tracked(
    progress: Progress, results: Iterable[tuple[ImageResult, str | None]], count: int
) -> Iterator[tuple[ImageResult, str | None]]:
    with progress:
        yield from progress.track(results, total=count, description="images")


def _print(text: str) -> None:
    # A file name may hold bytes that are no text in the terminal's encoding.
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
