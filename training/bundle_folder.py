"""The bundle folder as training writes it: manifest and card with the digests of what lies beside them."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from cxr_core.bundle import CARD, DOMAIN, GOLDEN, MANIFEST, MODEL, find_bundle
from training import run_folder
from training.model_card import probes_section, trials_section, with_section
from training.pictures import output_error
from training.run_folder import RunError


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
        Name or folder of a bundle.
    probes : Path, optional
        probes.json of `cxr-train probe`, of a bundle with the same graph: this one, or that of its run folder.
    cross_validation : Path, optional
        cross_validation.json of the recipe.

    Raises
    ------
    BundleError, RunError, OutputError
        No bundle, a file that is none of these, probes of another model, a folder that cannot be written.
    """
    bundle = find_bundle(model)
    folder = bundle.folder
    card = bundle.card()
    if cross_validation is not None:
        card = with_section(card, trials_section(run_folder.read_json(cross_validation)))
    if probes is not None:
        found = run_folder.read_json(probes)
        if found["model"]["graph_sha256"] != bundle.manifest.sha256[MODEL]:
            told = f"{found['model']['name']} {found['model']['version']}"
            raise RunError(f"{probes} of another model ({told})", f"probes of the graph of {folder.name}", "probe it")
        card = with_section(card, probes_section(found))
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    work, old = folder.with_name(folder.name + ".part"), folder.with_name(folder.name + ".old")
    try:
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(folder, work)
        write_manifest(work, manifest, card)
        folder.rename(old)
        work.rename(folder)
        shutil.rmtree(old)
    except OSError as error:
        raise output_error(folder.parent, error) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder
