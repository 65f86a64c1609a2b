"""The command `cxr-node`: serve, check, status, list, show, retry, cancel, quarantine, demo.

Everything heavy is imported by the command that needs it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from cxr_core import __version__
from cxr_core.errors import CxrError
from dicom_node.node_error import PassingError
from dicom_node.options import Options, parse_send_to, settings_with

if TYPE_CHECKING:
    import sqlalchemy as sa

    from dicom_node.settings import NodeSettings
    from dicom_node.store.folder import DataFolder

app = typer.Typer(
    help="Receives chest radiographs from a PACS, classifies them, sends the results. Research use, not for diagnosis.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
quarantine = typer.Typer(help="Bad objects: list them, show why, try one again.", no_args_is_help=True)
app.add_typer(quarantine, name="quarantine")

Config = Annotated[Optional[Path], typer.Option(help="TOML file of settings.")]
Data = Annotated[Optional[Path], typer.Option(help="Data folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]
Study = Annotated[Optional[str], typer.Argument(help="Study Instance UID, or how it begins.")]
To = Annotated[Optional[str], typer.Option(help="Deliveries to this destination only.")]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cxr-node {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@contextmanager
def _one_line() -> Iterator[None]:
    """What may go wrong in any command, told in one line; code 2, or 1 where another start may help."""
    try:
        yield
    except CxrError as error:
        typer.echo(f"cxr-node: {error}", err=True)
        raise typer.Exit(1 if isinstance(error, PassingError) else 2) from error
    except ImportError as error:  # the base installation is the core alone
        brief = " ".join(str(error).split())
        typer.echo(f"cxr-node: a part that it needs cannot be loaded ({brief}); install the extra `node`", err=True)
        raise typer.Exit(2) from error


@contextmanager
def _opened(config: Path | None, data: Path | None) -> Iterator[tuple[NodeSettings, DataFolder, sa.Engine]]:
    """Settings, folder and database of a node that runs, or has run."""
    with _one_line():
        from dicom_node.store.database import open_existing
        from dicom_node.store.folder import DataFolder

        settings = settings_with(config, Options(data=data))
        folder = DataFolder(settings.data)
        engine = open_existing(folder, settings.database)
        try:
            yield settings, folder, engine
        finally:
            engine.dispose()


def _tell(told: Any, lines: list[str], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(told))
    else:
        for line in lines:
            typer.echo(line)


@app.command()
def serve(
    config: Config = None,
    data: Data = None,
    port: Annotated[
        Optional[int], typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = None,
    ae_title: Annotated[Optional[str], typer.Option(help="Our AE title.")] = None,
    send_to: Annotated[
        Optional[list[str]], typer.Option(help="Send results to this application: AET@HOST:PORT. May be repeated.")
    ] = None,
) -> None:
    """Receive, analyse and send until stopped.

    Without a file of settings: from this machine only, any calling AE title, results into the data folder.
    """
    with _one_line():
        settings = settings_with(config, Options(data, port, ae_title, tuple(map(parse_send_to, send_to or ()))))
        from dicom_node import logs
        from dicom_node.serve import serve as run
        from dicom_node.store.folder import DataFolder

        logs.configure("node")
        run(settings, DataFolder(settings.data), typer.echo)


@app.command()
def check(config: Config = None, data: Data = None, as_json: AsJson = False) -> None:
    """Validate the settings, look at folder and model, and try every peer and service.

    Exit code 0 when everything works, 1 when something does not, 2 when the settings are wrong.
    """
    with _one_line():
        from dicom_node.check import examine

        findings = list(examine(settings_with(config, Options(data=data))))
        told = [{"what": f.what, "works": f.works, "warning": f.is_warning, "words": f.words} for f in findings]
        kinds = ["WARNING" if f.is_warning else "works" if f.works else "BROKEN" for f in findings]
        lines = [f"{kind:7} {f.what}: {f.words}" for kind, f in zip(kinds, findings, strict=True)]
        _tell(told, lines, as_json)
        if not all(finding.works for finding in findings):
            raise typer.Exit(1)


@app.command()
def status(config: Config = None, data: Data = None, as_json: AsJson = False) -> None:
    """Say what is done, what waits, and what needs somebody.

    Exit code 0 while a node runs, 1 when none does.
    """
    with _opened(config, data) as (settings, folder, engine):
        from dicom_node.report import status_lines, status_of

        told = status_of(settings, folder, engine)
        _tell(told, status_lines(told), as_json)
        if not told["running"]:
            raise typer.Exit(1)


@app.command(name="list")
def list_studies(
    config: Config = None,
    data: Data = None,
    state: Annotated[
        Optional[str], typer.Option(help="Only those that are collecting, complete, set_aside or cancelled.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List studies, the newest first."""
    with _opened(config, data) as (_, _, engine):
        from dicom_node.report import studies_of, study_lines

        told = studies_of(engine, limit, state)
        _tell(told, study_lines(told), as_json)


