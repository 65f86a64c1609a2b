"""What `cxr-node` prints: records for programs, and the same as lines for people."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dicom_node.destinations.choose import Destinations
from dicom_node.serve import LOCK
from dicom_node.settings import NodeSettings
from dicom_node.store import overview
from dicom_node.store.folder import DataFolder, LockedError
from dicom_node.store.quarantine import Quarantine, Quarantined

Record = dict[str, Any]

#: States of images and deliveries that call for a person.
_BAD = ("set_aside", "gave_up")


def status_of(settings: NodeSettings, folder: DataFolder, engine: sa.Engine) -> Record:
    """The node as a whole."""
    configured = Destinations(settings, folder).configured
    deliveries = [
        {
            "destination": row.destination,
            "configured": row.destination in configured,
            "state": row.state,
            "count": row.number,
            "attempts": row.attempts,
            "failing_since": _iso(row.failing_since),
            "last_failure": overview.last_failure(engine, row.destination)
            if row.state in ("waiting", "gave_up")
            else None,
        }
        for row in overview.delivery_counts(engine)
    ]
    return {
        "running": is_running(folder),
        "images": overview.image_counts(engine),
        "studies": overview.study_counts(engine),
        "deliveries": deliveries,
        "not_committed": overview.not_committed(engine),
        "quarantine": len(Quarantine(folder).entries()),
        "used_bytes": used_bytes(folder),
        "free_bytes": folder.free_bytes(),
        "reserve_bytes": settings.retention.reserve_mb * 1024**2,
    }


def is_running(folder: DataFolder) -> bool:
    """Whether a node holds the folder."""
    try:
        with folder.locked(LOCK):
            return False
    except LockedError:
        return True
    except OSError:  # no folder, or one of somebody else
        return False


def used_bytes(folder: DataFolder) -> int:
    """What the data folder holds."""
    total = 0
    for parent, _, names in os.walk(folder.root):
        for name in names:
            try:
                total += (Path(parent) / name).stat().st_size
            except FileNotFoundError:
                continue
    return total


def status_lines(told: Record) -> list[str]:
    """The same for people."""
    lines = [
        "running" if told["running"] else "NOT RUNNING",
        f"images       {counted(told['images'])}",
        f"studies      {counted(told['studies'])}",
    ]
    for row in told["deliveries"]:
        line = f"to {row['destination']:9} {row['count']} {_word(row['state'])}"
        if not row["configured"]:
            line += "; NOT CONFIGURED any more: configure it, or `cxr-node cancel --destination`"
        if row["failing_since"] is not None and row["state"] in ("waiting", "gave_up"):
            line += f"; since {row['failing_since']}, {some(row['attempts'], 'attempt')}: {row['last_failure']}"
        lines.append(line)
    if told["not_committed"]:
        lines.append(f"{some(told['not_committed'], 'object')} delivered, and NOT COMMITTED by the peer")
    free, reserve = told["free_bytes"], told["reserve_bytes"]
    lines.append(
        f"disk         {_size(told['used_bytes'])} used, {_size(free)} free"
        + ("" if free > reserve else f": LESS THAN THE RESERVE of {_size(reserve)}, nothing is taken")
    )
    bad = sum(count for state, count in told["images"].items() if state in _BAD)
    bad += told["studies"].get("set_aside", 0)
    bad += sum(row["count"] for row in told["deliveries"] if row["state"] in _BAD)
    if bad:
        need = "NEEDS" if bad == 1 else "NEED"
        lines.append(f"{bad} {need} SOMEBODY: see `cxr-node list --state set_aside` and `cxr-node quarantine list`;")
        lines.append("then `cxr-node retry`, or `cxr-node cancel`")
    elif told["quarantine"]:
        lines.append(f"quarantine   {some(told['quarantine'], 'object')}, see `cxr-node quarantine list`")
    return lines


def studies_of(engine: sa.Engine, limit: int, state: str | None) -> list[Record]:
    """Studies, the newest first."""
    return [
        {
            "study_instance_uid": row.study_uid,
            "state": row.state,
            "reason": row.reason,
            "sender": row.sender,
            "last_received_at": _iso(row.last_received_at),
            "images": row.images,
            "results": row.results,
            "delivered": row.delivered,
            "undelivered": row.undelivered,
        }
        for row in overview.newest_studies(engine, limit, state)
    ]


def study_lines(told: Sequence[Record]) -> list[str]:
    """The same for people."""
    if not told:
        return ["no studies"]
    return [
        f"{row['last_received_at']}  {_word(row['state']):10}  "
        f"{some(row['images'], 'image')}, {some(row['results'], 'result')}, "
        f"{row['delivered']} delivered, {row['undelivered']} not  {row['sender']}  {row['study_instance_uid']}"
        + (f"  ({row['reason']})" if row["reason"] else "")
        for row in told
    ]


def one_study(engine: sa.Engine, beginning: str) -> Record:
    """Everything about one study."""
    study = overview.find_study(engine, beginning)
    return {
        "study_instance_uid": study.study_uid,
        "state": study.shown_state,
        "reason": study.reason,
        "sender": study.sender,
        "first_received_at": _iso(study.first_received_at),
        "last_received_at": _iso(study.last_received_at),
        "completed_at": _iso(study.completed_at),
        "images": [_image(row) for row in overview.images_of(engine, study.study_uid)],
        "results": [
            {
                "kind": row.kind,
                "sop_instance_uid": row.sop_instance_uid,
                "bytes": row.bytes,
                "made_at": _iso(row.made_at),
            }
            for row in overview.results_of(engine, study.study_uid)
        ],
        "deliveries": [
            {
                "destination": row.destination,
                "sop_instance_uid": row.result_uid,
                "state": row.state,
                "attempts": row.attempts,
                "due_at": _iso(row.due_at) if row.state == "waiting" else None,
                "delivered_at": _iso(row.delivered_at),
                "note": row.note,
                "committed": row.committed,
            }
            for row in overview.deliveries_of(engine, study.study_uid)
        ],
    }


def _image(row: sa.Row[Any]) -> Record:
    answer = json.loads(row.answer) if row.answer else {}
    prediction = answer.get("prediction") or {}
    return {
        "sop_instance_uid": row.sop_instance_uid,
        "state": row.state,
        "reason": row.reason or answer.get("reason"),
        "received_at": _iso(row.received_at),
        "status": answer.get("status"),
        "verdict": prediction.get("verdict"),
        "verdict_withheld": prediction.get("verdict_withheld"),
        "probability": prediction.get("probability"),
        "label": prediction.get("label"),
    }


def one_study_lines(told: Record) -> list[str]:
    """The same for people."""
    lines = [
        f"study {told['study_instance_uid']}",
        f"  {_word(told['state'])}" + (f": {told['reason']}" if told["reason"] else ""),
        f"  from {told['sender']}, last image {told['last_received_at']}, results {told['completed_at'] or 'none yet'}",
    ]
    lines += [f"  image {image['sop_instance_uid']}: {answer_words(image)}" for image in told["images"]]
    lines += [f"  {made['kind']:4} {made['sop_instance_uid']}, {_size(made['bytes'])}" for made in told["results"]]
    for delivery in told["deliveries"]:
        line = f"  to {delivery['destination']}: {delivery['sop_instance_uid']} {_word(delivery['state'])}"
        if delivery["delivered_at"]:
            line += f" {delivery['delivered_at']}"
        elif delivery["attempts"]:
            line += f" after {some(delivery['attempts'], 'attempt')}: {delivery['note']}"
        if delivery["due_at"]:
            line += f"; next attempt {delivery['due_at']}"
        lines.append(line)
    return lines


def answer_words(image: Record) -> str:
    """What was found in an image, in words."""
    if image["status"] is None:
        return _word(image["state"]) + (f" ({image['reason']})" if image["reason"] else "")
    if image["status"] != "predicted":
        return f"{image['status']}: {image['reason']}"
    verdict = image["verdict"] or f"verdict withheld ({image['verdict_withheld']})"
    return f"{verdict}, probability {image['probability']:.3f}"


def quarantine_lines(entries: Sequence[Quarantined]) -> list[str]:
    """Bad objects, a line each."""
    if not entries:
        return ["no objects in quarantine"]
    return [f"{_iso(entry.at)}  {entry.name}  from {entry.sender}: {entry.reason}" for entry in entries]


def quarantined_lines(entry: Quarantined, path: Path) -> list[str]:
    """One bad object."""
    kind = "refused, the sender was told" if entry.instance is None else "taken, and set aside while it was analysed"
    return [
        f"{entry.name}: {entry.reason}",
        f"  from {entry.sender}, {_iso(entry.at)}; {kind}",
        f"  {path}",
        f"  try it again: cxr-node quarantine release {entry.name[:8]}",
    ]


def ordered(counts: Mapping[str, int]) -> str:
    """What an order changed, in words."""
    kinds = {"images": "image", "studies": "study", "deliveries": "delivery"}
    changed = [f"{count} {kinds[name] if count == 1 else name}" for name, count in counts.items() if count]
    return ", ".join(changed) or "none"


def counted(counts: Mapping[str, int]) -> str:
    """Counts in words."""
    return ", ".join(f"{count} {_word(name)}" for name, count in counts.items() if count) or "none"


def some(count: int, what: str) -> str:
    """One of something, or several."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _word(state: str) -> str:
    words = {
        "answered": "answered",
        "own": "ours",
        "ignored": "stored only",
        "queued": "being analysed",
        "set_aside": "SET ASIDE",
        "gave_up": "GIVEN UP",
        "in_flight": "being sent",
        "sending": "being sent",
    }
    return words.get(state, state)


def _iso(seconds: float | None) -> str | None:
    """Local time."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).astimezone().isoformat(" ", "seconds")


def _size(count: int) -> str:
    for unit in ("B", "KB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count = count // 1000
    return f"{count:.0f} GB"
