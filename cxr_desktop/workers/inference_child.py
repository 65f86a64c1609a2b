"""The inference process: keeps the models that were asked for, answers one image at a time, encodes studies.

`python -m cxr_desktop.workers.inference_child`, started by `child.ChildProcess`. It may be ended at any moment.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cxr_core.settings import Settings
from cxr_desktop.workers.child_service import serve
from cxr_desktop.workers.inference_messages import Ask, Describe, Encode, ListModels, ModelDescription, Stage, Warm

if TYPE_CHECKING:
    from cxr_core.pipeline import Pipeline


class Models:
    """The pipelines of the models that were asked for, under the settings that were named last."""

    def __init__(self) -> None:
        self._settings: Settings | None = None
        self._pipelines: dict[str | None, Pipeline] = {}

    def __contains__(self, key: tuple[str | None, Settings]) -> bool:
        model, settings = key
        return settings == self._settings and model in self._pipelines

    def pipeline(self, model: str | None, settings: Settings) -> Pipeline:
        """That of a model, loaded where it is not yet. Raises BundleError or SettingsError."""
        from cxr_core.classifier import Classifier
        from cxr_core.pipeline import Pipeline

        if settings != self._settings:
            self._pipelines.clear()
            self._settings = settings
        if model not in self._pipelines:
            self._pipelines[model] = Pipeline(Classifier(model, settings))
        return self._pipelines[model]


def replies(request: object, models: Models) -> Iterator[object]:
    """The replies to one request. Raises CxrError where it cannot be met."""
    if isinstance(request, Warm):
        if (request.model, request.settings) not in models:
            _warm(models.pipeline(request.model, request.settings))
    elif isinstance(request, Ask):
        if (request.model, request.settings) not in models:
            yield Stage("loading the model")
        pipeline = models.pipeline(request.model, request.settings)
        from cxr_desktop.workers.answering import answer

        yield Stage("looking at the film")
        yield answer(request.name, request.content, pipeline)
    elif isinstance(request, Encode):
        from cxr_desktop.workers.encoding import encode

        yield encode(request)
    elif isinstance(request, Describe):
        from cxr_core.bundle import find_bundle
        from cxr_core.prediction import ModelIdentity

        bundle = find_bundle(request.model)
        identity = ModelIdentity(bundle.manifest.name, bundle.manifest.version, bundle.sha256)
        yield ModelDescription(identity, bundle.manifest, bundle.card())
    elif isinstance(request, ListModels):
        from cxr_core.bundle import DEFAULT_MODEL, bundle_folders, name_and_version

        names = {name_and_version(folder)[0] for folder in bundle_folders()} - {""}
        yield tuple(sorted(names, key=lambda name: (name != DEFAULT_MODEL, name)))
    else:
        raise TypeError(request)


def _warm(pipeline: Pipeline) -> None:
    """Answer a sample, so that what is loaded on first use is there."""
    from cxr_core.samples import SAMPLES, sample_folder
    from cxr_desktop.workers.answering import answer

    answer(str(sample_folder() / SAMPLES[0].file), None, pipeline)


if __name__ == "__main__":
    # numpy's linear algebra starts a thread a processor; the domain check's small products want none.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    kept = Models()
    serve(lambda request: replies(request, kept))
