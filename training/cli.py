"""The command `cxr-train`: fit, cross-validate, export, evaluate, compare, probe, card."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional, TypeVar

import typer

from cxr_core.errors import CxrError
from cxr_core.settings import Settings
from training.settings import Distribution, FitSettings, SplitKind

if TYPE_CHECKING:
    from training.datasets.examples import Dataset, Example
    from training.fit import Surroundings

app = typer.Typer(
    help="Train, judge and export models for the chest X-ray assistant. Research use, not for diagnosis.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

T = TypeVar("T")
#: Exit code after Ctrl-C, as shells count it.
INTERRUPTED = 130

Data = Annotated[
    Path,
    typer.Option(
        exists=True, help="Folder or zip: Kaggle's chest_xray, ChestX-ray8 with its CSV, or a folder for each class."
    ),
]
Task = Annotated[
    Optional[Literal["diseased", "one_finding", "all_findings"]], typer.Option(help="What of ChestX-ray8 is learned.")
]
FindingName = Annotated[Optional[str], typer.Option(help="The finding of ChestX-ray8 for --task one_finding.")]
ModelName = Annotated[str, typer.Option(help="Name of a model, a bundle folder, or a run folder.")]
Part = Annotated[
    Literal["train", "val", "holdout", "test", "all"],
    typer.Option(
        help="train, val (calibration) and holdout as the run had them; of a bundle by patient group of train/ and "
        "val/. test: test/ alone."
    ),
]
Network = Annotated[Literal["cnn", "mobilenetv2"], typer.Option(help="The network.")]
Epochs = Annotated[int, typer.Option(min=1, help="Of the network, or of its head on a frozen base.")]
FineTuningEpochs = Annotated[int, typer.Option(min=0, help="Of the final layers of MobileNetV2, after the head.")]
BaseWeights = Annotated[str, typer.Option(help="Of MobileNetV2: imagenet (downloaded once), none, or a file.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Of all replicas together.")]
Seed = Annotated[int, typer.Option(min=0, help="Of weights, order and augmentation; another one, another run.")]
LabelSmoothing = Annotated[
    float, typer.Option(min=0, max=0.5, help="Share of each label spread over all classes; 0: labels as they are.")
]
SoftLabels = Annotated[
    Optional[Path], typer.Option(exists=True, dir_okay=False, help="soft_labels.csv of `cross-validate`.")
]
TeacherShare = Annotated[float, typer.Option(min=0, max=1, help="Weight of the soft labels.")]
Cache = Annotated[Optional[Path], typer.Option(help="Folder for decoded pictures, kept for further runs.")]
SkipUnreadable = Annotated[bool, typer.Option("--skip-unreadable", help="Leave unreadable images out.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Resamples = Annotated[int, typer.Option(min=100, help="Of the patient bootstrap behind the intervals.")]


@contextmanager
def _one_line_errors(command: str) -> Iterator[None]:
    """What a person can mend in one line, and exit code 1; Ctrl-C says how to go on."""
    try:
        yield
    except ModuleNotFoundError as error:
        line = f"{error.name} is not installed; training needs it: in the repository, pip install '.[train]'"
        typer.echo(f"cxr-train: {line}", err=True)
        raise typer.Exit(1) from error
    except CxrError as error:
        typer.echo(f"cxr-train: {error}", err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        remedy = "the same command goes on after the last whole epoch" if command in RESUMING else "nothing was written"
        typer.echo(f"cxr-train: stopped; {remedy}", err=True)
        raise typer.Exit(INTERRUPTED) from None


RESUMING = ("fit", "cross-validate")


def _quiet_tensorflow() -> None:
    """Import TensorFlow without the lines that it writes to file descriptor 2 whatever its log level is."""
    from cxr_core.classifier import without_runtime_chatter

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    warnings.filterwarnings("ignore", module="keras|tensorflow")
    with without_runtime_chatter():
        import keras  # noqa: F401
        import tensorflow
    tensorflow.get_logger().setLevel("ERROR")  # its warnings are of tracing, which is ours to mend and not the user's


def _quiet_keras_of(model: str) -> None:
    """A run folder's Keras model is looked at beside its bundle; a bundle alone needs no TensorFlow."""
    if (Path(model) / "model.keras").is_file():
        _quiet_tensorflow()


def _progress(items: Iterable[T], total: int) -> Iterable[T]:
    """The same items, with a bar where somebody is looking."""
    if not sys.stderr.isatty() or total < 2:
        return items
    from rich.console import Console
    from rich.progress import track

    return track(items, total=total, console=Console(stderr=True), transient=True, description="")


