"""Loaded first by every process of a node under test: what takes minutes before it counts as hanging takes seconds."""

from dicom_node import serve
from dicom_node.work import keeping, model_process

keeping.SIGN_SECONDS = 0.2
serve._SILENT_SECONDS = 4.0
model_process.SECONDS_FIRST_IMAGE = 4.0
