"""Every installed dependency has a licence that an Apache-2.0 product may be shipped with."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

#: Licences by name, as packages write them. LGPL: used as a library, unchanged.
ALLOWED = re.compile(
    r"(3-Clause )?(0?BSD|BSD-[23]-Clause|Apache|MIT|ISC|PSF|MPL|LGPL|Zlib|CC0|Python Software Foundation|"
    r"Mozilla Public License)\b"
)
#: Packages whose metadata name no licence, and what their files say.
KNOWN = {"namex": "Apache-2.0"}


def allowed(expression: str) -> bool:
    """Whether one alternative of the expression (OR, ;) has only allowed parts (AND)."""
    alternatives = re.split(r" OR |;", expression)
    return any(all(ALLOWED.match(part.strip(" ()")) for part in one.split(" AND ")) for one in alternatives)


def main() -> int:
    """Print what is not allowed; 1 when there is any."""
    command = [str(Path(sys.executable).with_name("pip-licenses")), "--from=mixed", "--format=json"]
    packages = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    bad = [p for p in packages if not allowed(KNOWN.get(p["Name"], p["License"]))]
    for package in bad:
        print(f"{package['Name']} {package['Version']}: licence {package['License']} is not allowed", file=sys.stderr)
    print(f"{len(packages) - len(bad)} of {len(packages)} dependencies have an allowed licence")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
