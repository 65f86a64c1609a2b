"""The log: known fields alone, no text of exceptions and libraries."""

from __future__ import annotations

import json
import subprocess
import sys

from cxr_core.errors import SettingsError
from dicom_node.logs import FIELDS, trouble
from dicom_node.options import parse_send_to
from tests.node.node_process import ROOT

WRITES = """
import logging, threading, warnings
from dicom_node import logs
logs.configure("test")
log = logs.get("a.b.part")
try:
    raise OSError(28, "No space left on device", "/home/SECRET/typed")
except OSError as error:
    log.error("no space", study="2.25.1", patient_name="SECRET", **logs.trouble(error))
import pydicom
from pydicom.valuerep import validate_value
import pydicom.config
logging.getLogger("pydicom").warning("SECRET")
logging.getLogger("sqlalchemy.pool").error("SECRET %s", "SECRET")
try:
    raise KeyError("SECRET")
except KeyError:
    logging.getLogger("dbos").exception("SECRET")
warnings.warn("SECRET", UserWarning)
thread = threading.Thread(target=lambda: {}["SECRET"])
thread.start()
thread.join()
"""


def test_a_line_holds_known_fields_and_no_text_of_others() -> None:
    done = subprocess.run([sys.executable, "-c", WRITES], capture_output=True, text=True, cwd=ROOT, check=True)
    assert "SECRET" not in done.stderr + done.stdout
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    first, *others = lines
    assert (first["event"], first["study"], first["process"], first["part"]) == ("no space", "2.25.1", "test", "part")
    assert first["error"] == "OSError (No space left on device)"
    assert {line["part"]: line["error"] for line in others} == {
        "sqlalchemy.pool": None,
        "dbos": "KeyError",
        "py.warnings": None,
        "logs": "KeyError",
    }
    for line in lines:
        assert set(line) <= FIELDS | {"event", "level", "part", "timestamp", "process"}


def test_trouble_says_where_it_was_in_our_own_code() -> None:
    try:
        parse_send_to("SECRET")
    except SettingsError as error:
        told = trouble(error)
    assert told["error"] == "SettingsError"
    assert told["at"].startswith("options.py:")
