"""`cxr doctor`: what is installed, what is missing and how to get it, which model is used."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Literal

from cxr_core import __version__
from cxr_core.errors import CxrError

#: What each extra adds: the module to look for, and what it serves.
_EXTRAS = {
    "desktop": ("PySide6", "the reading station"),
    "node": ("pynetdicom", "the PACS-side node"),
    "train": ("tensorflow", "training"),
    "demo": ("data_store", "the real chest film of the demonstration"),
}
#: What `cxr predict` needs: the package, and the module that is loaded to see that it works.
_CORE = {
    "numpy": "numpy",
    "pydicom": "pydicom",
    "opencv-python-headless": "cv2",
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "imagecodecs": "imagecodecs",
    "pillow": "PIL.Image",
    "pydantic": "pydantic",
    "platformdirs": "platformdirs",
    "rich": "rich.progress",
    "typer": "typer",
}
#: Debian's packages of the system libraries that those link to, by the beginning of the file name.
_LIBRARIES = {
    "libglib": "libglib2.0-0",
    "libgthread": "libglib2.0-0",
    "libGL": "libgl1",
    "libstdc++": "libstdc++6",
    "libgomp": "libgomp1",
    "libz": "zlib1g",
}
#: What PySide6 needs of a minimal Debian or Ubuntu.
QT_LIBRARIES = "libglib2.0-0 libgl1 libegl1 libdbus-1-3 libfontconfig1 libxkbcommon0"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the report."""

    mark: Literal["ok", "missing", "broken", "note"]
    text: str


def examine_installation() -> Iterator[Line]:
    """The report, line by line. "missing" is optional, "broken" is not."""
    yield Line("ok", f"cxr-assistant {__version__} on Python {platform.python_version()}, {platform.platform()}")
    core = [_core(package, module) for package, module in _CORE.items()]
    yield from core
    if all(line.mark == "ok" for line in core):
        yield from _decoders()
        yield from _models()
    else:
        yield Line("note", "decoders and models were not tried without it")
    for extra, (module, purpose) in _EXTRAS.items():
        if find_spec(module) is None:
            yield Line("missing", f"{purpose} ({module}): in the repository, pip install '.[{extra}]'")
        else:
            yield Line("ok", f"{purpose} ({module})")
    if find_spec("PySide6") is not None:
        yield from _qt()


def _core(package: str, module: str) -> Line:
    again = f"run `{sys.executable} -m pip install --force-reinstall {package}`"
    try:
        import_module(module)
        return Line("ok", f"{package} {version(package)}")
    except PackageNotFoundError:
        return Line("broken", f"{package} is not installed: {again}")
    except ModuleNotFoundError as error:
        return Line("broken", f"{package} cannot be loaded (no module {error.name}): {again}")
    except Exception as error:  # noqa: BLE001  # a half installed or mismatched binary raises many kinds
        library = re.search(r"lib[\w+.-]*\.so[.\d]*", str(error))
        wanted = next((deb for start, deb in _LIBRARIES.items() if library and library[0].startswith(start)), None)
        remedy = f"run `apt-get install -y {wanted}`" if wanted else again
        return Line("broken", f"{package} cannot be loaded ({' '.join(str(error).split())[:160]}): {remedy}")


def _decoders() -> Iterator[Line]:
    try:
        import imagecodecs
        from PIL import features

        names = ("jpeg8", "jpegls", "jpeg2k", "dicomrle")
        absent = [name for name in names if not getattr(imagecodecs, name.upper()).available]
        if not features.check("jpg_2000"):
            absent.append("Pillow's JPEG 2000")
        if absent:
            yield Line(
                "broken", f"decoders missing: {', '.join(absent)}; run `pip install --force-reinstall imagecodecs`"
            )
        else:
            yield Line("ok", "decoders for RLE, JPEG (baseline, 12 bit, lossless), JPEG-LS, JPEG 2000, HTJ2K")
    except ImportError as error:
        yield Line("broken", f"decoders cannot be loaded ({error.name}): install cxr-assistant again")


def _models() -> Iterator[Line]:
    from cxr_core.bundle import MODELS_VARIABLE, bundle_folders, find_bundle, load_bundle
    from cxr_core.classifier import Classifier

    try:
        default = find_bundle().folder
    except CxrError as error:
        yield Line("broken", f"default model: {error}")
        default = None
    for folder in bundle_folders():
        try:
            bundle = load_bundle(folder)
            Classifier(bundle)
            used = ", used when none is named" if folder == default else ""
            name = f"model {bundle.manifest.name} {bundle.manifest.version}"
            yield Line("ok", f"{name}{used}: digests and golden pair agree on this machine ({folder})")
        except CxrError as error:
            yield Line("broken", f"model in {folder}: {error}")
    where = os.environ.get(MODELS_VARIABLE)
    yield Line("note", f"further models are looked for in ${MODELS_VARIABLE} ({where or 'not set'})")


def _qt() -> Iterator[Line]:
    try:
        import_module("PySide6.QtWidgets")
        yield Line("ok", "the system libraries that the reading station needs")
    except ImportError:
        command = f"apt-get install -y --no-install-recommends {QT_LIBRARIES}"
        hint = command if sys.platform.startswith("linux") else "install PySide6 again"
        yield Line("missing", f"system libraries of the reading station: {hint}")
