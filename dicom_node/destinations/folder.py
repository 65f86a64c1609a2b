"""A folder as destination: `<study>/<object>.dcm`, each file whole or not there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from cxr_core.files import write_whole
from dicom_node.destinations.outcome import Fate, Outcome, Outgoing


class FolderDestination:
    """Writes files.

    Parameters
    ----------
    root : Path
        The folder. It is made if it is not there.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def ask(self, objects: Sequence[Outgoing]) -> dict[str, Outcome]:
        """Look which files are there with the same bytes."""
        return {sent.sop_instance_uid: self._there(sent) for sent in objects}

    def send(self, objects: Sequence[Outgoing], settle: Callable[[str, Outcome], None]) -> None:
        """Write the files."""
        for sent in objects:
            settle(sent.sop_instance_uid, self._written(sent))

    def stop(self) -> None:
        """Nothing is waited for."""

    def _path(self, sent: Outgoing) -> Path:
        return self._root / sent.study_instance_uid / f"{sent.sop_instance_uid}.dcm"

    def _there(self, sent: Outgoing) -> Outcome:
        try:
            same = hashlib.sha256(self._path(sent).read_bytes()).hexdigest() == sent.digest
        except OSError:
            same = False
        return (
            Outcome(Fate.DELIVERED, "the file is there") if same else Outcome(Fate.NOT_THERE, "the file is not there")
        )

    def _written(self, sent: Outgoing) -> Outcome:
        path = self._path(sent)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(path, sent.path.read_bytes(), private=True)
        except OSError as error:
            return Outcome(Fate.NOT_THERE, f"the file cannot be written ({error.strerror})", reached=False)
        return Outcome(Fate.DELIVERED, "written")
