"""The command cxr-desktop where Qt cannot be loaded, and where it can."""

from __future__ import annotations

import subprocess
import sys

from cxr_core import __version__

WITHOUT_QT = """
import sys
sys.modules["PySide6"] = None
from cxr_desktop.__main__ import main
sys.exit(main())
"""


def run(*arguments: str) -> tuple[int, str, str]:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_without_qt_it_says_in_one_line_what_to_install() -> None:
    code, out, err = run("-c", WITHOUT_QT)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("cxr-desktop: a part that it needs cannot be loaded")
    assert "install the extra `desktop`" in err


def test_it_tells_its_version() -> None:
    assert run("-m", "cxr_desktop", "--version") == (0, f"cxr-desktop {__version__}\n", "")
