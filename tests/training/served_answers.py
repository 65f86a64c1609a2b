"""Answers of a model that is nobody's, for tests of figures, plots and pages; and phantom films as examples."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import cv2
import numpy as np

from cxr_core.bundle import Label
from cxr_core.phantom import PhantomSettings, display_values
from cxr_core.population import Population
from cxr_core.prediction import INDETERMINATE
from cxr_core.reading import Source
from training.datasets.examples import Dataset, Example, LabelScheme
from training.evaluation.served import ServedAnswers

CHILDREN = Population(description="children of 1 to 5 years", min_age_years=1, below_age_years=6)
TWO = ("NORMAL", "PNEUMONIA")
THREE = ("COVID-19", "NORMAL", "TUBERCULOSIS")
FINDINGS = ("Effusion", "Mass", "Pleural_Thickening")


def scheme_of(names: Sequence[str], task: str = "single_label", positive: str | None = None) -> LabelScheme:
    return LabelScheme(task, tuple(Label(name=name, meaning=name) for name in names), positive)


def example_of(number: int, target: tuple[int, ...], content: bytes = b"", **changes: object) -> Example:
    values = {"patient": f"p{number // 2}", "sha256": hashlib.sha256(content or str(number).encode()).hexdigest()}
    return Example(Source(f"film{number}.jpeg", lambda: content), target, **{**values, **changes})


def answers_of(
    n: int,
    names: Sequence[str] = TWO,
    *,
    multi: bool = False,
    positive: str | None = None,
    targets: np.ndarray | None = None,
    failed: Sequence[int] = (),
    threshold: float = 0.3,
    skill: float = 2.0,
    digits: int = 1,
    seed: int = 1,
) -> ServedAnswers:
    """n answers, right more often than not; probabilities are rounded to `digits`, so that there are ties."""
    rng = np.random.default_rng(seed)
    k = len(names)
    if multi:
        truth = (rng.random((n, k)) < 0.3).astype(np.int64) if targets is None else targets
        p = np.round(1 / (1 + np.exp(-(rng.normal(0, 1, (n, k)) + skill * truth - skill / 2))), digits)
        called, argmax, thresholds = p >= threshold, p >= 0.5, dict.fromkeys(names, threshold)
    else:
        truth = rng.choice(k, n) if targets is None else targets
        z = np.exp(rng.normal(0, 1, (n, k)) + skill * np.eye(k)[truth])
        p = z / z.sum(axis=1, keepdims=True)
        argmax = called = p.argmax(axis=1)
        thresholds = {}
        if positive is not None:
            at = list(names).index(positive)
            own = np.round(p[:, at], digits)
            p = np.where(np.arange(2) == at, own[:, None], 1 - own[:, None])
            argmax, called = p.argmax(axis=1), np.where(own >= threshold, at, 1 - at)
            thresholds = {positive: threshold}
    lost = np.isin(np.arange(n), failed)
    wrong = 1 - truth if multi else (truth + 1) % k
    where = lost[:, None] if multi else lost
    verdicts = [None if multi else names[c] for c in np.where(where, wrong, called)] if not multi else [None] * n
    withheld = ["out_of_domain" if i % 10 == 3 and not lost[i] else None for i in range(n)]
    for i in range(n):
        if lost[i] or withheld[i]:
            verdicts[i] = None
        elif i % 10 == 7 and positive is not None:
            verdicts[i] = INDETERMINATE
    return ServedAnswers(
        scheme=scheme_of(names, "multi_label" if multi else "single_label", positive),
        thresholds=thresholds,
        examples=tuple(example_of(i, tuple(np.atleast_1d(truth[i]).tolist())) for i in range(n)),
        targets=truth,
        probabilities=np.where(lost[:, None], 0.5 if multi else 1 / k, p),
        called=np.where(where, wrong, called).astype(np.int64),
        called_argmax=np.where(where, wrong, argmax).astype(np.int64),
        verdicts=tuple(verdicts),
        withheld=tuple(withheld),
        in_domain=np.array([reason is None for reason in withheld]) & ~lost,
        domain_scores=np.where(lost, np.nan, rng.random(n)),
        refused=tuple([None] * n),
        failed=tuple(f"film{i}.jpeg: damaged" if lost[i] else None for i in range(n)),
    )


def film(number: int, opacity: float = 0.0, side: int = 240) -> bytes:
    """A phantom as JPEG."""
    picture = display_values(PhantomSettings(rows=side, columns=side, opacity=opacity, seed=number))
    return cv2.imencode(".jpeg", (picture * 255).astype(np.uint8))[1].tobytes()


def phantom_set(per_class: int, damaged: bool = False, only_normal: bool = False) -> Dataset:
    """NORMAL phantoms and PNEUMONIA phantoms with an opacity; the last file may be damaged."""
    examples = []
    for label in (0,) if only_normal else (0, 1):
        for i in range(per_class):
            number = 100 * label + i
            content = film(number, 0.9 * label)
            if damaged and i == per_class - 1:
                content = content[:200]
            stratum = ("", "bacteria" if i % 2 else "virus")[label]
            examples.append(example_of(number, (label,), content, stratum=stratum))
    return dataset_of(scheme_of(TWO, positive="PNEUMONIA"), examples)


def dataset_of(scheme: LabelScheme, examples: Sequence[Example]) -> Dataset:
    return Dataset("class_folders", "Drawn films <of nobody>", scheme, tuple(examples), CHILDREN)
