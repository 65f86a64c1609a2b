"""What is in the Kaggle "Chest X-Ray Images (Pneumonia)" folder: files, labels, patient groups, fingerprints."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from cxr_core.errors import CxrError

#: Labels in the order of the network's outputs; the last is the positive class.
LABELS = ("NORMAL", "PNEUMONIA")
_SUFFIXES = {".jpeg", ".jpg", ".png"}
_PATIENT = re.compile(r"(?P<series>NORMAL2-IM|IM|person)-?(?P<number>\d+)")


class DatasetError(CxrError):
    """A folder that is not the data set it should be."""


@dataclass(frozen=True, slots=True)
class Film:
    """One image file of the data set."""

    path: Path
    label: str
    series: str
    """Numbering series of the file name: IM, NORMAL2-IM or person. It tells patients apart only with `number`."""

    number: int
    sha256: str

    @property
    def patient(self) -> str:
        """Patient group: the same number with bacteria and with virus counts as one child."""
        return f"{self.series}-{self.number}"


def index_folder(folder: Path, splits: tuple[str, ...] = ("train", "val")) -> list[Film]:
    """All films of the named official splits, in order of their paths, exact duplicates dropped.

    Raises
    ------
    DatasetError
        The folder holds no <split>/NORMAL and <split>/PNEUMONIA, or a file name tells no patient.
    """
    films: list[Film] = []
    seen: set[str] = set()
    for split in splits:
        for label in LABELS:
            paths = sorted(p for p in (folder / split / label).glob("*") if p.suffix.lower() in _SUFFIXES)
            if not paths:
                raise DatasetError(
                    f"no images in {split}/{label} of {folder}",
                    "train/ and val/ with NORMAL/ and PNEUMONIA/",
                    "name the folder that holds them",
                )
            for path in paths:
                match = _PATIENT.match(path.name)
                if match is None:
                    raise DatasetError(
                        f"file name {path.name}", "IM-n, NORMAL2-IM-n or personN_...", "keep Kaggle's names"
                    )
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                if digest not in seen:
                    seen.add(digest)
                    films.append(Film(path, label, match["series"], int(match["number"]), digest))
    return films


def fingerprint(films: list[Film]) -> str:
    """SHA-256 over the sorted digests of the files: the identity of a set of films."""
    return hashlib.sha256("\n".join(sorted(film.sha256 for film in films)).encode()).hexdigest()
