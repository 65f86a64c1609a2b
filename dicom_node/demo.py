"""`cxr-node demo`: a node and a stand-in PACS on this machine, films sent, and what came back."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.uid import (
    Comprehensive3DSRStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    SecondaryCaptureImageStorage,
)
from pynetdicom import AE, evt
from rich.console import Console
from rich.table import Table

from cxr_core.bundle import find_bundle
from cxr_core.heatmap import prepare_folder, write_png
from cxr_core.samples import NO_REAL_FILM, NOTE, real_film, sample_folder
from dicom_node import report
from dicom_node.node_error import NodeError
from dicom_node.peers import Peer, store
from dicom_node.store.database import open_existing
from dicom_node.store.folder import DataFolder

_KINDS = {
    Comprehensive3DSRStorage: "SR",
    SecondaryCaptureImageStorage: "SC",
    GrayscaleSoftcopyPresentationStateStorage: "GSPS",
}
#: For everything that the demonstration waits for; a machine that is busy needs a few.
_PATIENCE_SECONDS = 120.0
_LOOK_SECONDS = 0.1
_SETTINGS = """
data = {data}
[listener]
port = 0
[analysis]
study_quiet_seconds = 1
[results]
sc = "always"
gsps = "always"
[[peers]]
ae_title = "PACS"
host = "127.0.0.1"
port = {port}
may_send = false
[[destinations]]
name = "pacs"
kind = "dicom"
peer = "PACS"
"""


class StandInPacs:
    """Takes result objects and keeps them in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._objects: dict[str, pydicom.Dataset] = {}

    @contextmanager
    def listening(self) -> Iterator[int]:
        """Listen on a free port of this machine."""
        entity = AE(ae_title="PACS")
        for sop_class in _KINDS:
            entity.add_supported_context(sop_class)
        server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, self._store)])
        assert server is not None
        assert server.socket is not None, "it was just opened"
        try:
            yield server.socket.getsockname()[1]
        finally:
            server.shutdown()

    def _store(self, event: evt.Event) -> int:
        data_set = pydicom.dcmread(io.BytesIO(event.encoded_dataset()))
        with self._lock:
            self._objects[str(data_set.SOPInstanceUID)] = data_set
        return 0x0000

    def of_study(self, study_instance_uid: str) -> list[pydicom.Dataset]:
        """What came of a study."""
        with self._lock:
            return [one for one in self._objects.values() if one.StudyInstanceUID == study_instance_uid]


def run_demo(out: Path) -> bool:
    """Run it, print a table and, last, the paths of the overlays in `out`; whether everything came back.

    Raises OutputError when `out` cannot be written to, NodeError when the node does not do its work.
    """
    prepare_folder(out)
    console = Console(width=None if Console().is_terminal else 132)
    pacs = StandInPacs()
    with tempfile.TemporaryDirectory(prefix="cxr-node-demo-") as folder, pacs.listening() as port:
        root = Path(folder)
        config = root / "node.toml"
        config.write_text(_SETTINGS.format(data=json.dumps(str(root / "data")), port=port))
        with _node(config, root / "log") as node_port:
            console.print(f"A node listens on port {node_port}, a stand-in PACS on port {port}.")
            paths = _films(console)
            console.print(f"{len(paths)} studies are sent to the node; their results are waited for.")
            outcomes = store(Peer("CXR_NODE", "127.0.0.1", node_port), paths, calling_ae_title="MODALITY")
            lost = [outcome.words for outcome in outcomes if not outcome.is_delivered]
            if lost:
                raise NodeError(f"a node that did not take a film ({lost[0]})", "a node that does", "try again")
            studies = _complete(DataFolder(root / "data"), len(paths))
    return _print(console, paths, studies, pacs, out)


def _films(console: Console) -> list[Path]:
    """What is sent: the samples, and last, for its picture is named last, the real film."""
    real = real_film()
    if real is None:
        console.print(NO_REAL_FILM)
    return [*sorted(sample_folder().glob("*.dcm")), *([real] if real else [])]


@contextmanager
def _node(config: Path, log: Path) -> Iterator[int]:
    """A node in a process of its own, as an administrator starts it; its port."""
    command = [sys.executable, "-m", "dicom_node.cli", "serve", "--config", str(config)]
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=file, text=True)  # noqa: S603  # our own
    assert process.stdout is not None
    try:
        first = process.stdout.readline()
        found = re.search(r"port (\d+)", first)
        if found is None:
            process.wait()
            last = log.read_text().splitlines()[-1:] or ["without a word"]
            raise NodeError(f"a node that ended ({last[0]})", "one that listens", "see `cxr-node check`")
        yield int(found[1])
    finally:
        process.terminate()
        process.stdout.close()
        process.wait()


def _complete(folder: DataFolder, count: int) -> dict[str, Any]:
    """Every study, when all are complete and delivered, by its UID. Raises NodeError."""
    engine = open_existing(folder, None)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    try:
        while time.monotonic() < deadline:
            listed = report.studies_of(engine, count, "complete")
            if len(listed) == count and not any(study["undelivered"] for study in listed):
                uids = [study["study_instance_uid"] for study in listed]
                return {uid: report.one_study(engine, uid) for uid in uids}
            time.sleep(_LOOK_SECONDS)
    finally:
        engine.dispose()
    raise NodeError(
        "results that did not come", f"all within {_PATIENCE_SECONDS:.0f} s", "try again on a quiet machine"
    )


def _print(console: Console, paths: list[Path], studies: dict[str, Any], pacs: StandInPacs, out: Path) -> bool:
    """The table, and the pictures; whether the PACS has what the node says that it delivered."""
    manifest = find_bundle().manifest
    model = f"{manifest.name} {manifest.version}, validated for {manifest.population.description}"
    table = Table(title=f"What came back to the PACS ({model})", caption=NOTE)
    for heading in ("sent", "answer", "objects in the same study"):
        table.add_column(heading, overflow="fold")
    pictures, complete = [], True
    for path in paths:
        uid = str(pydicom.dcmread(path, stop_before_pixels=True).StudyInstanceUID)
        came = pacs.of_study(uid)
        kinds = sorted(_KINDS[one.SOPClassUID] for one in came)
        complete = complete and len(came) == len(studies[uid]["results"])
        answers = ", ".join(report.answer_words(image) for image in studies[uid]["images"])
        table.add_row(path.stem, answers, ", ".join(kinds) or "none")
        for one in came:
            if one.SOPClassUID == SecondaryCaptureImageStorage:
                picture = out / f"{path.stem}-returned.png"
                write_png(picture, np.ascontiguousarray(one.pixel_array[:, :, ::-1]))
                pictures.append(picture.resolve())
    console.print(table)
    console.print("Research use only, not for diagnosis. Overlay pictures that came back:")
    for picture in pictures:
        console.print(str(picture), soft_wrap=True, highlight=False)
    return complete
