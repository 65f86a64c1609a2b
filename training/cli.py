"""The command `cxr-train`: fit and export."""

from __future__ import annotations

import json
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

Data = Annotated[Path, typer.Option(help="Folder with train/ and val/, each with NORMAL/ and PNEUMONIA/.")]


@app.command()
def fit(
    data: Data,
    out: Annotated[Path, typer.Option(help="Run folder to write.")],
    epochs: Annotated[int, typer.Option(min=1)] = 10,
    seed: Annotated[int, typer.Option(min=0)] = 1,
) -> None:
    """Train the Sequential CNN and write a run folder."""
    from training.fit import FitSettings
    from training.fit import fit as run

    try:
        run(data, out, FitSettings(epochs=epochs, seed=seed))
    except CxrError as error:
        typer.echo(f"cxr-train: {error}", err=True)
        raise typer.Exit(1) from error


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Run folder that `fit` wrote.")],
    data: Data,
    out: Annotated[Path, typer.Option(help="Bundle folder to write, by custom NAME-VERSION.")],
    version: Annotated[str, typer.Option(help="Version of the bundle, like 0.1.0.")] = "0.1.0",
) -> None:
    """Calibrate, convert, compare with Keras, evaluate on held-out patients, and write a bundle."""
    from training.export import export as write

    try:
        typer.echo(json.dumps(write(run, data, out, version), indent=2))
    except CxrError as error:
        typer.echo(f"cxr-train: {error}", err=True)
        raise typer.Exit(1) from error


if __name__ == "__main__":
    app()
