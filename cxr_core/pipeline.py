"""One image through all steps, with a result for whatever happens: predicted, refused, or failed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np

from cxr_core.chest_image import ChestImage
from cxr_core.classifier import Classifier
from cxr_core.errors import BundleError, ImageReadError
from cxr_core.intake import examine
from cxr_core.prediction import ImageResult, Milliseconds
from cxr_core.preprocess import model_input
from cxr_core.reading import Source, read_image


@contextmanager
def enough_memory() -> Iterator[None]:
    """Turn what says that memory is short, in Python or in OpenCV, into an ImageReadError."""
    try:
        yield
    except MemoryError as error:
        raise _too_large() from error
    except cv2.error as error:
        if error.code != cv2.Error.StsNoMem:
            raise
        raise _too_large() from error


def _too_large() -> ImageReadError:
    return ImageReadError("an image that needs more memory than there is", "", "free memory, or reduce the image")


class Pipeline:
    """read -> intake -> preprocess -> classify, for one classifier. Not thread-safe: one per thread."""

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier
        # OpenCV would keep a thread pool of its own beside the model's; the input of one film gains nothing from it.
        cv2.setNumThreads(1)

    def __call__(self, source: Source) -> tuple[ImageResult, ChestImage | None]:
        """The result of one source, and the image where one was read. Raises nothing for any content."""
        image = None
        try:
            with enough_memory():
                started = time.perf_counter()
                image = read_image(source.load(), self.classifier.settings.limits)
                read_ms = 1000 * (time.perf_counter() - started)
                return self._classified(source.name, image, read_ms), image
        except (ImageReadError, BundleError) as error:
            uid = image.facts.sop_instance_uid if image else getattr(error, "sop_instance_uid", None)
            return ImageResult(source.name, "failed", str(error), uid, (), None, Milliseconds()), image

    def _classified(self, name: str, image: ChestImage, read_ms: float) -> ImageResult:
        facts = image.facts
        intake = examine(facts, self.classifier.settings.intake)
        warnings = (*image.notes, *intake.warnings)
        if intake.refusal is not None:
            times = Milliseconds(read=read_ms)
            return ImageResult(name, "refused", intake.refusal, facts.sop_instance_uid, warnings, None, times)
        started = time.perf_counter()
        inputs = model_input(image, self.classifier.bundle.manifest.input_scaling)
        prepared = time.perf_counter()
        prediction = self.classifier.predict(inputs[np.newaxis], [facts.age_years])[0]
        times = Milliseconds(read_ms, 1000 * (prepared - started), 1000 * (time.perf_counter() - prepared))
        warnings = (*warnings, *prediction.warnings)
        return ImageResult(name, "predicted", None, facts.sop_instance_uid, warnings, prediction, times)
