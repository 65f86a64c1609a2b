"""Model bundles for tests: the shipped one copied and changed, or with a graph that gives chosen outputs."""

from __future__ import annotations

import hashlib
import json
import shutil
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cxr_core.bundle import DOMAIN, GOLDEN, MANIFEST, load_bundle
from cxr_core.classifier import Classifier, Outputs
from cxr_core.domain import DomainCheck
from cxr_core.settings import Settings

SHIPPED = max((Path(str(files("resources"))) / "models").glob("cnn-*"))


def copy_bundle(folder: Path, **changes: Any) -> Path:
    """A copy of the shipped CNN bundle at `folder`, its manifest changed; None removes a key."""
    shutil.copytree(SHIPPED, folder)
    change_manifest(folder, **changes)
    return folder


def change_manifest(folder: Path, **changes: Any) -> None:
    """Write other values into bundle.json."""
    manifest = json.loads((folder / MANIFEST).read_text()) | changes
    manifest = {key: value for key, value in manifest.items() if value is not None or key in _OPTIONAL}
    (folder / MANIFEST).write_text(json.dumps(manifest))


_OPTIONAL = ("positive", "indeterminate")


def sign(folder: Path) -> None:
    """Write the digests of the files as they are now into bundle.json."""
    names = json.loads((folder / MANIFEST).read_text())["sha256"]
    change_manifest(folder, sha256={name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names})


def labels(*names: str) -> list[dict[str, Any]]:
    """Labels of a manifest."""
    return [{"name": name, "meaning": f"{name} pattern", "code": None} for name in names]


def answering(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    logits: list[float],
    settings: Settings | None = None,
    *,
    in_domain: bool = True,
    **changes: Any,
) -> Classifier:
    """A classifier whose graph gives these logits for every input, with a manifest changed as told."""
    fixed = np.array(logits, np.float32)

    class Graph:
        def __init__(self, path: Path, threads: int) -> None:
            pass

        def __call__(self, inputs: np.ndarray) -> Outputs:
            n = len(inputs)
            maps = np.zeros((n, len(fixed), 15, 15), np.float32)
            return Outputs(np.repeat(fixed[None], n, axis=0), maps, np.zeros((n, 4), np.float32))

    monkeypatch.setattr("cxr_core.classifier.LiteRtGraph", Graph)
    copy_bundle(folder, temperature=1.0, **changes)
    golden = Graph(folder, 1)(np.zeros((1, 150, 150, 3), np.float32))
    np.savez(
        folder / GOLDEN,
        grey=np.zeros((150, 150), np.uint8),
        logits=np.nan_to_num(golden.logits),
        maps=golden.maps,
        embedding=golden.embedding,
    )
    check = DomainCheck.load(folder / DOMAIN)
    values = {name: getattr(check, name) for name in DomainCheck.__slots__}
    values["limit"] = values["typical"] + (1e6 if in_domain else 1e-6)
    values["output_kernel"] = np.zeros_like(values["output_kernel"])
    DomainCheck(**values).save(folder / DOMAIN)
    sign(folder)
    return Classifier(load_bundle(folder), settings)
