"""The bundle folder as training writes it: manifest and card with the digests of what lies beside them."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cxr_core.bundle import CARD, DOMAIN, GOLDEN, MANIFEST, MODEL, NAME_PATTERN, VERSION_PATTERN
from training.evaluation.models import find_candidate
from training.model_card import probes_section, trials_section, with_section
from training.pictures import output_error
from training.run_folder import RunError


def check_name(version: str, name: str | None = None) -> None:
    """Raises RunError for a version or name that the manifest would refuse."""
    if not re.fullmatch(VERSION_PATTERN, version, re.ASCII):
        raise RunError(f"version {version}", "three numbers, like 0.1.0", "name another --version")
    if name is not None and not re.fullmatch(NAME_PATTERN, name):
        raise RunError(f"name {name}", "lower-case letters, digits and underscores", "name another --name")


def place_for(out: Path) -> Path:
    """The full path of a folder to write a bundle to, which is free, empty, or a bundle to replace.

    Raises
    ------
    RunError
        Something else is there.
    OutputError
        It cannot be looked into.
    """
    out = out.resolve()
    try:
        if out.exists() and not (out / MANIFEST).is_file() and (not out.is_dir() or any(out.iterdir())):
            raise RunError(
                f"{out}, which is no bundle", "a new or empty folder, or a bundle to replace", "name another --out"
            )
    except OSError as error:
        raise output_error(out, error) from error
    return out


def put_in_place(work: Path, folder: Path) -> None:
    """Rename `work` to `folder`; what was there is gone afterwards, or back when that fails. Raises OSError."""
    old = folder.with_name(folder.name + ".replaced")
    if not folder.exists():
        work.rename(folder)
        return
    shutil.rmtree(old, ignore_errors=True)  # of a replacement that was killed after its work was done
    folder.rename(old)
    try:
        work.rename(folder)
    except BaseException:
        old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def write_manifest(folder: Path, manifest: dict[str, Any], card: str) -> None:
    """Write the card, then the manifest with the digests of all files."""
    (folder / CARD).write_text(card, encoding="utf-8")
    manifest["sha256"] = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (MODEL, DOMAIN, GOLDEN, CARD)
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def complete_card(model: str, probes: Path | None, cross_validation: Path | None) -> Path:
    """Put into a bundle's card what was found after its export; the answers stay, the bundle's digest changes.

    Parameters
    ----------
    model : str
        Name or folder of a bundle, or a run folder with one.
    probes : Path, optional
        probes.json of `cxr-train probe`, of a bundle with the same graph: this one, or that of its run folder.
    cross_validation : Path, optional
        cross_validation.json of the recipe.

    Raises
    ------
    BundleError, EvaluationError, RunError, OutputError
        No bundle, a file that is none of these, probes of another model, a folder that cannot be written.
    """
    bundle = find_candidate(model).bundle
    folder = bundle.folder.resolve()
    card = bundle.card()
    if cross_validation is not None:
        card = with_section(card, _section(trials_section, cross_validation, "cross_validation.json", "cross-validate"))
    if probes is not None:

        def of_this_model(found: Any) -> str:
            told = found["model"]
            if told["graph_sha256"] != bundle.manifest.sha256[MODEL]:
                raise RunError(
                    f"{probes} of another model ({told['name']} {told['version']})",
                    f"probes of the graph of {folder.name}",
                    "probe it",
                )
            return probes_section(found)

        card = with_section(card, _section(of_this_model, probes, "probes.json", "probe"))
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    work = folder.with_name(folder.name + ".part")
    try:
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(folder, work)
        write_manifest(work, manifest, card)
        put_in_place(work, folder)
    except OSError as error:
        raise output_error(folder.parent, error) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder


def _section(section: Callable[[Any], str], path: Path, kind: str, command: str) -> str:
    """The section that a file gives. Raises RunError for a file of another kind."""
    try:
        return section(json.loads(path.read_bytes()))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise RunError(f"{path}, which is no {kind}", f"that of `cxr-train {command}`", "name it") from error
