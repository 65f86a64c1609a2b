"""Stands in for the model process: does what the image's file says, so that a test can end or hold it up."""

from __future__ import annotations

import os
import signal
import threading

from cxr_core.child_process import connect
from dicom_node.work.messages import Analyse, Answers, Encode, Encoded, Failed, NotNow, Ready, Unusable


def main() -> None:
    connection = connect()
    begin = connection.recv()
    marker = begin.encoded / "unusable"
    if marker.exists():
        connection.send(Unusable(marker.read_text()))
        return
    connection.send(Ready("acting", "1", "0"))
    while True:
        try:
            request = connection.recv()
        except EOFError:
            return
        if isinstance(request, Analyse):
            texts = [path.read_text() for path in request.paths]
            for text in texts:
                act(text)
            connection.send(Answers(tuple(f"{text} of {len(texts)}" for text in texts)))
        elif isinstance(request, Encode):
            text = request.images[0].path.read_text()
            act(text)
            connection.send({"fails": Failed("fails"), "later": NotNow("later")}.get(text, Encoded((), {})))


def act(text: str) -> None:
    if text == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if text == "exit":
        os._exit(3)
    if text == "hang":
        threading.Event().wait()


if __name__ == "__main__":
    main()
