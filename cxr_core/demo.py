"""`cxr demo`: the main job on a real chest film and on the synthetic samples, as a table and as pictures."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from cxr_core.classifier import Classifier
from cxr_core.heatmap import render_overlay, write_png
from cxr_core.pipeline import Pipeline
from cxr_core.prediction import ImageResult
from cxr_core.reading import find_sources
from cxr_core.samples import sample_folder

#: The one chest film that PyPI's pydicom-data ships: CR, 15 bits, MONOCHROME1, an adult.
REAL_FILM = "RG1_UNCR.dcm"


def run_demo(out: Path) -> str:
    """Classify, print a table, write overlays to `out`; the absolute path of one of them."""
    console = Console(width=None if Console().is_terminal else 132)
    pipeline = Pipeline(Classifier())
    manifest = pipeline.classifier.bundle.manifest
    table = Table(title=f"{manifest.name} {manifest.version}, validated for {manifest.population.description}")
    for heading in ("image", "answer", f"P({manifest.positive})", "why, or what to know"):
        table.add_column(heading, overflow="fold")
    out.mkdir(parents=True, exist_ok=True)
    pictures = []
    real = _real_film()
    paths = [*([real] if real else []), sample_folder()]
    if real is None:
        console.print("pydicom-data is not installed, so its real chest film is left out (extra: demo).")
    for source in (source for path in paths for source in find_sources(str(path))):
        result, image = pipeline(source)
        name = Path(source.name).stem
        table.add_row(name, *_cells(result))
        if result.prediction is not None and image is not None:
            picture = out / f"{name}.png"
            write_png(picture, render_overlay(image, result.prediction, manifest))
            pictures.append(picture.resolve())
    console.print(table)
    console.print("Research use only, not for diagnosis. Overlay pictures:")
    for picture in pictures[1:]:
        console.print(str(picture), soft_wrap=True, highlight=False)
    return str(pictures[0])


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


def _real_film() -> Path | None:
    try:
        import data_store  # noqa: F401  # pydicom-data registers itself under this name
        from pydicom.data import get_testdata_file
    except ImportError:
        return None
    path = get_testdata_file(REAL_FILM, download=False)
    return Path(str(path)) if path else None
