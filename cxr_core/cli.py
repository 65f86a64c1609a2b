"""The command `cxr`: predict, models, doctor, demo. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import atexit
import gc
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Optional

import typer

from cxr_core import __version__
from cxr_core.errors import CxrError
from cxr_core.settings import INTAKE_RULES, IntakeSettings, Settings

app = typer.Typer(
    help="Chest X-ray assistant: classifies chest radiographs. Research use, not for diagnosis.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cxr {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    # pydicom logs what it finds odd in a header, values included; patient data stay out of every log.
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)


@contextmanager
def _quick_start() -> Iterator[None]:
    """Load modules without what a short command pays for and never uses: a fifth of the time to one answer."""
    if (
        "cxr_core.predict_command" in sys.modules
    ):  # a second command of one process: what it would freeze is its caller's
        yield
        return
    # numpy's linear algebra starts a thread a processor; the domain check's small products want none.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Modules are no garbage: neither looked through while they load, nor by later collections, nor at exit.
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
    atexit.register(gc.freeze)


@app.command()
def predict(
    paths: Annotated[list[str], typer.Argument(help="Files, folders, zip archives, DICOMDIR; DICOM, JPEG or PNG.")],
    model: Annotated[Optional[str], typer.Option(help="Name or folder of a model; see `cxr models`.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line an image, on standard output.")
    ] = False,
    heatmap_dir: Annotated[
        Optional[Path], typer.Option(help="Write an overlay picture of every predicted image here.")
    ] = None,
    accept: Annotated[
        Optional[list[str]], typer.Option(help=f"Relax an intake rule ({', '.join(INTAKE_RULES)}); the result says so.")
    ] = None,
    population: Annotated[
        str, typer.Option(help="Verdicts on patients outside the model's population: withhold, or warn.")
    ] = "withhold",
    threads: Annotated[int, typer.Option(min=1, max=64, help="Threads of the model.")] = 1,
) -> None:
    """Classify chest radiographs.

    Exit code 0 when nothing failed (a refusal is no failure), 1 when a file failed, 2 for wrong usage.
    """
    if population not in ("withhold", "warn"):
        raise typer.BadParameter(f"{population}; expected withhold or warn", param_hint="--population")
    try:
        intake = IntakeSettings(frozenset(accept or ()))
    except CxrError as error:
        raise typer.BadParameter(str(error), param_hint="--accept") from error
    missing = [path for path in paths if not Path(path).exists()]
    if len(missing) == len(paths):
        raise typer.BadParameter(f"{missing[0]}; expected an existing file or folder", param_hint="PATH...")
    with _quick_start():
        from cxr_core.predict_command import run

    try:
        settings = Settings(intake=intake, population=population, threads=threads)  # type: ignore[arg-type]
        failed = run(paths, model, settings, heatmap_dir, as_json=as_json)
    except CxrError as error:
        typer.echo(f"cxr: {error}", err=True)
        raise typer.Exit(2) from error
    except BrokenPipeError:
        # The reader of our output went away (`| head`); what it wanted it has.
        sys.stderr.close()
        raise typer.Exit(0) from None
    if failed:
        raise typer.Exit(1)


@app.command()
def models(
    name: Annotated[Optional[str], typer.Argument(help="Print the card of this model.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The manifests, one JSON object a line.")] = False,
) -> None:
    """List the models with their figures, or print the card of one."""
    from cxr_core.bundle import bundle_folders, find_bundle, load_bundle

    try:
        if name is not None:
            typer.echo(find_bundle(name).card())
            return
        default = find_bundle().folder
    except CxrError as error:
        typer.echo(f"cxr: {error}", err=True)
        raise typer.Exit(1) from error
    broken = False
    for folder in bundle_folders():
        try:
            bundle = load_bundle(folder)
        except CxrError as error:
            typer.echo(f"cxr: {error}", err=True)
            broken = True
            continue
        manifest = bundle.manifest
        if as_json:
            typer.echo(
                json.dumps(
                    {
                        "folder": str(folder),
                        "default": folder == default,
                        **manifest.model_dump(),
                        "sha256": bundle.sha256,
                        "sha256_of_files": manifest.sha256,
                    }
                )
            )
            continue
        mark = " (default)" if folder == default else ""
        typer.echo(f"{manifest.name} {manifest.version}{mark}: {manifest.description}")
        typer.echo(
            f"  answers    {', '.join(label.name for label in manifest.labels)};"
            f" validated for {manifest.population.description}"
        )
        figures = manifest.metrics.get("holdout", {})
        if figures:
            typer.echo(
                f"  held out   AUC {figures['auc']:.3f}, accuracy {100 * figures['accuracy']:.1f} %,"
                f" log loss {figures['loss']:.3f} on {figures['n']} films of {figures['patients']} patients"
            )
        typer.echo(f"  card       cxr models {manifest.name}")
        typer.echo(f"  folder     {folder}")
    if broken:
        raise typer.Exit(1)


@app.command()
def doctor() -> None:
    """Say in plain words what is installed, what is missing, and which model is used."""
    from cxr_core.doctor import examine_installation

    healthy = True
    for line in examine_installation():
        typer.echo(f"{line.mark:8} {line.text}")
        healthy = healthy and line.mark != "broken"
    typer.echo(
        "The command `cxr predict` works." if healthy else "Something that `cxr predict` needs is broken, see above."
    )
    if not healthy:
        raise typer.Exit(1)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the overlay pictures.")] = Path("demo_output"),
) -> None:
    """Classify the sample studies and a real chest film, and write overlay pictures."""
    from cxr_core.demo import run_demo

    try:
        typer.echo(run_demo(out))
    except CxrError as error:
        typer.echo(f"cxr: {error}", err=True)
        raise typer.Exit(1) from error


if __name__ == "__main__":
    app()
