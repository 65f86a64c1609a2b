"""Model bundles: found by name and version, verified file by file, and told apart when wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cxr_core.bundle import CARD, DOMAIN, GOLDEN, MANIFEST, MODEL, find_bundle, load_bundle
from cxr_core.classifier import Classifier
from cxr_core.errors import BundleError
from tests.bundle_builder import SHIPPED, change_manifest, copy_bundle, labels, sign

FILES = (MODEL, DOMAIN, GOLDEN, CARD)


@pytest.fixture(autouse=True)
def no_user_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data-home"))
    monkeypatch.delenv("CXR_MODELS", raising=False)


def one_line(error: pytest.ExceptionInfo[BundleError]) -> str:
    text = str(error.value)
    assert len(text.splitlines()) == 1
    return text


def test_shipped_bundle_is_whole() -> None:
    bundle = load_bundle(SHIPPED)
    assert bundle.manifest.name == "cnn"
    assert len(bundle.sha256) == 64
    assert bundle.card().startswith("#")


@pytest.mark.parametrize("name", FILES)
def test_changed_file_is_named(name: str, tmp_path: Path) -> None:
    folder = copy_bundle(tmp_path / "b")
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(BundleError) as error:
        load_bundle(folder)
    assert name in one_line(error)
    assert "changed" in str(error.value)


@pytest.mark.parametrize("name", FILES)
def test_missing_file_is_named(name: str, tmp_path: Path) -> None:
    folder = copy_bundle(tmp_path / "b")
    (folder / name).unlink()
    with pytest.raises(BundleError) as error:
        load_bundle(folder)
    assert f"no readable {name}" in one_line(error)


@pytest.mark.parametrize("name", FILES)
def test_digest_that_the_manifest_lacks_is_a_mismatch(name: str, tmp_path: Path) -> None:
    folder = copy_bundle(tmp_path / "b")
    digests = load_bundle(folder).manifest.sha256
    change_manifest(folder, sha256={key: value for key, value in digests.items() if key != name})
    with pytest.raises(BundleError) as error:
        load_bundle(folder)
    assert name in one_line(error)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000])
def test_damaged_manifest(content: bytes, tmp_path: Path) -> None:
    folder = copy_bundle(tmp_path / "b")
    (folder / MANIFEST).write_bytes(content)
    with pytest.raises(BundleError) as error:
        load_bundle(folder)
    assert MANIFEST in one_line(error)


def test_folder_without_manifest(tmp_path: Path) -> None:
    with pytest.raises(BundleError) as error:
        load_bundle(tmp_path)
    assert MANIFEST in one_line(error)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", 2),
        ("name", "Über Model"),
        ("version", "1.0"),
        ("task", "regression"),
        ("labels", labels("ONE")),
        ("labels", labels("NORMAL", "NORMAL")),
        ("positive", "FRACTURE"),
        ("thresholds", {}),
        ("thresholds", {"PNEUMONIA": 0.5, "FRACTURE": 0.5}),
        ("thresholds", {"PNEUMONIA": 1.5}),
        ("thresholds", {"PNEUMONIA": -0.1}),
        ("temperature", 0),
        ("temperature", -1.0),
        ("indeterminate", [0.6, 0.2]),
        ("indeterminate", [-0.1, 0.2]),
        ("input_scaling", "zero_to_255"),
        ("map_grid", [15]),
        ("map_grid", [0, 15]),
        ("population", {"description": "nobody", "min_age_years": 6, "below_age_years": 1}),
        ("prevalence", 0.0),
        ("prevalence", 1.5),
        ("prevalence", None),
        ("surprise", 1),
    ],
)
def test_manifest_value_that_is_not_allowed(key: str, value: Any, tmp_path: Path) -> None:
    folder = copy_bundle(tmp_path / "b", **{key: value})
    with pytest.raises(BundleError) as error:
        load_bundle(folder)
    assert MANIFEST in one_line(error)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999"])
@pytest.mark.parametrize("key", ["temperature", "prevalence"])
def test_number_that_is_not_finite(key: str, value: str, tmp_path: Path) -> None:
    folder = copy_bundle(tmp_path / "b", **{key: 0.123456})
    manifest = folder / MANIFEST
    manifest.write_text(manifest.read_text().replace("0.123456", value))
    with pytest.raises(BundleError) as error:
        load_bundle(folder)
    assert key in one_line(error)


@pytest.mark.parametrize("output", ["logits", "maps", "embedding"])
def test_golden_output_that_differs(output: str, tmp_path: Path) -> None:
    folder = copy_bundle(tmp_path / "b")
    with np.load(folder / GOLDEN) as golden:
        arrays = dict(golden)
    arrays[output] = arrays[output] + 0.05 * max(1.0, float(np.abs(arrays[output]).max()))
    np.savez(folder / GOLDEN, **arrays)
    sign(folder)
    with pytest.raises(BundleError) as error:
        Classifier(load_bundle(folder))
    assert f"other {output}" in one_line(error)


def test_golden_output_of_nan_is_no_agreement(tmp_path: Path) -> None:
    folder = copy_bundle(tmp_path / "b")
    with np.load(folder / GOLDEN) as golden:
        arrays = dict(golden)
    arrays["logits"] = np.full_like(arrays["logits"], np.nan)
    np.savez(folder / GOLDEN, **arrays)
    sign(folder)
    with pytest.raises(BundleError, match="other logits"):
        Classifier(load_bundle(folder))


@pytest.mark.parametrize("name", [MODEL, DOMAIN, GOLDEN])
@pytest.mark.parametrize("content", [b"", b"no such format", b"PK\x03\x04 and nothing else"])
def test_signed_file_of_nonsense(name: str, content: bytes, tmp_path: Path) -> None:
    folder = copy_bundle(tmp_path / "b")
    (folder / name).write_bytes(content)
    sign(folder)
    with pytest.raises(BundleError) as error:
        Classifier(load_bundle(folder))
    assert one_line(error)


@pytest.mark.parametrize("name", [DOMAIN, GOLDEN])
def test_arrays_that_are_missing(name: str, tmp_path: Path) -> None:
    folder = copy_bundle(tmp_path / "b")
    np.savez(folder / name, other=np.zeros(3))
    sign(folder)
    with pytest.raises(BundleError) as error:
        Classifier(load_bundle(folder))
    assert one_line(error)


def test_labels_that_the_graph_does_not_have(tmp_path: Path) -> None:
    folder = copy_bundle(tmp_path / "b", labels=labels("A", "B", "C"), positive=None, thresholds={}, indeterminate=None)
    with pytest.raises(BundleError) as error:
        Classifier(load_bundle(folder))
    assert "3 labels" in one_line(error)


def test_map_grid_that_the_graph_does_not_have(tmp_path: Path) -> None:
    folder = copy_bundle(tmp_path / "b", map_grid=[7, 7])
    with pytest.raises(BundleError) as error:
        Classifier(load_bundle(folder))
    assert "7 x 7" in one_line(error)


def test_highest_version_of_a_name_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("9.9.0", "9.10.0", "9.2.11"):
        copy_bundle(tmp_path / f"cnn-{version}", version=version)
    monkeypatch.setenv("CXR_MODELS", str(tmp_path))
    assert find_bundle("cnn").manifest.version == "9.10.0"


def test_cxr_models_comes_before_the_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_bundle(tmp_path / "mine", version="0.0.1")
    assert find_bundle().folder == SHIPPED
    monkeypatch.setenv("CXR_MODELS", str(tmp_path))
    assert find_bundle().folder == tmp_path / "mine"


def test_first_folder_of_cxr_models_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (1, 2):
        copy_bundle(tmp_path / str(number) / "cnn", version=f"0.0.{number}")
    folders = [str(tmp_path / "nowhere"), str(tmp_path / "1"), str(tmp_path / "2")]
    monkeypatch.setenv("CXR_MODELS", os.pathsep.join(folders))
    assert find_bundle("cnn").manifest.version == "0.0.1"


def test_user_folder_comes_before_the_shipped(tmp_path: Path) -> None:
    folder = tmp_path / "data-home" / "cxr-assistant" / "models" / "cnn-0.0.3"
    folder.parent.mkdir(parents=True)
    copy_bundle(folder, version="0.0.3")
    assert find_bundle().folder == folder


def test_other_name_stands_beside_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_bundle(tmp_path / "other", name="other_net")
    (tmp_path / "wreck").mkdir()
    (tmp_path / "wreck" / MANIFEST).write_text("{")
    monkeypatch.setenv("CXR_MODELS", str(tmp_path))
    assert find_bundle("other_net").folder == tmp_path / "other"
    assert find_bundle().folder == SHIPPED


def test_folder_is_taken_as_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copy_bundle(tmp_path / "here")
    assert find_bundle(str(folder)).folder == folder
    monkeypatch.chdir(tmp_path)
    assert find_bundle("here").folder == Path("here")


def test_unknown_name_lists_the_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wreck").mkdir()
    (tmp_path / "wreck" / MANIFEST).write_text("{")
    monkeypatch.setenv("CXR_MODELS", str(tmp_path))
    with pytest.raises(BundleError) as error:
        find_bundle("resnet")
    assert "no model named resnet" in one_line(error)
    assert "one of: cnn, mobilenetv2;" in str(error.value)