@contextmanager
def _counter() -> Iterator[Callable[[int, int], None] | None]:
    """A bar that is told (done, total), where somebody is looking."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("images")
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _open(data: Path, task: str | None, finding: str | None) -> Dataset:
    from training.datasets import open_dataset

    dataset = open_dataset(data, task=task, finding=finding, progress=_progress)  # type: ignore[arg-type]
    for line in dataset.summary():
        _say(line)
    return dataset


def _part(dataset: Dataset, part: str, *models: str) -> list[Example]:
    """The examples of a part, as the run folders among the models had it."""
    from training.evaluation.models import find_candidate
    from training.evaluation.parts import part_of

    chosen = part_of(dataset, part, [find_candidate(model) for model in models])
    _say(f"{part}: {len(chosen)} images")
    return chosen


@app.command()
def fit(
    data: Data,
    out: Annotated[Path, typer.Option(help="Run folder to write, or to go on with.")],
    model: Network = "cnn",
    epochs: Epochs = 10,
    fine_tuning_epochs: FineTuningEpochs = 10,
    base_weights: BaseWeights = "imagenet",
    batch_size: BatchSize = 32,
    seed: Seed = 1,
    label_smoothing: LabelSmoothing = 0.05,
    soft_labels: SoftLabels = None,
    teacher_share: TeacherShare = 0.5,
    split: Annotated[
        SplitKind, typer.Option(help="pooled: train/ and val/ split anew by patient; official: as published.")
    ] = "pooled",
    task: Task = None,
    finding: FindingName = None,
    augment: Annotated[bool, typer.Option("--augment/--no-augment", help="Augmented pictures.")] = True,
    dropout: Annotated[bool, typer.Option("--dropout/--no-dropout", help="Dropout before the dense layers.")] = True,
    deterministic: Annotated[bool, typer.Option("--deterministic", help="The same bits again; slower.")] = False,
    distribute: Annotated[
        Distribution, typer.Option(help="mirrored: the GPUs here; multiworker: the machines of TF_CONFIG.")
    ] = "none",
    cache: Cache = None,
    skip_unreadable: SkipUnreadable = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write summaries for TensorBoard.")] = False,
    version: Annotated[str, typer.Option(help="Of the bundle.")] = "0.1.0",
) -> None:
    """Train a model: a run folder with history, curves, configuration and the bundle.

    Stopped runs go on after their last whole epoch when the same command is given again.
    """
    with _one_line_errors("fit"):
        from training.bundle_folder import check_name

        check_name(version)
        _quiet_tensorflow()
        from training.distribute import is_chief
        from training.export import export as write_bundle
        from training.fit import fit as train
        from training.run_folder import BUNDLE

        settings = FitSettings(
            model=model,
            epochs=epochs,
            fine_tuning_epochs=fine_tuning_epochs,
            batch_size=batch_size,
            seed=seed,
            base_weights=base_weights,
            augmented=augment,
            dropout=dropout,
            label_smoothing=label_smoothing,
            teacher_share=teacher_share if soft_labels else 0.0,
            split=split,
            task=task,
            finding=finding,
            deterministic=deterministic,
        )
        dataset = _open(data, task, finding)
        around = _surroundings(out, cache, distribute, skip_unreadable, tensorboard)
        train(dataset, data, settings, around, soft_labels)
        if is_chief(distribute):
            _say("Writing the bundle.")
            write_bundle(out, dataset, out / BUNDLE, version, None, _progress)
            typer.echo(f"{out / BUNDLE}")


def _surroundings(
    out: Path, cache: Path | None, distribute: Distribution, skip_unreadable: bool, tensorboard: bool
) -> Surroundings:
    from training.fit import Surroundings

    return Surroundings(out, cache, distribute, skip_unreadable, tensorboard, _say, _progress)


@app.command("cross-validate")
def cross_validate(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder for the runs, or to go on with.")],
    model: Network = "cnn",
    epochs: Epochs = 10,
    fine_tuning_epochs: FineTuningEpochs = 10,
    base_weights: BaseWeights = "imagenet",
    batch_size: BatchSize = 32,
    seed: Seed = 1,
    label_smoothing: LabelSmoothing = 0.05,
    soft_labels: SoftLabels = None,
    teacher_share: TeacherShare = 0.5,
    folds: Annotated[int, typer.Option(min=1, max=5, help="How many of the 5 folds; all give soft labels.")] = 5,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each part.")] = 1,
    blocks: Annotated[bool, typer.Option("--blocks", help="Leave out blocks of file numbers, too.")] = False,
    task: Task = None,
    finding: FindingName = None,
    cache: Cache = None,
    skip_unreadable: SkipUnreadable = False,
) -> None:
    """Judge a recipe on patients and blocks of file numbers that it never saw; the hold-out stays out."""
    with _one_line_errors("cross-validate"):
        _quiet_tensorflow()
        from training.cross_validate import cross_validate as run

        settings = FitSettings(
            model=model,
            epochs=epochs,
            fine_tuning_epochs=fine_tuning_epochs,
            batch_size=batch_size,
            seed=seed,
            base_weights=base_weights,
            label_smoothing=label_smoothing,
            teacher_share=teacher_share if soft_labels else 0.0,
            task=task,
            finding=finding,
        )
        around = _surroundings(out, cache, "none", skip_unreadable, tensorboard=False)
        dataset = _open(data, task, finding)
        result = run(dataset, data, settings, around, soft_labels, folds=folds, seeds=seeds, blocks=blocks)
        typer.echo(json.dumps(result, indent=2))


@app.command()
def export(
    run: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Run folder that `fit` wrote.")],
    out: Annotated[Path, typer.Option(help="Bundle folder to write, best named NAME-VERSION.")],
    data: Annotated[Optional[Path], typer.Option(exists=True, help="The run's data, if it was moved.")] = None,
    version: Annotated[str, typer.Option(help="Of the bundle, like 0.1.0.")] = "0.1.0",
    name: Annotated[Optional[str], typer.Option(help="Of the bundle; the network's own when not given.")] = None,
) -> None:
    """Convert a run to a bundle: refused where the graph answers otherwise than Keras."""
    with _one_line_errors("export"):
        from training.bundle_folder import check_name, place_for

        check_name(version, name)
        place_for(out)
        _quiet_tensorflow()
        from training import run_folder
        from training.export import export as write_bundle

        config = run_folder.read_json(run / run_folder.CONFIG)
        where = data or Path(config["data"])
        if not where.exists():
            raise run_folder.RunError(f"no {where} any more, the data of the run", "the data", "name it by --data")
        dataset = _open(where, config["settings"]["task"], config["settings"]["finding"])
        typer.echo(str(write_bundle(run, dataset, out, version, name, _progress)))


@app.command()
def evaluate(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder for the report.")],
    model: ModelName = "cnn",
    split: Part = "holdout",
    as_json: AsJson = False,
    resamples: Resamples = 2000,
    task: Task = None,
    finding: FindingName = None,
) -> None:
    """Measure what is served: figures with intervals, plots, a CSV of all images, and one HTML report to mail."""
    with _one_line_errors("evaluate"), _counter() as count:
        _quiet_keras_of(model)
        from training.evaluation.evaluate import evaluate as measure
        from training.evaluation.evaluate import lines_of

        dataset = _open(data, task, finding)
        chosen = _part(dataset, split, model)
        settings = Settings(threads=2)
        result = measure(
            model, dataset, chosen, out, part=split, settings=settings, progress=count, resamples=resamples
        )
        _print(result, lines_of(result), as_json)


@app.command()
def compare(
    first: Annotated[str, typer.Argument(help="Name of a model, a bundle folder, or a run folder.")],
    second: Annotated[str, typer.Argument(help="Likewise.")],
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder for the report.")],
    split: Part = "holdout",
    as_json: AsJson = False,
    resamples: Resamples = 2000,
    task: Task = None,
    finding: FindingName = None,
) -> None:
    """Two models side by side on the same images, and beside the reference figures."""
    with _one_line_errors("compare"), _counter() as count:
        from training.evaluation.compare import compare as measure
        from training.evaluation.compare import lines_of

        dataset = _open(data, task, finding)
        chosen = _part(dataset, split, first, second)
        result = measure(
            first,
            second,
            dataset,
            chosen,
            out,
            part=split,
            settings=Settings(threads=2),
            progress=count,
            resamples=resamples,
        )
        _print(result, lines_of(result), as_json)


@app.command()
def probe(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder for the report.")],
    model: ModelName = "cnn",
    split: Part = "holdout",
    sizes: Annotated[
        Optional[Path], typer.Option(exists=True, help="CSV with file, original_w, original_h of squashed copies.")
    ] = None,
    external: Annotated[
        Optional[Path], typer.Option(exists=True, help="Folder of DICOM films from elsewhere with a labels.csv.")
    ] = None,
    as_json: AsJson = False,
    task: Task = None,
    finding: FindingName = None,
) -> None:
    """How the answers change when what should not matter changes, shortcuts, maps, and films from elsewhere."""
    with _one_line_errors("probe"), _counter() as count:
        _quiet_keras_of(model)
        from training.probes.probe import probe as measure

        dataset = _open(data, task, finding)
        chosen = _part(dataset, split, model)
        train = [] if split in ("train", "all", "test") else _part(dataset, "train", model)
        result = measure(
            model,
            dataset,
            chosen,
            out,
            part=split,
            train=train,
            sizes=sizes,
            external=external,
            settings=Settings(threads=2),
            progress=count,
        )
        _print(result, [f"{line['what']}: {line['words']}" for line in result["lines"]], as_json)


@app.command()
def card(
    bundle: Annotated[str, typer.Argument(help="Name of a model, a bundle folder, or a run folder.")],
    probes: Annotated[
        Optional[Path], typer.Option(exists=True, dir_okay=False, help="probes.json of `cxr-train probe`.")
    ] = None,
    cross_validation: Annotated[
        Optional[Path], typer.Option(exists=True, dir_okay=False, help="cross_validation.json of the recipe.")
    ] = None,
) -> None:
    """Put into a bundle's model card what probes and cross-validation found; its answers stay as they are."""
    with _one_line_errors("card"):
        from training.bundle_folder import complete_card

        typer.echo(str(complete_card(bundle, probes, cross_validation)))


def _print(result: dict[str, Any], lines: Iterable[str], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(result, allow_nan=False))
    else:
        typer.echo("\n".join(lines))


if __name__ == "__main__":
    app()
