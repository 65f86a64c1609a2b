"""The reading station: a desktop viewer for chest radiographs. Research use, not for diagnosis."""

import sys

if sys.version_info < (3, 12):
    # Signal.emit() of PySide6 6.12.0 gives back one reference to True too many, and Python 3.11 ends the process when
    # none is left: after some hundred signals. From Python 3.12 on True has no count (PEP 683); before, it is given
    # more references than can be used up. The count is the first field of an object.
    import ctypes

    ctypes.c_ssize_t.from_address(id(True)).value += 1 << 40
