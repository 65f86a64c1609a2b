"""The domain check is fitted film by film, on a bounded number of them that is always the same."""

from __future__ import annotations

import weakref
from collections.abc import Iterator

import numpy as np
import pytest

import training.domain_fit
from tests.training.served_answers import example_of
from training.domain_fit import chosen_films, fit_domain_check

pytestmark = pytest.mark.training

FILMS = 24


def pictures() -> Iterator[np.ndarray]:
    for number in range(FILMS):
        yield np.random.default_rng(number).integers(0, 255, (40, 40)).astype(np.uint8)


def test_few_films_are_all_taken_and_of_many_those_of_the_lowest_digests(monkeypatch: pytest.MonkeyPatch) -> None:
    films = [example_of(number, (0,)) for number in range(20)]
    assert chosen_films(films) == films
    monkeypatch.setattr(training.domain_fit, "LARGEST_SAMPLE", 8)
    chosen = chosen_films(films)
    assert len(chosen) == 8
    assert max(film.sha256 for film in chosen) < min(film.sha256 for film in films if film not in chosen)
    assert set(chosen_films(films[::-1])) == set(chosen)


def test_pictures_are_let_go_as_they_are_looked_at() -> None:
    kept: list[weakref.ref[np.ndarray]] = []
    most = 0

    def watched() -> Iterator[np.ndarray]:
        nonlocal most
        for picture in pictures():
            kept.append(weakref.ref(picture))
            most = max(most, sum(ref() is not None for ref in kept))
            yield picture

    patients = [f"p{number // 2}" for number in range(FILMS)]
    streamed, listed = fit_domain_check(watched(), patients, 1), fit_domain_check(list(pictures()), patients, 1)
    assert most <= 2
    np.testing.assert_array_equal(streamed.limit, listed.limit)
    np.testing.assert_array_equal(streamed.hidden_kernel, listed.hidden_kernel)
