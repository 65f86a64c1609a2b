"""The model process: holds the Classifier, answers micro-batches and encodes studies. It knows no database.

`python -m dicom_node.work.model DESCRIPTOR`, started by `model_process.py`. What ends this process, a decoder that
crashes or too little memory, ends nothing else.
"""

from __future__ import annotations

import os
import signal
import sys
from multiprocessing.connection import Connection
from typing import Any

from cxr_core.child_process import connect
from cxr_core.errors import CxrError
from dicom_node import logs
from dicom_node.settings import NodeSettings
from dicom_node.work.messages import Analyse, Answers, Begin, Encode, Failed, NotNow, Ready, Unusable

log = logs.get("dicom_node.work.model")  # it runs as __main__


def main() -> None:
    """Answer requests until the parent goes away."""
    connection = connect()
    # The parent ends this process, after it has what it waits for.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # numpy's linear algebra starts a thread a processor; the domain check's small products want none.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    logs.configure("model")
    try:
        begin: Begin = connection.recv()
        serve(connection, begin)
    except EOFError:
        pass  # the parent is gone
    except Exception as error:  # noqa: BLE001  # it starts us again; the error's own text may quote a header
        log.error("model process failed", **logs.trouble(error))
        sys.exit(1)


def serve(connection: Connection, begin: Begin) -> None:
    """Load the model, say so, and answer one request after the other. Raises EOFError when the parent goes away."""
    # The libraries, which take the most of this process's start, are loaded here and not with the module.
    from cxr_core.classifier import Classifier
    from dicom_node.work.analysis import Analyst, core_settings
    from dicom_node.work.encoding import result_choice

    settings = NodeSettings.model_validate_json(begin.settings)
    try:
        analyst = Analyst(Classifier(settings.analysis.model, core_settings(settings.analysis)))
    except CxrError as error:
        connection.send(Unusable(str(error)))
        return
    identity = analyst.classifier.identity
    connection.send(Ready(identity.name, identity.version, identity.sha256))
    choice, producer = result_choice(settings), settings.listener.ae_title
    while True:
        connection.send(_reply(connection.recv(), analyst, choice, producer, begin))


def _reply(request: object, analyst: Any, choice: Any, producer: str, begin: Begin) -> object:
    from cxr_core import result_json
    from cxr_core.results.records import ResultError
    from dicom_node.work.encoding import encode

    if isinstance(request, Analyse):
        return Answers(tuple(result_json.to_json(result) for result in analyst.answer(request.paths)))
    assert isinstance(request, Encode)
    try:
        return encode(request, analyst, choice, producer, begin.encoded)
    except ResultError as error:
        return Failed(str(error))
    except OSError as error:  # the disk: another time it may have room
        return NotNow(logs.trouble(error)["error"])
    except Exception as error:  # noqa: BLE001  # a defect of ours ends one study, not the process
        told = logs.trouble(error)
        log.error("study not encoded", **told)
        return Failed(f"an error that was not expected ({told['error']} at {told['at']}); report it")


if __name__ == "__main__":
    main()
