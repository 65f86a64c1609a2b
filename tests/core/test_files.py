"""Whole files: every byte in its place however large the pieces, also while the disk is busy with the first ones."""

from __future__ import annotations

import os
from pathlib import Path

from cxr_core.files import write_whole


def test_large_pieces_are_whole_and_in_order(tmp_path: Path) -> None:
    pieces = [os.urandom(count) for count in (300, 5 * 1024**2 + 7, 4 * 1024**2, 0, 11)]
    path = tmp_path / "film.dcm"
    write_whole(path, *pieces, private=True, modified=1000.5)
    assert path.read_bytes() == b"".join(pieces)
    assert path.stat().st_mtime == 1000.5
    assert list(tmp_path.iterdir()) == [path]
