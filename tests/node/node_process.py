"""A node in processes of its own, as an administrator starts it: sent to, looked into, killed, stopped."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dicom_node.peers import Peer, StoreOutcome, store
from dicom_node.store.database import open_engine
from dicom_node.store.folder import DataFolder

ROOT = Path(__file__).parents[2]
#: No wait in a test is longer; what takes so long has failed.
PATIENCE_SECONDS = 240.0


def until(what: Callable[[], Any], patience_seconds: float = PATIENCE_SECONDS) -> Any:
    """The first true value of a call, which another process brings about."""
    deadline = time.monotonic() + patience_seconds
    while not (value := what()):
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.02)
    return value


class Node:
    """`cxr-node serve` in a folder.

    Parameters
    ----------
    root : Path
        Holds data folder, settings and log.
    modules : Path, optional
        A folder with a `sitecustomize` module that the node's processes load first.
    settings : dict
        Sections of the TOML file.
    """

    def __init__(self, root: Path, *, modules: Path | None = None, **settings: Any) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.folder = DataFolder(root / "data")
        self.log = root / "log"
        settings.setdefault("retention", {}).setdefault("reserve_mb", 0)
        settings.setdefault("analysis", {}).setdefault("study_quiet_seconds", 0.3)
        settings.setdefault("listener", {}).setdefault("port", 0)
        self._config = root / "node.toml"
        self._config.write_text(toml(settings | {"data": str(self.folder.root)}))
        paths = [str(path) for path in (modules, ROOT) if path is not None]
        self._environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
        self.engine = open_engine(self.folder, settings.get("database"))
        self.port = 0
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> Node:
        """Start and wait until it listens."""
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "dicom_node.cli", "serve", "--config", str(self._config)],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=self._environment,
                cwd=ROOT,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found = re.search(r"port (\d+)", line)
        assert found, (line, self.log.read_text())
        self.port = int(found[1])
        return self

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Another command of the node, to its end."""
        command = [sys.executable, "-m", "dicom_node.cli", *words, "--config", str(self._config)]
        return subprocess.run(
            command, capture_output=True, text=True, env=self._environment, cwd=ROOT, timeout=PATIENCE_SECONDS
        )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def child(self, module: str) -> int | None:
        """The process id of the work or the model process."""
        parents = {self.pid} if module == "process" else set(filter(None, [self.child("process")]))
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = int(status.read_text().rpartition(")")[2].split()[1])
                words = (status.parent / "cmdline").read_bytes()
            except OSError:
                continue
            if parent in parents and f"dicom_node.work.{module}".encode() in words:
                return int(status.parent.name)
        return None

    def kill(self, which: str = "node") -> bool:
        """kill -9 of the node, its `process` (work) or its `model`; whether there was one."""
        pid = self.pid if which == "node" else self.child(which)
        if pid is None:
            return False
        os.kill(pid, signal.SIGKILL)
        if which == "node":
            self._ended()
        return True

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._ended()

    def _ended(self) -> int:
        assert self._process is not None
        assert self._process.stdout is not None
        code = self._process.wait(PATIENCE_SECONDS)
        self._process.stdout.close()
        return code

    def end(self) -> None:
        """Whatever state it is in, end it."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._ended()
        self.engine.dispose()

    def send(self, objects: Sequence[Path | bytes], sender: str = "MODALITY") -> list[StoreOutcome]:
        """Send objects to it."""
        return store(Peer("CXR_NODE", "127.0.0.1", self.port), objects, calling_ae_title=sender)

    def rows(self, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        """Rows of its database."""
        with self.engine.connect() as connection:
            return connection.execute(query).all()

    def wait_for(self, query: sa.Select[Any], count: int) -> Sequence[sa.Row[Any]]:
        """Rows of its database, as soon as there are so many."""
        return until(lambda: (rows := self.rows(query)) if len(self.rows(query)) >= count else None)

    def events(self) -> list[dict[str, Any]]:
        """Its log so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]


def toml(table: dict[str, Any], section: str = "") -> str:
    """A table as TOML: values, then its tables and arrays of tables."""
    lines = [
        f"{key} = {json.dumps(value)}"
        for key, value in table.items()
        if not isinstance(value, dict) and not (isinstance(value, list) and value and isinstance(value[0], dict))
    ]
    for key, value in table.items():
        name = f"{section}{key}"
        if isinstance(value, dict):
            lines += [f"[{name}]", toml(value, f"{name}.")]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for item in value:
                lines += [f"[[{name}]]", toml(item, f"{name}.")]
    return "\n".join(lines)
