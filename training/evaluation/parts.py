"""Which examples a part is: as the runs that are judged had it, else by patient group; and what fixed a calibration."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from training.datasets.examples import Dataset, DatasetError, Example
from training.evaluation.models import Candidate
from training.run_folder import read_rows
from training.split import pooled_split

#: What a part of the command line is called in split.csv.
_IN_RUN = {"train": "train", "val": "calibration", "holdout": "holdout"}


def part_of(dataset: Dataset, part: str, candidates: Sequence[Candidate] = ()) -> list[Example]:
    """The examples of a part: "all", "test" (the folder or list of that name), "train", "val" or "holdout".

    The last three are those of the run folders among the candidates, whatever split they were made with, and of
    several runs the images that all have in that part: another split would hold out what a run was trained on. Where
    no candidate is a run folder, the parts are by patient group, as `fit` makes them when not told otherwise.

    Raises DatasetError when there are none, or when images of a run's part are missing.
    """
    runs = [candidate for candidate in candidates if candidate.split is not None]
    expected = f"images that all of the {len(runs)} runs have in it" if len(runs) > 1 else "at least one"
    if part == "all":
        chosen = list(dataset.examples)
    elif part == "test":
        chosen = [example for example in dataset.examples if example.split == "test"]
        expected = "a test/ folder, or test_list.txt"
    elif runs:
        chosen = list(dataset.examples)
        for run in runs:
            wanted = _digests(run, _IN_RUN[part])
            missing = len(wanted - {example.sha256 for example in dataset.examples})
            if missing:
                raise DatasetError(
                    f"data without {missing} of {len(wanted)} images of the run's part {part} in {run.split}",
                    "the data of the run",
                    "name it by --data; for other data --split all or test",
                )
            chosen = [example for example in chosen if example.sha256 in wanted]
    else:
        split = pooled_split(dataset.examples)
        chosen = {"train": split.train, "val": split.calibration, "holdout": split.holdout}[part]
        expected = "images outside test/"
    if not chosen:
        raise DatasetError(f"data without images of the part {part}", expected, "name another --split or --data")
    return chosen


def calibration_films(candidate: Candidate, examples: Iterable[Example]) -> int | None:
    """How many examples fixed the model's calibration; None: not known, as only a run folder tells."""
    if candidate.split is None:
        return None
    fixed_on = _digests(candidate, "calibration")
    return sum(example.sha256 in fixed_on for example in examples)


def calibration_note(films: int | None, n: int, part: str) -> str | None:
    """What must be known of figures on films that fixed the calibration, one line; None where nothing is."""
    if films:
        return (
            f"The calibration (temperature, indeterminate band, limits of the domain check) was fixed on {films} of "
            f"these {n} images: loss, calibration and verdicts withheld look better on them than on other patients."
        )
    if films is None and part == "val":
        return (
            "The part val is what `cxr-train fit` calibrates on: if this model was made of these data, its "
            "calibration was fixed on these very images, and figures of calibration flatter it."
        )
    return None


def _digests(run: Candidate, part: str) -> set[str]:
    assert run.split is not None
    return {row["sha256"] for row in read_rows(run.split) if row["part"] == part}
