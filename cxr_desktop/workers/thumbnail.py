"""Small pictures of images, kept in the index: what the scanning process makes for the study browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import cv2
import numpy as np

from cxr_core.errors import ImageReadError
from cxr_core.heatmap import display_for_export
from cxr_core.pipeline import enough_memory
from cxr_core.reading import read_image
from cxr_core.reading.sources import read_named
from cxr_desktop.state.index import Index, IndexFileError
from cxr_desktop.workers.scan_messages import MakeThumbnails, Thumbnail

#: Pixels of the longer side: what a row of the study browser shows at a device pixel ratio of 2.
SIDE = 96


def make_thumbnails(request: MakeThumbnails) -> Iterator[Thumbnail]:
    """One reply a name, in their order."""
    if request.index is None:
        for name in request.names:
            yield Thumbnail(name, picture_of(name))
        return
    with closing(Index(Path(request.index), lambda words: None)) as index:  # the window's own index tells the same
        for name in request.names:
            yield Thumbnail(name, _kept_or_made(name, index))


def _kept_or_made(name: str, index: Index) -> bytes:
    stamp = _stamp(name)
    with suppress(IndexFileError):
        kept = index.thumbnail_of(name, stamp)
        if kept is not None:
            return kept
    png = picture_of(name)
    if png and stamp:
        with suppress(IndexFileError):
            index.put_thumbnail(name, stamp, png)
    return png


def picture_of(name: str) -> bytes:
    """The small picture as PNG, its longer side SIDE pixels; b"" where there is none to be made."""
    try:
        with enough_memory():
            image = read_image(read_named(name))
            if image.source is None:
                return b""
            aspect = image.spacing.row_mm / image.spacing.column_mm if image.spacing else 1.0
            display = display_for_export(image, SIDE, aspect)
            return cv2.imencode(".png", np.rint(display * 255).astype(np.uint8))[1].tobytes()
    except ImageReadError:
        return b""


def _stamp(name: str) -> str:
    """What changes when the file or its archive does: time of change and size; "" where it cannot be looked at."""
    for place in (len(name), *(place for place, sign in enumerate(name) if sign == "!")):
        with suppress(OSError, ValueError):
            status = Path(name[:place]).stat()
            return f"{status.st_mtime_ns}-{status.st_size}"
    return ""
