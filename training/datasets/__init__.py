"""Data sets as they are downloaded or as a hospital has them, read into examples."""

from training.datasets.examples import Dataset, DatasetError, Example, LabelScheme
from training.datasets.open import open_dataset

__all__ = ["Dataset", "DatasetError", "Example", "LabelScheme", "open_dataset"]
