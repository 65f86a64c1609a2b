"""The workflow of one image: asks the model process, keeps the answer, sets aside what ends the process."""

from __future__ import annotations

import time

import sqlalchemy as sa

from dicom_node import logs
from dicom_node.store import images
from dicom_node.store.folder import DataFolder
from dicom_node.store.quarantine import Quarantine, Quarantined
from dicom_node.work.model_process import ModelProcess, WorkerDiedError

log = logs.get(__name__)

#: A death of the whole node counts so many times less than one of the model process: it has many other causes, a
#: machine that is switched off among them.
NODE_DEATHS = 5


class AnalyseImage:
    """`analyse:<instance>:<run>`.

    Parameters
    ----------
    database : sqlalchemy.Engine
        The node's.
    folder : DataFolder
        Holds the images.
    model : ModelProcess
        Answers.
    max_attempts : int
        An image that ends the process so often, and at least twice, is set aside.
    """

    def __init__(self, database: sa.Engine, folder: DataFolder, model: ModelProcess, max_attempts: int) -> None:
        self._database = database
        self._folder = folder
        self._model = model
        # The first time it may have been a neighbour in the batch.
        self._max_deaths = max(max_attempts, 2)

    def __call__(self, key: str, run: int) -> None:
        """Bring the image to an answer, or aside."""
        while (row := images.get(self._database, key)) is not None and (row.state, row.run) == ("queued", run):
            path = self._folder.objects / row.file
            if row.deaths >= self._max_deaths:
                self._set_aside(row, f"it ended the model process {row.deaths} times")
            elif row.attempts >= NODE_DEATHS * self._max_deaths:
                self._set_aside(row, f"the node ended {row.attempts} times while it was analysed")
            elif not path.exists():
                images.set_aside(self._database, key, "its file is gone")
                log.error("file gone", instance=key, sop_instance_uid=row.sop_instance_uid)
            else:
                try:
                    # Once it was there when the process ended, others shall not suffer from it.
                    answer = self._model.analyse(key, path, alone=row.attempts > 0)
                except WorkerDiedError:
                    images.count_death(self._database, key)
                    continue
                images.answered(self._database, key, answer)
                log.info("image answered", instance=key, sop_instance_uid=row.sop_instance_uid)

    def _set_aside(self, row: sa.Row[tuple[object, ...]], reason: str) -> None:
        # First where people look, then the row: a repeat of the first changes nothing.
        entry = Quarantined(row.key, reason, time.time(), row.sender, row.key)
        Quarantine(self._folder).put_file(entry, self._folder.objects / row.file)
        images.set_aside(self._database, row.key, reason)
        log.error("image set aside", instance=row.key, reason=reason, sop_instance_uid=row.sop_instance_uid)
