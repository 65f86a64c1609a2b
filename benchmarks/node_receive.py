"""Receiving 10 MB films by a node, with fsync and their rows, against storescp without fsync, and Orthanc."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.measure import cpu_ms, peak_mb, process_cpu_ms, reference_loop
from benchmarks.report import Figure, NotRunError, at_most
from benchmarks.setting import Setting
from dicom_node.store.tables import instances, studies
from tests.dicom_builder import build, gradient
from tests.node.node_process import Node, until
from tests.node.orthanc_server import free_ports, running_orthanc

ROUNDS = 5
#: Films of each sender, by the number of senders at once.
FILMS = {1: 40, 4: 10}
SMALL = 40
_UID = "2.25.1000000000000000"
#: Without it Debian's DCMTK waits 40 ms an object for a delayed acknowledgement.
_ENVIRONMENT = os.environ | {"TCP_NODELAY": "1"}


@dataclass(frozen=True, slots=True)
class Receiver:
    """A server under test."""

    name: str
    ae_title: str
    port: int
    process_id: int
    clear: Callable[[], int]
    """Delete what it received, so that no run inherits another's unwritten pages; how many objects it was."""

    def cpu_ms(self) -> float:
        """Of the process so far."""
        return process_cpu_ms(self.process_id)


def run(setting: Setting) -> Iterator[Figure]:
    """Wall time of all senders together, servers taking turns in every round."""
    missing = [name for name in ("dcmsend", "storescu", "storescp") if shutil.which(name) is None]
    if missing or not Path("/usr/sbin/Orthanc").exists():
        raise NotRunError("it needs DCMTK and Orthanc from Debian (dcmtk, orthanc, orthanc-dicomweb)")
    films = _films(setting.work / "films")
    small = _copies(setting.work / "small", build(SOPInstanceUID=_UID), SMALL)
    with ExitStack() as stack:
        ours = stack.enter_context(_ours(setting.work / "ours"))
        dcmtk = stack.enter_context(_storescp(setting.work / "storescp"))
        orthanc = stack.enter_context(_orthanc(setting.work / "orthanc"))
        for senders in FILMS:
            yield from _compare(films, senders, (ours, dcmtk, orthanc))
        peak = peak_mb(ours.process_id)
        yield Figure("peak memory of the process that listens", peak, "MB", at_most(200), "4 senders of 10 MB films")
        yield from _association(ours, small)


def _compare(films: list[Path], senders: int, receivers: tuple[Receiver, ...]) -> Iterator[Figure]:
    per_sender = FILMS[senders]
    sets = [films[n * per_sender : (n + 1) * per_sender] for n in range(senders)]
    wall: dict[str, list[float]] = {receiver.name: [] for receiver in receivers}
    cpu: dict[str, list[float]] = {receiver.name: [] for receiver in receivers}
    for turn in range(-1, ROUNDS):  # the first does not count
        for receiver in receivers if turn % 2 else reversed(receivers):
            os.sync()  # what the one before has written or deleted is its own affair
            before, started = receiver.cpu_ms(), time.perf_counter()
            _send(receiver, sets)
            taken = time.perf_counter() - started
            used = (receiver.cpu_ms() - before) / (senders * per_sender)
            if receiver.clear() != senders * per_sender:
                raise NotRunError(f"{receiver.name} did not store everything")
            if turn >= 0:
                wall[receiver.name].append(taken)
                cpu[receiver.name].append(used)
    of_dcmtk = [mine / theirs for mine, theirs in zip(wall["ours"], wall["storescp"], strict=True)]
    of_orthanc = [mine / theirs for mine, theirs in zip(wall["ours"], wall["orthanc"], strict=True)]
    one = f"{senders} sender{'s' * (senders > 1)}"
    times = ", ".join(f"{name} {1000 * median(taken) / senders / per_sender:.0f} ms" for name, taken in wall.items())
    spread = f"{min(of_dcmtk):.2f} to {max(of_dcmtk):.2f} in {ROUNDS} rounds; a film takes {times}"
    yield Figure(f"time over storescp, {one}", median(of_dcmtk), "", at_most(3.0 if senders == 1 else 2.5), spread)
    yield Figure(f"time over Orthanc, {one}", median(of_orthanc), "", at_most(1.0))
    yield Figure(f"CPU a film, {one}", median(cpu["ours"]), "ms", None, f"Orthanc {median(cpu['orthanc']):.0f} ms")


