"""The reading station: a desktop viewer for chest radiographs. Research use, not for diagnosis."""

import sys

if sys.version_info < (3, 12):
    # PySide6 6.12.0 takes None and True for immortal, as they are from Python 3.12 on (PEP 683): each call that returns
    # nothing gives away a reference to None that it does not own, and each Signal.emit() one to True; when none is left
    # Python 3.11 ends the process, after some thousand calls. So they are given more references than can be used up.
    # The count is the first field of an object.
    import ctypes

    for constant in (None, True, False):
        ctypes.c_ssize_t.from_address(id(constant)).value += 1 << 40