@app.command()
def show(
    study: Annotated[str, typer.Argument(help="Study Instance UID, or how it begins.")],
    config: Config = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Show what became of a study: its images, results and deliveries."""
    with _opened(config, data) as (_, _, engine):
        from dicom_node.report import one_study, one_study_lines

        told = one_study(engine, study)
        _tell(told, one_study_lines(told), as_json)


@app.command()
def retry(
    study: Study = None, destination: To = None, config: Config = None, data: Data = None, as_json: AsJson = False
) -> None:
    """Try again what was given up or set aside, and at once what waits: of a study, to a destination, or everything."""
    with _opened(config, data) as (_, _, engine):
        import time

        from dicom_node.report import ordered
        from dicom_node.store import orders, overview

        uid = None if study is None else overview.find_study(engine, study).study_uid
        told = orders.retry(engine, time.time(), uid, overview.known_destination(engine, destination))
        _tell(told, [f"Tried again: {ordered(told)}"], as_json)


@app.command()
def cancel(
    study: Study = None, destination: To = None, config: Config = None, data: Data = None, as_json: AsJson = False
) -> None:
    """Give up what is not delivered: of a study, with images that have no answer yet, or to a destination."""
    with _opened(config, data) as (_, folder, engine):
        import time

        from dicom_node.report import ordered
        from dicom_node.store import orders, overview

        if study is None and destination is None:
            raise CxrError("nothing to cancel", "a study or --destination", "see `cxr-node list`")
        uid = None if study is None else overview.find_study(engine, study).study_uid
        told = orders.cancel(engine, folder, time.time(), uid, overview.known_destination(engine, destination))
        _tell(told, [f"Cancelled: {ordered(told)}"], as_json)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the overlay pictures.")] = Path("demo_output"),
) -> None:
    """Start a node and a stand-in PACS on this machine, send films, show what comes back to the PACS, and stop.

    The films are the sample studies and, where it is installed, a real one. The last line names an overlay picture.
    Exit code 0 when everything came back, 1 when something did not.
    """
    with _one_line():
        from dicom_node.demo import run_demo

        if not run_demo(out):
            raise typer.Exit(1)


@quarantine.command(name="list")
def list_quarantine(config: Config = None, data: Data = None, as_json: AsJson = False) -> None:
    """List bad objects with their reasons, the oldest first."""
    with _one_line():
        from dataclasses import asdict

        from dicom_node.report import quarantine_lines
        from dicom_node.store.folder import DataFolder
        from dicom_node.store.quarantine import Quarantine

        entries = Quarantine(DataFolder(settings_with(config, Options(data=data)).data)).entries()
        _tell([asdict(entry) for entry in entries], quarantine_lines(entries), as_json)


@quarantine.command(name="show")
def show_quarantined(
    name: Annotated[str, typer.Argument(help="Name of the object, or how it begins.")],
    config: Config = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Show why an object is there, and where its file lies."""
    with _one_line():
        from dataclasses import asdict

        from dicom_node.report import quarantined_lines
        from dicom_node.store.folder import DataFolder
        from dicom_node.store.quarantine import Quarantine

        place = Quarantine(DataFolder(settings_with(config, Options(data=data)).data))
        entry = place.find(name)
        path = place.path(entry.name)
        _tell(asdict(entry) | {"file": str(path)}, quarantined_lines(entry, path), as_json)


@quarantine.command(name="release")
def release_quarantined(
    name: Annotated[str, typer.Argument(help="Name of the object, or how it begins.")],
    config: Config = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Try an object once more: analyse it again, or take it as if it had just been sent."""
    with _opened(config, data) as (settings, folder, engine):
        from dicom_node import logs
        from dicom_node.release import release

        logs.configure("command", level="ERROR")  # what is told is told below
        words = release(settings, folder, engine, name)
        _tell({"name": name, "words": words}, [words], as_json)


if __name__ == "__main__":
    app()
