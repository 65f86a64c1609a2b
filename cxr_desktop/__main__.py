"""The door of the command `cxr-desktop`: where Qt or another part cannot be loaded, it says so in one line."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the viewer; its exit code, 2 where a part of it cannot be loaded."""
    try:
        from cxr_desktop import start
    except ImportError as error:  # the base installation is the core alone
        brief = " ".join(str(error).split())
        remedy = "install the extra `desktop`; `cxr doctor` names libraries of the system that are missing"
        print(f"cxr-desktop: a part that it needs cannot be loaded ({brief}); {remedy}", file=sys.stderr)
        return 2
    return start.main()


if __name__ == "__main__":
    sys.exit(main())
