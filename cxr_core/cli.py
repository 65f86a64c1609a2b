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
from cxr_core.errors import BundleError, CxrError
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


@contextmanager
def _one_line() -> Iterator[None]:
    """What may go wrong in any command, told in one line; wrong usage or an unusable model or folder is code 2."""
    try:
        yield
    except CxrError as error:
        typer.echo(f"cxr: {error}", err=True)
        raise typer.Exit(2) from error
    except ImportError as error:
        brief = " ".join(str(error).split())
        typer.echo(f"cxr: a part that it needs cannot be loaded ({brief}); see `cxr doctor`", err=True)
        raise typer.Exit(1) from error
    except BrokenPipeError:
        # The reader of our output went away (`| head`); what it wanted it has.
        _drop_output()
        raise typer.Exit(0) from None
    except OSError as error:
        if error.filename is not None:  # not one of writing to a stream
            raise
        _drop_output()
        typer.echo(f"cxr: the output cannot be written ({error.strerror}); free space, or send it elsewhere", err=True)
        raise typer.Exit(1) from error


def _drop_output() -> None:
    """What is still in the buffer goes nowhere: Python would try it again at exit, and complain."""
    with Path(os.devnull).open("w") as nothing:
        os.dup2(nothing.fileno(), sys.stdout.fileno())


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
    prevalence: Annotated[
        Optional[float],
        typer.Option(help="Share of positives at this site, 0 to 1: probabilities and thresholds are moved to it."),
    ] = None,
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
    missing = [path for path in paths if _is_missing(path)]
    if len(missing) == len(paths) or "" in paths:
        wrong = "an empty path" if "" in paths else missing[0]
        raise typer.BadParameter(f"{wrong}; expected an existing file or folder", param_hint="PATH...")
    with _one_line():
        with _quick_start():
            from cxr_core.predict_command import run

        settings = Settings(intake=intake, population=population, prevalence=prevalence, threads=threads)  # type: ignore[arg-type]
        if run(paths, model, settings, heatmap_dir, as_json=as_json):
            raise typer.Exit(1)


def _is_missing(path: str) -> bool:
    """Whether there is no such path. One that cannot be looked at is not missing: reading it tells why."""
    try:
        Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        pass
    return False


@app.command()
def models(
    name: Annotated[Optional[str], typer.Argument(help="Print the card of this model.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The manifests, one JSON object a line.")] = False,
) -> None:
    """List the models with their figures, or print the card of one."""
    with _one_line():
        from cxr_core.bundle import find_bundle

        if name is not None:
            typer.echo(find_bundle(name).card())
        elif _list_models(as_json):
            raise typer.Exit(1)


def _list_models(as_json: bool) -> bool:
    """Print what is there; whether a bundle, or the default, cannot be used."""
    from cxr_core.bundle import bundle_folders, find_bundle, load_bundle

    default, told = None, set()
    try:
        default = find_bundle().folder
    except BundleError as error:
        told = {str(error)}
    for folder in bundle_folders():
        try:
            bundle = load_bundle(folder)
        except BundleError as error:
            told.add(str(error))
            continue
        manifest = bundle.manifest
        if as_json:
            described = manifest.model_dump() | {"sha256": bundle.sha256, "sha256_of_files": manifest.sha256}
            typer.echo(json.dumps({"folder": str(folder), "default": folder == default, **described}))
            continue
        mark = " (default)" if folder == default else ""
        typer.echo(f"{manifest.name} {manifest.version}{mark}: {manifest.description}")
        labels = ", ".join(label.name for label in manifest.labels)
        typer.echo(f"  answers    {labels}; validated for {manifest.population.description}")
        figures = _figures(manifest.metrics.get("holdout"))
        if figures:
            typer.echo(f"  held out   {figures}")
        typer.echo(f"  card       cxr models {manifest.name}")
        typer.echo(f"  folder     {folder}")
    for line in sorted(told):
        typer.echo(f"cxr: {line}", err=True)
    return bool(told)


def _figures(holdout: object) -> str:
    """The figures of the held-out patients in words, as far as a bundle of any task has them."""
    found = holdout if isinstance(holdout, dict) else {}
    numbers = {key: value for key, value in found.items() if isinstance(value, (int, float))}
    formats = {"auc": "AUC {:.3f}", "accuracy": "accuracy {:.1%}", "loss": "log loss {:.3f}"}
    told = ", ".join(text.format(numbers[key]).replace("%", " %") for key, text in formats.items() if key in numbers)
    films = f"{numbers['n']} films" if "n" in numbers else ""
    patients = f"{numbers['patients']} patients" if "patients" in numbers else ""
    return " on ".join(part for part in (told, " of ".join(part for part in (films, patients) if part)) if part)


@app.command()
def doctor() -> None:
    """Say in plain words what is installed, what is missing, and which model is used."""
    with _one_line():
        from cxr_core.doctor import examine_installation

        healthy = True
        for line in examine_installation():
            typer.echo(f"{line.mark:8} {line.text}")
            healthy = healthy and line.mark != "broken"
        works, broken = "The command `cxr predict` works.", "Something that `cxr predict` needs is broken, see above."
        typer.echo(works if healthy else broken)
        if not healthy:
            raise typer.Exit(1)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the overlay pictures.")] = Path("demo_output"),
) -> None:
    """Classify the sample studies and a real chest film, and write overlay pictures."""
    with _one_line():
        from cxr_core.demo import run_demo

        picture, failed = run_demo(out)
        if picture is not None:
            typer.echo(picture)
        if failed:
            raise typer.Exit(1)


if __name__ == "__main__":
    app()
