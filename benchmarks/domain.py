"""The domain check: kinds of pictures that it must catch, and held-out films that it must let pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import odd_pictures
from benchmarks.odd_pictures import FILM_CHANGES, FloatArray
from benchmarks.report import Figure, Mark, NotRunError, at_least, at_most
from benchmarks.setting import Setting
from cxr_core.classifier import Classifier
from cxr_core.preprocess import display_reduced, to_input
from cxr_core.reading import read_image

if TYPE_CHECKING:
    from training.split import Split

CAUGHT, WITHHELD = at_least(95), at_most(2)


def run(setting: Setting) -> Iterator[Figure]:
    """Shares with exact (Clopper-Pearson) 95 % bounds."""
    data = setting.films()
    missing = [name for name in ("scipy", "sklearn", "matplotlib", "data_store") if find_spec(name) is None]
    if missing:
        raise NotRunError(f"it needs {', '.join(missing)} (the extras `train` and `demo`)")
    from training.datasets import open_dataset
    from training.split import pooled_split

    classifier = Classifier()
    split = pooled_split(open_dataset(data / "chest_xray").examples)
    holdout = split.holdout
    films = [display_reduced(read_image(film.source.load())) for film in holdout]
    rng = np.random.default_rng(1)
    passed = _outside(films, classifier)
    yield _figure("held-out films withheld", passed, WITHHELD, f"of {len({film.patient for film in holdout})} patients")
    yield from _kind("noise", odd_pictures.noise(100, rng), classifier)
    yield _figure("blank caught", _outside(odd_pictures.blank(400, rng), classifier), CAUGHT)
    photographs = _outside(odd_pictures.photographs(30, rng), classifier)
    yield _figure("photographs caught", photographs, CAUGHT, odd_pictures.photograph_sources())
    limbs = _outside(odd_pictures.limbs(60, rng), classifier)
    yield _figure("limbs caught", limbs, CAUGHT, odd_pictures.limb_sources())
    yield _figure("pages of text caught", _outside(odd_pictures.text_pages(200, rng), classifier), CAUGHT)
    for kind, changes in FILM_CHANGES.items():
        parts = {name: map(change, films) for name, change in changes.items()}
        yield from _kind(kind, parts, classifier)
    yield from _blocks(split)


def _blocks(split: Split) -> Iterator[Figure]:
    """Films of a block of file numbers withheld by a check that was fitted without it: no mark, as it is."""
    from training.domain_fit import fit_domain_check
    from training.input_batches import grey_of
    from training.pictures import picture_of
    from training.split import blocks_of

    pool = split.train + split.calibration
    pictures = {film.source.name: picture_of(film) for film in pool}
    for name, block in blocks_of(pool).items():
        patients = {film.patient for film in block}
        rest = [film for film in pool if film.patient not in patients]
        check = fit_domain_check([pictures[film.source.name] for film in rest], [film.patient for film in rest], seed=1)
        outside = [not check(grey_of(pictures[film.source.name])).in_domain for film in block]
        yield _figure(f"films of the {name} withheld by a check without them", outside, None)


def _kind(kind: str, parts: Mapping[str, Iterable[FloatArray]], classifier: Classifier) -> Iterator[Figure]:
    """A kind of several parts: each part's share, and that of the whole. Every one of them has the mark."""
    every: list[bool] = []
    for name, pictures in parts.items():
        outside = _outside(pictures, classifier)
        every += outside
        if name:
            yield _figure(f"{kind}, {name}, caught", outside, CAUGHT)
    yield _figure(f"{kind} caught", every, CAUGHT)


def _outside(pictures: Iterable[FloatArray], classifier: Classifier) -> list[bool]:
    scaling = classifier.bundle.manifest.input_scaling
    return [
        not classifier.domain(to_input(np.ascontiguousarray(picture, dtype=np.float32), scaling)).in_domain
        for picture in pictures
    ]


def _figure(what: str, outside: list[bool], mark: Mark | None, detail: str = "") -> Figure:
    from scipy.stats import binomtest

    caught, count = sum(outside), len(outside)
    bounds = binomtest(caught, count).proportion_ci(0.95, method="exact")
    counts = f"{caught} of {count}, 95 % bounds {100 * bounds.low:.2f} to {100 * bounds.high:.2f}"
    return Figure(what, 100 * caught / count, "%", mark, f"{counts}; {detail}" if detail else counts)
