"""Synthetic films as the viewer loads them."""

from __future__ import annotations

from typing import Any

import numpy as np

from cxr_core.reading.dicom_file import parse
from cxr_core.reading.read import read_image
from cxr_core.settings import ReadLimits
from cxr_desktop.state.records import InstanceRecord, LoadedImage
from tests import dicom_builder


def film(stored: np.ndarray | None = None, **attributes: Any) -> LoadedImage:
    """A film of these stored values (rows, columns), written and read again; `attributes` as dicom_builder.build."""
    content = dicom_builder.build(stored, **attributes)
    image = read_image(content)
    data_set, _ = parse(content, ReadLimits())
    record = InstanceRecord("synthetic.dcm", "image", sop_instance_uid=image.facts.sop_instance_uid or "")
    return LoadedImage(record, image, image.stored, data_set, content)
