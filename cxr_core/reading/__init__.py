"""Step 1 of the way of one image: from a path, an archive member or bytes to a ChestImage."""

from cxr_core.reading.read import read_image
from cxr_core.reading.sources import Source, find_sources

__all__ = ["Source", "find_sources", "read_image"]
