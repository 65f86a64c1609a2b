"""WADO-RS: one object of a web service (PS3.18 10.4)."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydicom.dataset import Dataset

from dicom_node.peers.failure import CallFailed, Cause, Failure
from dicom_node.peers.peer import DEFAULT_TIMEOUTS, Cancel, Timeouts
from dicom_node.peers.web import WebService, call, session_of


@dataclass(frozen=True, slots=True)
class WebRetrieveResult:
    """One object, or why there is none."""

    data_set: Dataset | None = field(repr=False)
    """With its file meta information, in whatever transfer syntax the service has it."""

    failure: Failure | None


def get_web(
    service: WebService,
    study_instance_uid: str,
    series_instance_uid: str,
    sop_instance_uid: str,
    *,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
    cancel: Cancel | None = None,
) -> WebRetrieveResult:
    """Retrieve one object. Raises nothing for what the network or the service does."""

    def retrieve() -> Dataset:
        from dicomweb_client.web import DICOMwebClient

        with session_of(service) as session:
            seconds = timeouts.connect_seconds, timeouts.dimse_seconds
            client = DICOMwebClient(service.url, session, permissive_uid=True, timeout=seconds)
            client.set_http_retry_params(retry=False)
            return client.retrieve_instance(study_instance_uid, series_instance_uid, sop_instance_uid)

    try:
        return WebRetrieveResult(call(retrieve, timeouts, cancel), None)
    except CallFailed as error:
        return WebRetrieveResult(None, error.failure)
    except Exception:  # noqa: BLE001  # the library and pydicom raise many kinds on an answer that is no object
        return WebRetrieveResult(None, Failure(Cause.NOT_UNDERSTOOD, "the web service's answer is no DICOM object"))
