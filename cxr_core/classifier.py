"""Step 5: run a model bundle. One LiteRT graph gives logits, the Grad-CAM map of every class and the embedding.

Grad-CAM (Selvaraju et al., ICCV 2017) of the class logit is in the graph in closed form, so it costs nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from cxr_core.bundle import DOMAIN, GOLDEN, MODEL, Bundle, find_bundle
from cxr_core.domain import DomainCheck, DomainResult
from cxr_core.errors import BundleError, SettingsError
from cxr_core.prediction import INDETERMINATE, Finding, ModelIdentity, Prediction, Withheld
from cxr_core.preprocess import INPUT_SIDE, scaled
from cxr_core.settings import Settings

FloatArray = npt.NDArray[np.float32]

#: How far the golden outputs may be from this machine's: kernels differ between processors in the last digits.
GOLDEN_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False, slots=True)
class Outputs:
    """What the graph gives for n inputs."""

    logits: FloatArray
    """(n, classes)"""

    maps: FloatArray
    """(n, classes, rows, columns), >= 0"""

    embedding: FloatArray
    """(n, units)"""


class LiteRtGraph:
    """A model.tflite in the LiteRT runtime. Not thread-safe: one per thread.

    Parameters
    ----------
    path : Path
        The graph: input (n, 150, 150, 3) float32; outputs "logits", "maps", "embedding".
    threads : int
        Threads of the runtime. It keeps `threads` - 1 workers of its own beside the calling thread.
    """

    def __init__(self, path: Path, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        try:
            with without_runtime_chatter():
                interpreter = Interpreter(model_path=str(path), num_threads=threads)
                interpreter.allocate_tensors()
                self._runner = interpreter.get_signature_runner()
        except (ValueError, RuntimeError) as error:
            raise BundleError(f"{path.name} that LiteRT cannot load", "a LiteRT graph", "install the bundle") from error

    def __call__(self, inputs: FloatArray) -> Outputs:
        """Run a batch, shape (n, 150, 150, 3)."""
        outputs: dict[str, Any] = self._runner(inputs=inputs)
        return Outputs(outputs["logits"], outputs["maps"], outputs["embedding"])


@contextmanager
def without_runtime_chatter() -> Iterator[None]:
    """Keep file descriptor 2 silent: LiteRT prints a line there as it makes its delegate, without a switch for it."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("w") as nothing:
            os.dup2(nothing.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


class Classifier:
    """A verified bundle, ready to answer. Not thread-safe: one per thread.

    Loading re-runs the bundle's golden pair. With `settings.threads` = 1 (the default) everything runs in the
    calling thread; a batch of 32 gains from 2.

    Parameters
    ----------
    bundle : Bundle or str or None
        A loaded bundle, the name or folder of one, or None for the default.
    settings : Settings
        `threads`, `population` and `prevalence` are used.

    Raises
    ------
    BundleError
        The bundle is missing, changed, or does not give its golden outputs on this machine.
    SettingsError
        A prevalence is set and the bundle is not two-class.
    """

    def __init__(self, bundle: Bundle | str | None = None, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.bundle = bundle if isinstance(bundle, Bundle) else find_bundle(bundle)
        manifest = self.bundle.manifest
        self.identity = ModelIdentity(manifest.name, manifest.version, self.bundle.sha256)
        if self.settings.prevalence is not None and manifest.positive is None:
            raise SettingsError(
                f"a prevalence for model {manifest.name} {manifest.version}", "a two-class model", "leave it out"
            )
        self._labels = tuple(label.name for label in manifest.labels)
        self._graph = LiteRtGraph(self.bundle.folder / MODEL, self.settings.threads)
        self._domain = DomainCheck.load(self.bundle.folder / DOMAIN)
        self._check_golden()

    def _check_golden(self) -> None:
        """Run the golden input and compare: a graph that loads may still answer wrongly on a machine."""
        try:
            path = self.bundle.folder / GOLDEN
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                golden = {name: arrays[name] for name in ("grey", "logits", "maps", "embedding")}
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise BundleError("a damaged golden pair", f"the bundle's {GOLDEN}", "install the bundle again") from error
        grey = golden.pop("grey").astype(np.float32) / np.float32(255)
        outputs = self.outputs(scaled(grey, self.bundle.manifest.input_scaling)[np.newaxis])
        for name, expected in golden.items():
            got = getattr(outputs, name)
            bound = GOLDEN_TOLERANCE * max(1.0, float(np.abs(expected).max()))
            if got.shape != expected.shape or not np.all(np.abs(got - expected) <= bound):
                raise BundleError(
                    f"bundle {self.identity.name} {self.identity.version} gives other {name} than it should here",
                    f"its golden {name} within {bound:.2g}",
                    "do not use it on this machine; run `cxr doctor`",
                )
        self._check_shape(outputs)

    def _check_shape(self, outputs: Outputs) -> None:
        """Compare the graph with the manifest: a label too many would name the wrong finding."""
        rows, columns = self.bundle.manifest.map_grid
        classes, *grid = outputs.maps.shape[1:]
        if outputs.logits.shape[1:] != (len(self._labels),) or (classes, *grid) != (len(self._labels), rows, columns):
            raise BundleError(
                f"bundle {self.identity.name} {self.identity.version} names {len(self._labels)} labels and maps of "
                f"{rows} x {columns}",
                f"{outputs.logits.shape[1]} labels and maps of {' x '.join(map(str, grid))} as its graph gives",
                "export it again",
            )

    def outputs(self, inputs: FloatArray) -> Outputs:
        """The graph's raw outputs for a batch of model inputs, shape (n, 150, 150, 3)."""
        if inputs.ndim != 4 or inputs.shape[1:] != (INPUT_SIDE, INPUT_SIDE, 3):
            raise ValueError(f"inputs of shape {inputs.shape}; expected (n, {INPUT_SIDE}, {INPUT_SIDE}, 3)")
        if not np.isfinite(inputs).all():
            raise ValueError("inputs that are not finite; expected the values of preprocess.model_input")
        return self._graph(np.ascontiguousarray(inputs, dtype=np.float32))

    def probabilities(self, logits: FloatArray) -> npt.NDArray[np.float64]:
        """Calibrated probabilities of logits on the bundle's prevalence, same shape (n, classes)."""
        tempered = logits.astype(np.float64) / self.bundle.manifest.temperature
        if self.bundle.manifest.task == "multi_label":
            # exp() of the side that cannot overflow; both sides are the same function.
            small = np.exp(-np.abs(tempered))
            return np.asarray(np.where(tempered >= 0, 1, small) / (1 + small))
        exponentials = np.exp(tempered - tempered.max(axis=1, keepdims=True))
        return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))

    def domain(self, model_input: FloatArray) -> DomainResult:
        """The domain check of one model input, shape (150, 150, 3)."""
        grey = model_input[:, :, 0]
        if self.bundle.manifest.input_scaling == "minus_one_to_one":
            grey = np.asarray((grey + 1) / 2, np.float32)
        return self._domain(grey)

    def predict(self, inputs: FloatArray, ages_years: list[float | None] | None = None) -> list[Prediction]:
        """Answer a batch.

        Parameters
        ----------
        inputs : numpy.ndarray
            float32, shape (n, 150, 150, 3), from preprocess.model_input with the bundle's scaling.
        ages_years : list of float or None, optional
            Age of each patient in years; None where unknown.

        Returns
        -------
        list of Prediction
            In the order of the inputs.

        Raises
        ------
        BundleError
            The graph gives no finite answer for an image.
        """
        if len(inputs) == 0:
            return []
        outputs = self.outputs(inputs)
        if not all(np.isfinite(part).all() for part in (outputs.logits, outputs.maps, outputs.embedding)):
            raise BundleError(
                f"model {self.identity.name} {self.identity.version} gives no finite answer for this image",
                "finite logits, maps and embedding",
                "run `cxr doctor`",
            )
        probabilities = self.probabilities(outputs.logits)
        ages = ages_years if ages_years is not None else [None] * len(inputs)
        return [
            self._answer(row, outputs.maps[i], outputs.embedding[i], self.domain(inputs[i]), age)
            for i, (row, age) in enumerate(zip(probabilities, ages, strict=True))
        ]

    def _answer(
        self,
        row: npt.NDArray[np.float64],
        maps: FloatArray,
        embedding: FloatArray,
        domain: DomainResult,
        age_years: float | None,
    ) -> Prediction:
        manifest = self.bundle.manifest
        probabilities = dict(zip(self._labels, map(float, row), strict=True))
        label, findings = self._decide(probabilities)
        verdict = label
        if manifest.positive is not None:
            validated = probabilities[manifest.positive]
            if (
                manifest.indeterminate is not None
                and manifest.indeterminate[0] <= validated < manifest.indeterminate[1]
            ):
                verdict = INDETERMINATE
            # Decided on the scale that was validated; what is shown moves to the site's, with its thresholds.
            probability = self._on_site(validated)
            if self.settings.prevalence is not None:
                probabilities = {n: probability if n == manifest.positive else 1 - probability for n in probabilities}
        else:
            probability = probabilities[label] if label else max(probabilities.values())
        population = manifest.population.state(age_years)
        withheld: Withheld | None = None
        warnings = []
        if population == "outside":
            warnings.append(f"not validated for this patient (model of {manifest.population.description})")
            if self.settings.population == "withhold":
                withheld = "population"
        if not domain.in_domain:
            warnings.append(f"out of domain: {domain.reason}")
            withheld = "out_of_domain"
        return Prediction(
            model=self.identity,
            labels=self._labels,
            probabilities=tuple(probabilities.values()),
            prevalence=None if manifest.positive is None else self.settings.prevalence or manifest.prevalence,
            label=label,
            probability=probability,
            findings=findings,
            verdict=None if withheld else verdict,
            verdict_withheld=withheld,
            in_domain=domain.in_domain,
            domain_score=domain.score,
            domain_reason=domain.reason,
            population=population,
            warnings=tuple(warnings),
            maps=maps,
            embedding=embedding,
        )

    def _on_site(self, probability: float) -> float:
        """P(positive) moved from the bundle's prevalence to the site's: its log odds are shifted by the difference.

        Saerens, Latinne and Decaestecker, Neural Computation 14 (2002).
        """
        site, own = self.settings.prevalence, self.bundle.manifest.prevalence
        if site is None:
            return probability
        positive, negative = probability * site / own, (1 - probability) * (1 - site) / (1 - own)
        return positive / (positive + negative)

    def _decide(self, probabilities: dict[str, float]) -> tuple[str | None, tuple[Finding, ...]]:
        """The label by the bundle's rule, and the findings: the positive class, or every class."""
        manifest = self.bundle.manifest
        if manifest.positive is not None:
            probability, threshold = probabilities[manifest.positive], manifest.thresholds[manifest.positive]
            positive = probability >= threshold
            negative = next(name for name in self._labels if name != manifest.positive)
            finding = Finding(manifest.positive, self._on_site(probability), self._on_site(threshold), positive)
            return manifest.positive if positive else negative, (finding,)
        if manifest.task == "multi_label":
            return None, tuple(
                Finding(name, p, manifest.thresholds[name], p >= manifest.thresholds[name])
                for name, p in probabilities.items()
            )
        label = max(probabilities, key=probabilities.__getitem__)
        return label, tuple(Finding(name, p, None, name == label) for name, p in probabilities.items())