def _association(ours: Receiver, small: list[Path]) -> Iterator[Figure]:
    """CPU of an association beyond that of its object."""

    def cost(send: Callable[[], object]) -> float:
        start = ours.cpu_ms()
        send()
        used = ours.cpu_ms() - start
        if ours.clear() != len(small):
            raise NotRunError("the node did not store everything")
        return used / len(small)

    def one_by_one(command: list[str]) -> None:
        for file in small:
            _check(subprocess.Popen([*command, *_address(ours), str(file)], env=_ENVIRONMENT))

    in_one, one_each, every, loop = [], [], [], []
    for _ in range(ROUNDS):
        in_one.append(cost(lambda: _send(ours, [small])))
        one_each.append(cost(lambda: one_by_one(["dcmsend", "-q"])))
        every.append(cost(lambda: one_by_one(["storescu", "-q"])))
        loop.append(cpu_ms(reference_loop))
    rest = median(in_one)
    detail = (
        f"median of {ROUNDS} times {len(small)} small objects; {rest:.1f} ms an object on one association; "
        f"reference loop {median(loop):.1f} ms in the same turns"
    )
    yield Figure("CPU of an association", median(one_each) - rest, "ms", at_most(10), detail)
    yield Figure("CPU of one that proposes 120 and more contexts", median(every) - rest, "ms", None, "storescu")


def _send(receiver: Receiver, sets: list[list[Path]]) -> None:
    command = ["dcmsend", "-q", "-dn", "-pdu", "131072", *_address(receiver)]
    senders = [subprocess.Popen([*command, *map(str, films)], env=_ENVIRONMENT) for films in sets]
    for sender in senders:
        _check(sender)


def _address(receiver: Receiver) -> list[str]:
    return ["-aec", receiver.ae_title, "127.0.0.1", str(receiver.port)]


def _check(sender: subprocess.Popen[bytes]) -> None:
    if sender.wait():
        raise NotRunError(f"the sender ended with {sender.returncode}")


def _films(folder: Path) -> list[Path]:
    """2048 x 2500 pixels of 14 bits in 16, with noise."""
    noise = np.random.default_rng(1).integers(0, 64, (2500, 2048))
    pixels = np.clip(gradient(2500, 2048, 14) + noise, 0, 2**14 - 1)
    film = build(pixels, bits_stored=14, SOPInstanceUID=_UID)
    return _copies(folder, film, max(senders * count for senders, count in FILMS.items()))


def _copies(folder: Path, file: bytes, count: int) -> list[Path]:
    """The same object under `count` UIDs of one length."""
    folder.mkdir()
    paths = []
    for n in range(count):
        path = folder / f"{n:03}.dcm"
        path.write_bytes(file.replace(_UID.encode(), f"2.25.{int(_UID[5:]) + n}".encode()))
        paths.append(path)
    return paths


@contextmanager
def _ours(folder: Path) -> Iterator[Receiver]:
    """A whole node, whose work process stands still: what is measured is that a film and its work are on the disk."""
    node = Node(folder, listener={"max_objects_per_minute": 1_000_000})

    def clear() -> int:
        with node.engine.begin() as connection:
            connection.execute(studies.delete())
            rows = connection.execute(instances.delete()).rowcount
        files = _empty(node.folder.objects)
        return files if files == rows else -1

    try:
        node.start()
        until(lambda: any(event["event"] == "model ready" for event in node.events()))
        work = node.child("process")
        assert work is not None
        with node.engine.begin() as connection:
            connection.execute(studies.delete())  # while we hold the write lock, the process that stops does not
            os.kill(work, signal.SIGSTOP)
            until(lambda: "State:\tT" in Path(f"/proc/{work}/status").read_text())
        yield Receiver("ours", "CXR_NODE", node.port, node.pid, clear)
    finally:
        node.end()  # ends with it what stands still


@contextmanager
def _storescp(folder: Path) -> Iterator[Receiver]:
    folder.mkdir()
    (port,) = free_ports(1)
    command = ["storescp", "-q", "--fork", "+B", "-pdu", "131072", "-od", str(folder), str(port)]
    with subprocess.Popen(command, env=_ENVIRONMENT) as process:
        try:
            _wait_for(port)
            yield Receiver("storescp", "STORESCP", port, process.pid, lambda: _empty(folder))
        finally:
            process.terminate()


@contextmanager
def _orthanc(folder: Path) -> Iterator[Receiver]:
    folder.mkdir()
    # As it comes, fsync included, but for the MD5 sum of every object.
    settings = {"SyncStorageArea": True, "StoreMD5ForAttachments": False, "Plugins": []}
    with running_orthanc(folder, settings=settings) as orthanc:

        def clear() -> int:
            count = len(orthanc.ask("/instances"))
            orthanc.clear()
            return count

        yield Receiver("orthanc", orthanc.ae_title, orthanc.dicom_port, orthanc.process_id, clear)


def _wait_for(port: int) -> None:
    for _ in range(100):
        if subprocess.run(["echoscu", "127.0.0.1", str(port)], capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.05)
    raise NotRunError("storescp does not answer")


def _empty(folder: Path) -> int:
    paths = list(folder.iterdir())
    for path in paths:
        path.unlink()
    return len(paths)
