"""Figures of copies, and lines that a model which cheats does not pass."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from cxr_core.bundle import Label
from tests.training.probe_models import CENTRE, CORNER, TWO_CLASSES, Region, RegionModel, example, films, manifest
from training.datasets.examples import LabelScheme
from training.probes import figures as f
from training.probes.copies import PLAIN, Copies, answer_copies
from training.probes.shortcuts import SHORTCUTS, Judgement, Line

THREE = tuple(Label(name=name, meaning=name) for name in "ABC")


def nothing(images: int) -> None:
    pass


def judged(region: Region) -> tuple[dict[tuple[str, str], Judgement], Copies]:
    model, examples = RegionModel(region), films(region)
    copies = answer_copies(model, examples, {}, 8, nothing)
    m = model.bundle.manifest
    targets = f.targets_for(m, copies.examples, TWO_CLASSES)
    found = {}
    for shortcut in SHORTCUTS:
        name = shortcut.change.name
        effect = f.effect_of(
            m, targets, copies.probabilities[PLAIN], copies.probabilities[name], copies.in_domain[name]
        )
        found |= {(name, line.measure): line.judge(effect) for line in shortcut.lines}
    return found, copies


def test_a_model_that_reads_the_corner_fails_there_and_knows_without_lungs() -> None:
    lines, _ = judged(CORNER)
    for copy in ("corners_masked", "border_masked"):
        assert lines[copy, "auc_fall"].passed is False
        assert lines[copy, "flip_rate"].passed is False
        assert lines[copy, "flip_rate"].value == 0.5
    # Every film gets the border, and with it the answer, of the other class.
    assert lines["border_swapped", "flip_rate"].value == 1
    # The mark lies in the border, which is all that erasing leaves.
    assert lines["centre_erased", "auc_from_chance"].value == pytest.approx(0.5)
    assert lines["centre_erased", "auc_from_chance"].words.startswith("FAIL: ")


def test_a_model_that_looks_at_the_lungs_passes_and_knows_nothing_without_them() -> None:
    lines, copies = judged(CENTRE)
    assert {key: judgement.passed for key, judgement in lines.items()} == dict.fromkeys(lines, True)
    assert lines["centre_erased", "auc_from_chance"].value == 0
    assert lines["corners_masked", "auc_fall"].words == "PASS: fall of AUC 0.000; at most 0.01 allowed"
    assert [e.source.name for e in copies.examples] == [f"film{k}.png" for k in range(24)]
    assert list(copies.mean_maps) == ["PNEUMONIA"]
    assert copies.mean_maps["PNEUMONIA"].max() == 1
    assert len(copies.map_greys) == 8
    assert (copies.map_columns == 1).all()


def test_without_both_labels_a_line_on_auc_is_not_measured() -> None:
    effect = f.Effect(f.Figures(3, 1.0, 0.1, None, 0.0), 0.0, 0.0, None, 0.0, 0.0)
    for measure in ("auc_fall", "auc_from_chance"):
        judgement = Line(measure, 0.1, "").judge(effect)
        assert judgement.passed is None
        assert judgement.words.startswith("NOT MEASURED")
    assert Line("flip_rate", 0.1, "").judge(effect).passed is True
    assert Line("flip_rate", 0.1, "").judge(None).passed is None


def test_an_auc_upside_down_is_no_chance() -> None:
    effect = f.Effect(f.Figures(3, 1.0, 0.1, 0.2, 0.0), 0.0, 0.0, None, 0.0, 0.0)
    assert Line("auc_from_chance", 0.15, "").judge(effect).passed is False


def test_two_classes_follow_the_threshold_and_scikit_learn() -> None:
    m = manifest(thresholds={"PNEUMONIA": 0.3})
    rng = np.random.default_rng(1)
    positive, targets = rng.random(50), rng.integers(0, 2, 50)
    p = np.stack([1 - positive, positive], axis=1)
    answers = f.called(m, p)
    np.testing.assert_array_equal(answers, positive >= 0.3)
    found = f.figures_of(targets, p, answers)
    assert found.accuracy == accuracy_score(targets, positive >= 0.3)
    assert found.loss == pytest.approx(log_loss(targets, p))
    assert found.auc == pytest.approx(roc_auc_score(targets, positive))
    assert found.withheld is None


def test_several_classes_are_macro_over_those_that_are_there() -> None:
    m = manifest(labels=THREE, positive=None, thresholds={})
    rng = np.random.default_rng(2)
    p = rng.dirichlet([1, 1, 1], 60)
    targets = rng.integers(0, 3, 60)
    found = f.figures_of(targets, p, f.called(m, p))
    assert found.accuracy == accuracy_score(targets, p.argmax(axis=1))
    assert found.auc == pytest.approx(roc_auc_score(targets, p, multi_class="ovr", average="macro"))
    two = targets % 2  # no C
    assert f.auc(two, p) == pytest.approx(np.mean([roc_auc_score(two == k, p[:, k]) for k in (0, 1)]))


def test_findings_are_counted_by_pair() -> None:
    m = manifest(task="multi_label", labels=THREE, positive=None, thresholds={"A": 0.5, "B": 0.2, "C": 0.9})
    p = np.array([[0.6, 0.1, 0.8], [0.4, 0.3, 0.95], [0.7, 0.6, 0.1]])
    targets = np.array([[1, 0, 1], [0, 1, 1], [0, 1, 0]])
    np.testing.assert_array_equal(f.called(m, p), [[1, 0, 0], [0, 1, 1], [1, 1, 0]])
    found = f.figures_of(targets, p, f.called(m, p))
    assert found.accuracy == pytest.approx(7 / 9)
    assert found.auc == pytest.approx(np.mean([roc_auc_score(targets[:, k], p[:, k]) for k in range(3)]))
    assert found.loss == pytest.approx(np.mean([log_loss(targets[:, k], p[:, k], labels=[0, 1]) for k in range(3)]))
    after = p.copy()
    after[0, 1] = 0.5  # one of nine pairs flips
    effect = f.effect_of(m, targets, p, after, np.array([True, True, False]))
    assert effect.flip_rate == pytest.approx(1 / 9)
    assert effect.mean_change == pytest.approx(0.4 / 9)
    assert effect.figures.withheld == pytest.approx(1 / 3)


def test_change_of_several_classes_is_that_of_the_class_called_before() -> None:
    m = manifest(labels=THREE, positive=None, thresholds={})
    before, after = np.array([[0.2, 0.7, 0.1]]), np.array([[0.6, 0.3, 0.1]])
    np.testing.assert_allclose(f.of_interest(m, before, after - before), [-0.4])


def test_targets_follow_the_order_of_the_bundle() -> None:
    turned = LabelScheme("single_label", TWO_CLASSES.labels[::-1], "PNEUMONIA")
    np.testing.assert_array_equal(f.targets_for(manifest(), [example(b"a", 0), example(b"b", 1)], turned), [1, 0])
    m = manifest(task="multi_label", labels=THREE[:2], positive=None, thresholds={"A": 0.5, "B": 0.5})
    more = LabelScheme("multi_label", THREE[::-1], None)
    np.testing.assert_array_equal(f.targets_for(m, [example(b"a", 1, 0, 1)], more), [[1, 0]])


@pytest.mark.parametrize(
    "scheme",
    [
        LabelScheme("single_label", THREE[:2], None),
        LabelScheme("multi_label", TWO_CLASSES.labels, None),
    ],
)
def test_labels_that_do_not_fit_are_refused(scheme: LabelScheme) -> None:
    with pytest.raises(f.ProbeError, match="expected the same labels"):
        f.targets_for(manifest(), [example(b"a", 0, 1)], scheme)
