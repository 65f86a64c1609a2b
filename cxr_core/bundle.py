"""Model bundles: find them, check them, load them.

A bundle is a folder: bundle.json (the manifest below), model.tflite, domain.npz, golden.npz, MODEL_CARD.md.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from cxr_core.errors import BundleError
from cxr_core.population import Population
from cxr_core.preprocess import InputScaling

MANIFEST, MODEL, DOMAIN, GOLDEN, CARD = "bundle.json", "model.tflite", "domain.npz", "golden.npz", "MODEL_CARD.md"
#: The bundle that is used when none is named.
DEFAULT_MODEL = "cnn"
#: Environment variable with further folders of bundles, separated like PATH.
MODELS_VARIABLE = "CXR_MODELS"
#: What a bundle may be called, and how its versions are written.
NAME_PATTERN, VERSION_PATTERN = r"^[a-z0-9_]+$", r"^\d+\.\d+\.\d+$"


#: A probability or a share of patients.
Share = Annotated[float, Field(ge=0, le=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ConceptCode(_Part):
    """A DICOM code (PS3.3 Table 8.8-1)."""

    value: str
    scheme: str
    meaning: str


class Label(_Part):
    """One output of the network."""

    name: str
    meaning: str
    """What a person reads."""

    code: ConceptCode | None = None


class Manifest(_Part):
    """bundle.json. Labels, thresholds and limits are data of the bundle; nothing of them is in code."""

    format: Literal[1]
    name: str = Field(pattern=NAME_PATTERN)
    version: str = Field(pattern=VERSION_PATTERN)
    description: str
    task: Literal["single_label", "multi_label"]
    labels: tuple[Label, ...]
    """In the order of the network's outputs."""

    positive: str | None
    """The positive class of a two-class bundle."""

    input_scaling: InputScaling
    map_grid: tuple[PositiveInt, PositiveInt]
    """Rows and columns of the Grad-CAM maps."""

    temperature: float = Field(gt=0)
    """Logits are divided by it (Guo et al., On Calibration of Modern Neural Networks, ICML 2017)."""

    thresholds: dict[str, Share]
    """Of the calibrated probability, by label."""

    threshold_rule: str
    indeterminate: tuple[Share, Share] | None
    """Probabilities of the positive class between which the answer is indeterminate."""

    population: Population
    prevalence: float = Field(gt=0, lt=1)
    """Share of positives on which the probabilities are calibrated."""

    training_prevalence: Share
    training_data: str
    training_fingerprint: str
    metrics: dict[str, Any]
    sha256: dict[str, str]
    """Digests of the bundle's other files."""

    @model_validator(mode="after")
    def _labels_fit(self) -> Manifest:
        names = [label.name for label in self.labels]
        if len(names) < 2 or len(set(names)) != len(names):
            raise ValueError("labels must be two or more, all different")
        if self.positive is not None and (self.positive not in names or len(names) != 2):
            raise ValueError("positive must be one of two labels")
        unknown = set(self.thresholds) - set(names)
        needed = set(names) if self.task == "multi_label" else {self.positive} - {None}
        if unknown or not needed <= set(self.thresholds):
            raise ValueError("thresholds must be given for the positive label, or for each of a multi-label bundle")
        if self.indeterminate is not None and self.indeterminate[0] > self.indeterminate[1]:
            raise ValueError("indeterminate must be a lower and an upper probability")
        return self


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose files are all there and have the digests that the manifest names."""

    folder: Path
    manifest: Manifest
    sha256: str
    """Digest of bundle.json, and so of all."""

    def card(self) -> str:
        """The model card, Markdown."""
        return (self.folder / CARD).read_text(encoding="utf-8")


def load_bundle(folder: Path) -> Bundle:
    """Read and verify one bundle folder.

    Raises
    ------
    BundleError
        The manifest is missing or wrong, or a file is missing or has another digest.
    """
    remedy = "install the bundle again"
    try:
        raw = (folder / MANIFEST).read_bytes()
        manifest = Manifest.model_validate_json(raw)
    except OSError as error:
        raise BundleError(f"no readable {MANIFEST} in {folder}", "a model bundle", remedy) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise BundleError(f"{MANIFEST} of {folder.name}: {where}: {first['msg']}", "format 1", remedy) from error
    for name in (MODEL, DOMAIN, GOLDEN, CARD):
        try:
            digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        except OSError as error:
            raise BundleError(f"no readable {name} in {folder}", "a whole bundle", remedy) from error
        if digest != manifest.sha256.get(name):
            raise BundleError(f"{name} of bundle {folder.name} was changed", "the SHA-256 of its manifest", remedy)
    return Bundle(folder, manifest, hashlib.sha256(raw).hexdigest())


def bundle_folders() -> Iterator[Path]:
    """Folders that hold a manifest: those in $CXR_MODELS, the user's own, and those shipped, in this order."""
    from platformdirs import user_data_path

    roots = [Path(part) for part in os.environ.get(MODELS_VARIABLE, "").split(os.pathsep) if part]
    roots += [user_data_path("cxr-assistant", appauthor=False) / "models", Path(str(files("resources"))) / "models"]
    for root in roots:
        if root.is_dir():
            yield from sorted(path.parent for path in root.glob(f"*/{MANIFEST}"))


def find_bundle(name: str | None = None) -> Bundle:
    """The bundle of a name, or a folder that holds one; the default when no name is given.

    Of one name the first root wins, and in it the highest version. Raises BundleError.
    """
    name = name or DEFAULT_MODEL
    if os.sep in name or Path(name, MANIFEST).is_file():
        return load_bundle(Path(name))
    known: dict[Path, list[tuple[tuple[int, ...], Path]]] = {}
    names = set()
    for folder in bundle_folders():
        found, version = name_and_version(folder)
        names.add(found)
        if found == name:
            known.setdefault(folder.parent, []).append((version, folder))
    if not known:
        available = ", ".join(sorted(names - {""})) or "none"
        raise BundleError(f"no model named {name}", f"one of: {available}", "see `cxr models`")
    return load_bundle(max(next(iter(known.values())))[1])


def name_and_version(folder: Path) -> tuple[str, tuple[int, ...]]:
    """Name and version as the manifest says them, without verifying the rest; ("", ()) when it cannot be read."""
    try:
        data = json.loads((folder / MANIFEST).read_bytes())
        return str(data["name"]), tuple(int(part) for part in re.findall(r"\d+", data["version"]))
    except (OSError, ValueError, KeyError, TypeError):
        return "", ()
