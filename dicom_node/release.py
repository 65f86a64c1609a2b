"""An object out of quarantine: analysed again, or taken as if it had just been sent."""

from __future__ import annotations

import sqlalchemy as sa

from dicom_node.received import SUCCESS, ReceivedObject
from dicom_node.settings import NodeSettings
from dicom_node.store import orders
from dicom_node.store.folder import DataFolder
from dicom_node.store.part10 import read
from dicom_node.store.quarantine import Quarantine
from dicom_node.store.sink import StoreSink


def release(settings: NodeSettings, folder: DataFolder, engine: sa.Engine, name: str) -> str:
    """Try one object again; what came of it, in words. Raises CxrError when there is none of this name."""
    place = Quarantine(folder)
    entry = place.find(name)
    if entry.instance is not None:
        waits = orders.try_image_again(engine, entry.instance)
        place.remove(entry.name)
        return f"{entry.name} waits for its analysis" if waits else f"{entry.name} is not set aside any more; removed"
    if not place.path(entry.name).exists():  # the node ended before it was written; its sender was told nothing
        place.remove(entry.name)
        return f"{entry.name} has no object; removed"
    origin, data_set = read(place.path(entry.name))
    sink = StoreSink(settings, folder, engine, lambda: None)
    answer = sink.accept(
        ReceivedObject(
            origin.sop_class_uid,
            origin.sop_instance_uid,
            origin.transfer_syntax_uid,
            origin.sender,
            origin.receiver,
            "127.0.0.1",
            data_set,
        )
    )
    if answer.status != SUCCESS:
        return f"{entry.name} is refused again with 0x{answer.status:04X}: {answer.comment}"
    place.remove(entry.name)
    return f"{entry.name} was taken"
