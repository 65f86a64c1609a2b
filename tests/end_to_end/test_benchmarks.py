"""The benchmarks command, and the parts of it that measure no time, on small pictures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.__main__ import NAMES
from benchmarks.jpeg2000 import probability_by_entry
from benchmarks.material import drawn_film, write_film
from benchmarks.odd_pictures import noise
from benchmarks.preprocess import drawn_films, oracle_figure
from benchmarks.report import Figure, at_least, at_most
from cxr_core.classifier import Classifier

ROOT = Path(__file__).parents[2]


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120
    )


def test_the_list_names_every_benchmark_with_what_it_measures() -> None:
    done = _run("--list")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(NAMES)
    assert all(len(line.split()) > 5 for line in lines)


def test_an_unknown_name_is_wrong_usage() -> None:
    done = _run("speed")
    assert done.returncode == 2
    assert "no benchmark speed" in done.stderr


def test_without_real_films_the_reason_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXR_TEST_DATA", raising=False)
    done = _run("fullres")
    assert done.returncode == 0, done.stderr
    assert "not run: it needs real films; set CXR_TEST_DATA" in done.stdout
    assert "not run: fullres" in done.stdout


@pytest.mark.parametrize(
    ("figure", "missed"),
    [
        (Figure("x", 8, "times", at_least(8)), False),
        (Figure("x", 7.99, "times", at_least(8)), True),
        (Figure("x", 0.25, "", at_most(0.25)), False),
        (Figure("x", float("nan"), "", at_most(0.25)), True),
        (Figure("x", 1e9), False),
    ],
)
def test_a_missed_mark_is_printed_as_missed(figure: Figure, missed: bool) -> None:
    assert figure.missed is missed
    assert ("MISSED" in figure.line()) is missed


def test_probability_is_that_of_the_full_size_table() -> None:
    figure = oracle_figure("small films", drawn_films(1250, 1024), Classifier())
    assert not figure.missed, figure.line()


def test_a_jpeg_2000_film_has_one_probability_by_every_entry(tmp_path: Path) -> None:
    path = write_film(tmp_path / "packed.dcm", drawn_film(700, 640), "jpeg2000-lossless")
    by_entry = probability_by_entry(path, tmp_path)
    assert set(by_entry) == {"path", "bytes", "folder", "zip", "cxr predict"}
    assert len(set(by_entry.values())) == 1, by_entry


def test_the_kinds_of_noise_are_what_they_are_called() -> None:
    pictures = {name: next(iter(made)) for name, made in noise(1, np.random.default_rng(1)).items()}
    assert len(np.unique(pictures["salt and pepper"])) == 2
    # Neighbours agree in coarse noise and clouds, and in none of the others.
    alike = {name: np.corrcoef(p[:, 1:].ravel(), p[:, :-1].ravel())[0, 1] for name, p in pictures.items()}
    assert {name for name, value in alike.items() if value > 0.3} == {"coarse", "clouds"}
