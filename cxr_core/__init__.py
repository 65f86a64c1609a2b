"""The shared inference core: DICOM in, Prediction out. No Qt, no sockets, no TensorFlow.

The way of one image, each step in the module of its name: reading -> intake -> grayscale ->
preprocess -> classifier (bundle, population, domain) -> prediction. `pipeline` runs them in order.
"""

__version__ = "0.1.0"
