"""`cxr demo`: the main job on a real chest film and on the synthetic samples, as a table and as pictures."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from cxr_core.classifier import Classifier
from cxr_core.errors import OutputError
from cxr_core.heatmap import prepare_folder, render_overlay, write_png
from cxr_core.pipeline import Pipeline
from cxr_core.prediction import ImageResult
from cxr_core.reading import find_sources
from cxr_core.samples import NO_REAL_FILM, NOTE, real_film, sample_folder


def run_demo(out: Path) -> tuple[str | None, int]:
    """Classify, print a table, write overlays to `out`; the absolute path of one of them, and how many files failed.

    Raises OutputError when `out` cannot be written to.
    """
    console = Console(width=None if Console().is_terminal else 132)
    prepare_folder(out)
    pipeline = Pipeline(Classifier())
    manifest = pipeline.classifier.bundle.manifest
    table = Table(
        title=f"{manifest.name} {manifest.version}, validated for {manifest.population.description}", caption=NOTE
    )
    for heading in ("image", "answer", f"P({manifest.positive})", "why, or what to know"):
        table.add_column(heading, overflow="fold")
    pictures = []
    failed = 0
    real = real_film()
    paths = [*([real] if real else []), sample_folder()]
    if real is None:
        console.print(NO_REAL_FILM)
    for source in (source for path in paths for source in find_sources(str(path))):
        result, image = pipeline(source)
        failed += result.status == "failed"
        name = Path(source.name).stem
        table.add_row(name, *_cells(result))
        if result.prediction is not None and image is not None:
            picture = out / f"{name}.png"
            try:
                write_png(picture, render_overlay(image, result.prediction, manifest))
            except OSError as error:
                raise OutputError(f"{picture} ({error.strerror})", "a file to write", "free space there") from error
            pictures.append(str(picture.resolve()))
    console.print(table)
    console.print(f"Research use only, not for diagnosis. Overlay pictures:{'' if pictures else ' none'}")
    for path in pictures[1:]:
        console.print(path, soft_wrap=True, highlight=False)
    return (pictures[0] if pictures else None), failed


def _cells(result: ImageResult) -> tuple[str, str, str]:
    prediction = result.prediction
    if prediction is None:
        return result.status, "-", result.reason or ""
    if prediction.verdict_withheld == "out_of_domain":
        answer = "withheld: out of domain"
    elif prediction.verdict_withheld == "population":
        answer = "withheld: population"
    else:
        answer = prediction.verdict or ""
    return answer, f"{prediction.probability:.2f}", "; ".join(result.warnings)
