"""Orthanc as a PACS for tests: on free loopback ports, in a temporary folder, stopped by its own process."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

PLUGINS = Path("/usr/share/orthanc/plugins")
#: Its log says so when both servers listen.
_STARTED, _STOPPED = "Orthanc has started", "Orthanc has stopped"


@dataclass(frozen=True)
class Modality:
    """A DICOM application that Orthanc knows: it may query, and Orthanc moves and reports to it."""

    ae_title: str
    port: int
    host: str = "127.0.0.1"


@dataclass(frozen=True)
class OrthancServer:
    """A running Orthanc."""

    ae_title: str
    dicom_port: int
    http_port: int
    folder: Path
    process_id: int

    @property
    def url(self) -> str:
        """Of its REST interface."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def dicomweb_url(self) -> str:
        """Of its DICOMweb plug-in."""
        return f"{self.url}/dicom-web"

    def ask(self, path: str) -> Any:
        """The JSON answer of its REST interface, as of "/instances?expand"."""
        return self._checked(requests.get(self.url + path, timeout=30)).json()

    def send(self, path: str, message: Any) -> Any:
        """POST JSON, as to "/modalities/NODE/store" with identifiers; the JSON answer."""
        return self._checked(requests.post(self.url + path, json=message, timeout=60)).json()

    def upload(self, data: bytes) -> str:
        """Store a DICOM file over REST; Orthanc's identifier of it."""
        return str(self._checked(requests.post(f"{self.url}/instances", data=data, timeout=30)).json()["ID"])

    def find(self, sop_instance_uid: str) -> list[str]:
        """Orthanc's identifiers of the instances with this UID."""
        found: list[str] = self.send(
            "/tools/find", {"Level": "Instance", "Query": {"SOPInstanceUID": sop_instance_uid}}
        )
        return found

    def file(self, sop_instance_uid: str) -> bytes:
        """The DICOM file that it keeps of an object."""
        (identifier,) = self.find(sop_instance_uid)
        return self._checked(requests.get(f"{self.url}/instances/{identifier}/file", timeout=30)).content

    def clear(self) -> None:
        """Delete everything, for the next test."""
        for patient in self.ask("/patients"):
            self._checked(requests.delete(f"{self.url}/patients/{patient}", timeout=30))

    @staticmethod
    def _checked(response: requests.Response) -> requests.Response:
        response.raise_for_status()
        return response


@contextmanager
def running_orthanc(
    folder: Path,
    *,
    ae_title: str = "ORTHANC",
    modalities: Mapping[str, Modality] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Iterator[OrthancServer]:
    """Start Orthanc with the DICOMweb plug-in, and stop it at the end.

    Parameters
    ----------
    folder : Path
        An empty folder for its database and configuration.
    modalities : mapping of str to Modality, optional
        By Orthanc's own name. Storage commitment reports go to the modality whose AE title asked.
    settings : mapping, optional
        Orthanc's own settings, over those below.
    """
    program = shutil.which("Orthanc", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    assert program is not None, "Orthanc is not installed; on Debian: apt-get install orthanc orthanc-dicomweb"
    http_port, dicom_port = free_ports(2)
    configuration = {
        "Name": "test",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpPort": http_port,
        "DicomPort": dicom_port,
        "DicomAet": ae_title,
        "DicomCheckCalledAet": True,
        "DefaultEncoding": "Utf8",
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowGet": True,
        "DicomAlwaysAllowMove": True,
        "DicomModalities": {
            name: {
                "AET": modality.ae_title,
                "Host": modality.host,
                "Port": modality.port,
                "AllowStorageCommitment": True,
            }
            for name, modality in (modalities or {}).items()
        },
        "DicomScuTimeout": 10,
        "MaximumPduLength": 131072,
        # What was stored is in the folder when it is asked for; no test needs it after a power failure.
        "SyncStorageArea": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "StableAge": 1,
        "Plugins": [str(PLUGINS / "libOrthancDicomWeb.so")],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": False},
        **(settings or {}),
    }
    path = folder / "orthanc.json"
    path.write_text(json.dumps(configuration, indent=1), encoding="utf-8")
    process = subprocess.Popen(
        [program, str(path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        cwd=folder,
        # Debian's DCMTK waits 40 ms a message otherwise.
        env={**os.environ, "TCP_NODELAY": "1"},
    )
    assert process.stderr is not None
    log: list[str] = []
    try:
        for line in process.stderr:
            log.append(line)
            if _STARTED in line:
                break
        else:
            raise AssertionError(f"Orthanc did not start:\n{''.join(log)}")
        drain = threading.Thread(target=log.extend, args=(process.stderr,), daemon=True)
        drain.start()
        yield OrthancServer(ae_title, dicom_port, http_port, folder, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stderr.close()


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
