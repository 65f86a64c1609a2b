"""Inside the process: what the maps cost on top of a prediction, and the same against Keras with a GradientTape."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.material import drawn_film
from benchmarks.measure import cpu_ms, interleaved, wall_ms
from benchmarks.report import Figure, NotRunError, at_least, at_most
from benchmarks.setting import Setting
from cxr_core.classifier import Classifier, LiteRtGraph
from cxr_core.preprocess import to_input
from cxr_core.settings import Settings


def run(setting: Setting) -> Iterator[Figure]:
    """One architecture, one set of weights, four ways: with maps, logits only, Keras, and the shipped bundle."""
    if find_spec("tensorflow") is None:
        raise NotRunError("it needs TensorFlow (the extra `train`)")
    from benchmarks.keras_peer import GradCam, save_model

    model_file, with_maps, alone = (setting.work / name for name in ("model.keras", "maps.tflite", "alone.tflite"))
    save_model(str(model_file))
    import keras

    from training.graph import to_litert

    model = keras.models.load_model(model_file)
    to_litert(model, with_maps)
    to_litert(model, alone, maps=False)
    film = to_input(drawn_film(600, 500).astype(np.float32) / np.float32(16383), "zero_to_one")[np.newaxis]
    for batch, pairs in ((1, 100), (32, 20)):
        inputs = np.repeat(film, batch, axis=0)
        maps_ms, alone_ms = interleaved(cpu_ms, _graph(with_maps, inputs), _graph(alone, inputs), pairs)
        yield Figure(
            f"CPU of prediction with both maps over prediction alone, batch {batch}",
            maps_ms / alone_ms,
            "times",
            at_most(1.15),
            f"{maps_ms:.2f} ms against {alone_ms:.2f} ms, medians of {pairs} interleaved pairs",
        )
    grad_cam = GradCam(model)

    def keras_recipe() -> Any:
        return model.predict(film, verbose=0), grad_cam(film)

    for threads in (1, os.cpu_count() or 1):
        # The graph of the very model that Keras runs: the shipped bundle may be of another architecture.
        graph = LiteRtGraph(with_maps, threads)
        classifier = Classifier(settings=Settings(threads=threads))

        def ours(graph: LiteRtGraph = graph, classifier: Classifier = classifier) -> Any:
            outputs = graph(film)
            return classifier.probabilities(outputs.logits), outputs.maps

        # The mark is for the setting that we ship, one thread; Keras always has all of them.
        mark = at_least(40) if threads == Settings().threads else None
        keras_ms, ours_ms = interleaved(wall_ms, keras_recipe, ours, 30)
        yield Figure(
            f"wall time of Keras predict + GradientTape over probability and maps, threads of ours: {threads}",
            keras_ms / ours_ms,
            "times",
            mark,
            f"{keras_ms:.0f} ms against {ours_ms:.2f} ms, medians of 30 interleaved pairs",
        )
    shipped = Classifier()
    whole_ms, graph_ms = interleaved(cpu_ms, lambda: shipped.predict(film), lambda: shipped.outputs(film), 30)
    detail = f"shipped bundle, {graph_ms:.2f} ms without it"
    yield Figure("CPU of Classifier.predict, which adds the domain check", whole_ms, "ms", None, detail)


def _graph(path: Path, inputs: Any) -> Callable[[], Any]:
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_path=str(path), num_threads=1).get_signature_runner()
    return lambda: runner(inputs=inputs)
