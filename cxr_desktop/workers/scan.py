"""The scanning process, run by ChildProcess as `python -m cxr_desktop.workers.scan`: lists paths, makes thumbnails."""

from __future__ import annotations

import os
from collections.abc import Iterable

from cxr_desktop.workers.child_service import serve
from cxr_desktop.workers.listing import list_paths
from cxr_desktop.workers.scan_messages import ListPaths, MakeThumbnails
from cxr_desktop.workers.thumbnail import make_thumbnails

#: Added to its niceness: the window and the models go before a list and its small pictures.
_NICENESS = 10


def replies(request: ListPaths | MakeThumbnails) -> Iterable[object]:
    """What is replied to one request."""
    return list_paths(request) if isinstance(request, ListPaths) else make_thumbnails(request)


if __name__ == "__main__":
    if hasattr(os, "nice"):  # not on Windows
        os.nice(_NICENESS)
    serve(replies)
