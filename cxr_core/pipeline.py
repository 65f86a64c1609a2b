"""One image through all steps, with a result for whatever happens: predicted, refused, or failed."""

from __future__ import annotations

import time

import cv2
import numpy as np

from cxr_core.chest_image import ChestImage
from cxr_core.classifier import Classifier
from cxr_core.errors import BundleError, ImageReadError
from cxr_core.intake import examine
from cxr_core.prediction import ImageResult, Milliseconds
from cxr_core.preprocess import model_input
from cxr_core.reading import Source, read_image


class Pipeline:
    """read -> intake -> preprocess -> classify, for one classifier. Not thread-safe: one per thread."""

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier
        # OpenCV would keep a thread pool of its own beside the model's; the input of one film gains nothing from it.
        cv2.setNumThreads(1)

    def __call__(self, source: Source) -> tuple[ImageResult, ChestImage | None]:
        """The result of one source, and the image where one was read. Raises nothing for any content."""
        settings = self.classifier.settings
        started = time.perf_counter()
        try:
            image = read_image(source.load(), settings.limits)
            was_read = time.perf_counter()
            intake = examine(image.facts, settings.intake)
            if intake.refusal is not None:
                times = Milliseconds(read=1000 * (was_read - started))
                warnings = (*image.notes, *intake.warnings)
                uid = image.facts.sop_instance_uid
                return ImageResult(source.name, "refused", intake.refusal, uid, warnings, None, times), image
            inputs = model_input(image, self.classifier.bundle.manifest.input_scaling)
        except ImageReadError as error:
            return ImageResult(source.name, "failed", str(error), None, (), None, Milliseconds()), None
        prepared = time.perf_counter()
        try:
            prediction = self.classifier.predict(inputs[np.newaxis], [image.facts.age_years])[0]
        except BundleError as error:
            return ImageResult(source.name, "failed", str(error), None, (), None, Milliseconds()), image
        times = Milliseconds(
            1000 * (was_read - started), 1000 * (prepared - was_read), 1000 * (time.perf_counter() - prepared)
        )
        warnings = (*image.notes, *intake.warnings, *prediction.warnings)
        result = ImageResult(source.name, "predicted", None, image.facts.sop_instance_uid, warnings, prediction, times)
        return result, image
