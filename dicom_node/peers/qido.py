"""QIDO-RS: what a web service has (PS3.18 10.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydicom.dataset import Dataset

from cxr_core.errors import SettingsError
from dicom_node.peers.failure import CallFailed, Cause, Failure
from dicom_node.peers.identifier import Keys, check_keys
from dicom_node.peers.match import RETURN_KEYS, Level, Match
from dicom_node.peers.peer import DEFAULT_TIMEOUTS, Cancel, Timeouts
from dicom_node.peers.query import FindResult
from dicom_node.peers.web import WebService, call, session_of

if TYPE_CHECKING:
    import requests


def find_web(
    service: WebService,
    level: Level,
    keys: Keys,
    *,
    limit: int | None = None,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
    cancel: Cancel | None = None,
) -> FindResult:
    """Query a web service like `find` a peer. Raises nothing for what the network or the service does.

    Raises SettingsError for a key that is none, and for the PATIENT level, which QIDO-RS has not (PS3.18 10.6.1.1).
    """
    if level is Level.PATIENT:
        raise SettingsError("a query over the web at PATIENT level", "STUDY, SERIES or IMAGE")
    check_keys(keys)
    is_cut = False

    def note(response: requests.Response, *_args: Any, **_options: Any) -> None:
        # More than a service gives at once is told by a warning (PS3.18 8.3.4.4).
        nonlocal is_cut
        is_cut = is_cut or "Warning" in response.headers

    def search() -> list[dict[str, Any]]:
        from dicomweb_client.web import DICOMwebClient
        from requests.adapters import HTTPAdapter

        class Unescaped(HTTPAdapter):
            """Sends * and , as they are, which RFC 3986 3.4 allows: Orthanc 1.10 does not decode %2A and %2C."""

            def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
                request.url = (request.url or "").replace("%2A", "*").replace("%2C", ",")
                return super().send(request, *args, **options)

        with session_of(service) as session:
            session.hooks["response"].append(note)
            session.mount(service.url, Unescaped())
            client = DICOMwebClient(
                service.url,
                session,
                permissive_uid=True,
                timeout=(timeouts.connect_seconds, timeouts.dimse_seconds),
            )
            client.set_http_retry_params(retry=False)
            values = {keyword: value if isinstance(value, str) else ",".join(value) for keyword, value in keys.items()}
            options: dict[str, Any] = {
                "search_filters": {keyword: value for keyword, value in values.items() if value},
                "fields": list(dict.fromkeys([*RETURN_KEYS[level], *values])),
                "limit": None if limit is None else limit + 1,
            }
            if level is Level.STUDY:
                return client.search_for_studies(**options)
            if level is Level.SERIES:
                return client.search_for_series(**options)
            return client.search_for_instances(**options)

    try:
        found = call(search, timeouts, cancel)
        matches = [Match.of(level, Dataset.from_json(item)) for item in found]
    except CallFailed as error:
        return FindResult((), False, error.failure)
    except (ValueError, KeyError, TypeError, AttributeError):  # what pydicom meets in what is no DICOM JSON
        return FindResult((), False, Failure(Cause.NOT_UNDERSTOOD, "the web service's answer is no DICOM JSON"))
    is_cut = is_cut or (limit is not None and len(matches) > limit)
    return FindResult(tuple(matches[:limit]), not is_cut, None)
