"""The command `cxr-train`: fit and export."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from cxr_core.errors import CxrError

app = typer.Typer(
    help="Train models for the chest X-ray assistant.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Data = Annotated[
    Path,
    typer.Option(exists=True, file_okay=False, help="Folder with train/ and val/, each with NORMAL/ and PNEUMONIA/."),
]


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """What a person can mend in one line, and exit code 1."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's notes on processor features help nobody here
    try:
        yield
    except ModuleNotFoundError as error:
        line = f"{error.name} is not installed; training needs it: in the repository, pip install '.[train]'"
        typer.echo(f"cxr-train: {line}", err=True)
        raise typer.Exit(1) from error
    except CxrError as error:
        typer.echo(f"cxr-train: {error}", err=True)
        raise typer.Exit(1) from error


@app.command()
def fit(
    data: Data,
    out: Annotated[Path, typer.Option(help="Run folder to write.")],
    epochs: Annotated[int, typer.Option(min=1)] = 10,
    seed: Annotated[int, typer.Option(min=0)] = 1,
) -> None:
    """Train the Sequential CNN and write a run folder."""
    with _one_line_errors():
        from training.fit import FitSettings
        from training.fit import fit as run

        run(data, out, FitSettings(epochs=epochs, seed=seed))


@app.command()
def export(
    run: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Run folder that `fit` wrote.")],
    data: Data,
    out: Annotated[Path, typer.Option(help="Bundle folder to write, named NAME-VERSION.")],
    version: Annotated[str, typer.Option(help="Version of the bundle, like 0.1.0.")] = "0.1.0",
) -> None:
    """Calibrate, convert, compare with Keras, evaluate on held-out patients, and write a bundle."""
    with _one_line_errors():
        from training.export import export as write

        typer.echo(json.dumps(write(run, data, out, version), indent=2))


if __name__ == "__main__":
    app()
