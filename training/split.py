"""Patient-wise split by contiguous blocks of the file numbers.

The numbers of this data set come in blocks (the official test folder is made of whole ones), so a block
of unseen numbers is a harder and more honest sample than random patients.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from training.dataset_index import Film


@dataclass(frozen=True, slots=True)
class Split:
    """Three sets of films without a common patient."""

    train: list[Film]
    validation: list[Film]
    """Calibration: temperature, threshold, indeterminate band, domain limits."""

    holdout: list[Film]
    """Looked at only to report figures."""


def split_by_blocks(films: list[Film], holdout: float = 0.12, validation: float = 0.12) -> Split:
    """In every numbering series the lowest `holdout` share of patients, the next `validation` share, and the rest.

    The lowest numbers lie next to those that the official test folder is made of. Shares are of patient groups.
    """
    numbers: dict[str, set[int]] = defaultdict(set)
    for film in films:
        numbers[film.series].add(film.number)
    bounds = {}
    for series, found in numbers.items():
        ordered = sorted(found)
        first = round(holdout * len(ordered))
        bounds[series] = (ordered[first], ordered[first + round(validation * len(ordered))])
    parts: tuple[list[Film], list[Film], list[Film]] = ([], [], [])
    for film in films:
        begin_validation, begin_train = bounds[film.series]
        part = 2 if film.number < begin_validation else 1 if film.number < begin_train else 0
        parts[part].append(film)
    return Split(*parts)
