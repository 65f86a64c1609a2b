"""Trivial baselines find what is trivial to find, and say when they could not look."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.training.probe_models import CENTRE, example, films
from training.probes import baselines as b
from training.probes.copies import training_features
from training.probes.figures import ProbeError


def features(n: int, **given: np.ndarray) -> b.BaselineFeatures:
    """Features that tell nothing, except those given."""
    rng = np.random.default_rng(n)
    parts = {"thumbnail": rng.random((n, 64)), "border": rng.random((n, 184)), "aspect": np.full(n, np.nan)}
    return b.BaselineFeatures(**(parts | given))


def by_name(found: list[b.Baseline]) -> dict[str, b.Baseline]:
    return {baseline.name: baseline for baseline in found}


def test_features_are_means_of_cells() -> None:
    picture = np.zeros((224, 224), np.float32)
    picture[:28, :28] = 1
    np.testing.assert_allclose(b.thumbnail(picture), [1] + [0] * 63, atol=1e-6)
    inside = np.zeros((224, 224), np.float32)
    inside[18:-18, 18:-18] = 1
    assert b.border(inside).shape == (184,)
    assert b.border(inside).max() < 0.02
    assert b.border(1 - inside).min() > 0.98


def test_each_baseline_is_as_good_as_its_feature() -> None:
    fit_y, y = np.tile([0, 1], 100), np.tile([0, 1], 40)
    told = [np.where(t == 1, 0.4, 0.2) + np.random.default_rng(3).normal(0, 0.01, len(t)) for t in (fit_y, y)]
    found = by_name(b.measure_baselines(features(200, aspect=told[0]), fit_y, features(80, aspect=told[1]), y, 2))
    assert found["aspect"].figures is not None
    assert found["aspect"].figures.accuracy == 1
    assert found["aspect"].figures.auc == 1
    assert found["aspect"].note is None
    for name in ("thumbnail", "border"):
        assert found[name].figures is not None
        assert found[name].figures.auc == pytest.approx(0.5, abs=0.17)
    assert found["commonest"].figures is not None
    assert found["commonest"].figures.accuracy == 0.5


def test_films_of_unknown_shape_are_left_out_and_counted() -> None:
    aspect = np.where(np.arange(80) < 60, np.tile([0.1, 0.5], 40), np.nan)
    y = np.tile([0, 1], 40)
    found = by_name(b.measure_baselines(features(80, aspect=aspect), y, features(80, aspect=aspect[::-1]), y[::-1], 2))
    assert found["aspect"].figures is not None
    assert found["aspect"].figures.n == 60
    assert found["aspect"].fitted_on == 60
    assert found["aspect"].note == "known of 60 of 80 held-out and 60 of 80 others"


def test_no_shape_known_and_one_label_alone_are_said() -> None:
    y, one = np.tile([0, 1], 10), np.zeros(20, np.int64)
    unknown = by_name(b.measure_baselines(features(20), y, features(20), y, 2))["aspect"]
    assert (unknown.figures, unknown.note) == (None, "unknown")
    single = by_name(b.measure_baselines(features(20), one, features(20), y, 2))["thumbnail"]
    assert single.figures is None
    assert "one label alone" in str(single.note)


def test_a_class_that_training_lacks_gets_no_probability() -> None:
    fit_y, y = np.tile([0, 2], 20), np.tile([0, 1, 2, 2], 10)
    fit_x = np.where(fit_y[:, np.newaxis] == 2, 1.0, 0.0) + np.zeros((40, 64))
    found = by_name(b.measure_baselines(features(40, thumbnail=fit_x), fit_y, features(40, thumbnail=fit_x), y, 3))
    assert found["thumbnail"].figures is not None
    assert found["thumbnail"].figures.n == 40
    assert found["thumbnail"].figures.loss > 1  # an image of class 1 costs the whole floor


def test_findings_are_fitted_one_by_one() -> None:
    y = np.stack([np.tile([0, 1], 30), np.repeat([0, 1], 30), np.zeros(60, int)], axis=1)
    x = np.concatenate([y[:, :2], np.zeros((60, 62))], axis=1) + np.random.default_rng(1).normal(0, 0.01, (60, 64))
    found = by_name(b.measure_baselines(features(60, thumbnail=x), y, features(60, thumbnail=x), y, 3))
    assert found["thumbnail"].figures is not None
    assert found["thumbnail"].figures.accuracy == 1
    assert found["thumbnail"].figures.auc == 1
    assert found["commonest"].figures is not None
    assert found["commonest"].figures.accuracy == pytest.approx(2 / 3)


def test_shape_comes_from_the_table_then_from_files_that_are_not_square(tmp_path: Path) -> None:
    table = tmp_path / "sizes.csv"
    table.write_text("file,original_w,original_h\ntrain/a.png,1500,1000\ntrain/b.png,,\nc.png,800,800\n")
    originals = b.read_sizes(table)
    assert originals == {"train/a.png": (1000, 1500), "c.png": (800, 800)}
    names = ["archive.zip!chest/train/a.png", "train/b.png", "deep/c.png", "d.png"]
    examples = [example(bytes([k]), 0, name=name) for k, name in enumerate(names)]
    found = b.aspects(examples, [(224, 224), (224, 224), (224, 224), (200, 100)], originals)
    np.testing.assert_allclose(found, [np.log(1.5), np.nan, 0, np.log(0.5)])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("file,width\n", "without original_w, original_h"),
        ("file,original_w,original_h\na,x,3\n", "no whole number"),
        ("", "without file"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(content)
    with pytest.raises(b.ProbeError, match=words):
        b.read_sizes(path)


def test_a_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match="cannot be read"):
        b.read_sizes(tmp_path / "none.csv")


def test_training_features_leave_out_what_cannot_be_read() -> None:
    ticks: list[int] = []
    found, read = training_features([*films(CENTRE, 4), example(b"none", 0)], {}, ticks.append)
    assert found is not None
    assert found.thumbnail.shape == (4, 64)
    assert len(read) == 4
    assert sum(ticks) == 5
    assert training_features([], {}, ticks.append) == (None, [])
