"""The listener as a process with a sink that writes files: `python -m benchmarks.node_listener FOLDER`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from dicom_node.listener.server import Listener
from dicom_node.received import SUCCESS, Answer, ReceivedObject
from dicom_node.settings import NodeSettings


class FileSink:
    """Writes each object durably: `.part`, fsync, rename, fsync of the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def accept(self, received: ReceivedObject) -> Answer:
        """Success once the object would survive a power failure."""
        path = self._folder / received.sop_instance_uid
        part = path.with_name(f"{path.name}.part")
        with part.open("wb") as file:
            file.write(received.data_set)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return Answer(SUCCESS)

    def has_space(self) -> bool:
        """Always."""
        return True


if __name__ == "__main__":
    settings = NodeSettings.model_validate({"listener": {"port": 0, "max_objects_per_minute": 1_000_000}})
    listener = Listener(settings, FileSink(Path(sys.argv[1])))
    print(listener.start(), flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    listener.stop()
