"""The reading station: a desktop viewer for chest radiographs. Research use, not for diagnosis."""

import sys

if sys.version_info < (3, 12):
    # PySide6 6.12.0 takes None for immortal, as it is from Python 3.12 on (PEP 683): under 3.11 each of its calls that
    # returns nothing gives away a reference that it does not own, and after some thousand the interpreter aborts with
    # "deallocating None". Here None is given more references than any session can use up.
    import ctypes

    ctypes.c_ssize_t.from_address(id(None)).value += 1 << 40
