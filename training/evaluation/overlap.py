"""Which evaluated files the model was trained on: figures on them would flatter it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cxr_core.errors import BundleError
from training.datasets.examples import Example

TRAINING_FILES = "training_files.txt"
#: Names listed in the JSON.
LISTED = 20


def training_digests(bundle_folder: Path) -> frozenset[str] | None:
    """SHA-256 of every training file as the bundle lists them, one a line; None when it has no list."""
    try:
        lines = (bundle_folder / TRAINING_FILES).read_text(encoding="ascii").split()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(f"{TRAINING_FILES} that cannot be read", "one SHA-256 a line", "export it again") from error
    wrong = next((number for number, line in enumerate(lines, 1) if not re.fullmatch("[0-9a-f]{64}", line)), None)
    if wrong is not None:
        raise BundleError(f"{TRAINING_FILES}: entry {wrong} is no digest", "one SHA-256 a line", "export it again")
    return frozenset(lines)


def overlap(bundle_folder: Path, examples: Iterable[Example]) -> dict[str, Any] | None:
    """{"training_files": how many examples are among them, "names": the first of them}; None: not known.

    Compared by content: the same picture saved anew, or another film of a patient, is not found.
    """
    digests = training_digests(bundle_folder)
    if digests is None:
        return None
    names = [example.source.name for example in examples if example.sha256 in digests]
    return {"training_files": len(names), "names": names[:LISTED]}
