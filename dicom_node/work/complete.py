"""The workflow of one revision of a study: its results are encoded once to the disk, and a delivery each recorded."""

from __future__ import annotations

import sqlalchemy as sa

from dicom_node import logs
from dicom_node.destinations.choose import Destinations
from dicom_node.store import completions, images
from dicom_node.store.folder import DataFolder
from dicom_node.work.analyse import NODE_DEATHS
from dicom_node.work.messages import Encode, Encoded, Failed, StudyImage
from dicom_node.work.model_process import ModelProcess, WorkerDiedError

log = logs.get(__name__)


class NotNowError(Exception):
    """The results could not be written; the dispatcher starts the study again."""


class CompleteStudy:
    """`complete:<study>:<revision>:<run>`.

    Parameters
    ----------
    database : sqlalchemy.Engine
        The node's.
    folder : DataFolder
        Holds images and results.
    model : ModelProcess
        Encodes.
    destinations : Destinations
        Which of the results are delivered where.
    max_attempts : int
        A study that ends the process so often is set aside.
    """

    def __init__(
        self,
        database: sa.Engine,
        folder: DataFolder,
        model: ModelProcess,
        destinations: Destinations,
        max_attempts: int,
    ) -> None:
        self._database = database
        self._folder = folder
        self._model = model
        self._destinations = destinations
        self._max_deaths = max_attempts

    def __call__(self, study_uid: str, revision: int, run: int) -> None:
        """Bring the revision to its results, or the study aside. Raises NotNowError."""
        while True:
            study = completions.get(self._database, study_uid)
            if study is None or (study.queued_revision, study.run, study.state) != (revision, run, "open"):
                return
            if study.completed_revision >= revision:
                return
            if study.deaths >= self._max_deaths:
                self._set_aside(study_uid, revision, f"it ended the model process {study.deaths} times")
                return
            if study.attempts >= NODE_DEATHS * self._max_deaths:
                self._set_aside(study_uid, revision, f"the node ended {study.attempts} times while it was encoded")
                return
            completions.count_attempt(self._database, study_uid)
            try:
                reply = self._model.encode(self._request(study_uid, revision))
            except WorkerDiedError:
                completions.count_death(self._database, study_uid)
                continue
            if isinstance(reply, Encoded):
                wanted = self._destinations.wanted(study.sender)
                completions.complete(self._database, study, revision, reply.results, reply.answers, wanted)
                log.info("study complete", study=study_uid, revision=revision, count=len(reply.results))
                return
            if isinstance(reply, Failed):
                self._set_aside(study_uid, revision, reply.words)
                return
            completions.uncount_attempt(self._database, study_uid)
            log.warning("results not written", study=study_uid, reason=reply.words)
            raise NotNowError

    def _request(self, study_uid: str, revision: int) -> Encode:
        rows = images.of_study(self._database, study_uid, revision)
        return Encode(
            tuple(
                StudyImage(row.key, self._folder.objects / row.file, row.digest, row.received_at, row.answer)
                for row in rows
                if row.file is not None
            ),
            completions.previous_report(self._database, study_uid, revision),
        )

    def _set_aside(self, study_uid: str, revision: int, reason: str) -> None:
        completions.set_aside(self._database, study_uid, revision, reason)
        log.error("study set aside", study=study_uid, revision=revision, reason=reason)
