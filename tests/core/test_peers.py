"""DCMTK as the peer: what it transcodes we read alike, and what it renders we show alike."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest

from cxr_core.grayscale import default_voi, grayscale_table
from cxr_core.reading import read_image
from tests.dicom_builder import build, gradient, lut_item

pytestmark = pytest.mark.peers

LOSSLESS = {
    "implicit": (["dcmconv", "+ti"], "1.2.840.10008.1.2"),
    "explicit": (["dcmconv", "+te"], "1.2.840.10008.1.2.1"),
    "big endian": (["dcmconv", "+tb"], "1.2.840.10008.1.2.2"),
    "deflated": (["dcmconv", "+td"], "1.2.840.10008.1.2.1.99"),
    "RLE": (["dcmcrle"], "1.2.840.10008.1.2.5"),
    "JPEG lossless SV1": (["dcmcjpeg", "+e1"], "1.2.840.10008.1.2.4.70"),
    "JPEG lossless, predictor 6": (["dcmcjpeg", "+el", "+sv", "6"], "1.2.840.10008.1.2.4.57"),
    "JPEG lossless, predictor 2": (["dcmcjpeg", "+el", "+sv", "2"], "1.2.840.10008.1.2.4.57"),
    "JPEG-LS": (["dcmcjpls", "+el"], "1.2.840.10008.1.2.4.80"),
}


def _run(*arguments: str | Path) -> None:
    run = subprocess.run([*map(str, arguments)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, f"{arguments[0]}: {run.stderr}"


def _transcode(command: list[str], data: bytes, folder: Path) -> Path:
    before, after = folder / "before.dcm", folder / "after.dcm"
    before.write_bytes(data)
    _run(*command, before, after)
    return after


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("coding", LOSSLESS)
def test_lossless_transcoding_keeps_the_values(coding: str, bits: int, signed: bool, tmp_path: Path) -> None:
    stored = gradient(97, 83, bits, low=-(1 << (bits - 1)) if signed else 0)
    command, transfer_syntax = LOSSLESS[coding]
    image = read_image(_transcode(command, build(stored, bits_stored=bits, signed=signed), tmp_path))
    assert image.facts.transfer_syntax_uid == transfer_syntax
    np.testing.assert_array_equal(image.stored, stored)


@pytest.mark.parametrize(
    ("command", "transfer_syntax", "bits", "tolerance"),
    [
        (["dcmcjpeg", "+eb", "+q", "95"], "1.2.840.10008.1.2.4.50", 8, 5),
        (["dcmcjpeg", "+ee", "+q", "95"], "1.2.840.10008.1.2.4.51", 8, 5),
        (["dcmcjpeg", "+ee", "+q", "95"], "1.2.840.10008.1.2.4.51", 12, 40),
        (["dcmcjpls", "+en", "+md", "3"], "1.2.840.10008.1.2.4.81", 12, 3),
    ],
    ids=["baseline", "extended 8", "extended 12", "JPEG-LS near"],
)
def test_lossy_transcoding_comes_close_and_is_marked(
    command: list[str], transfer_syntax: str, bits: int, tolerance: int, tmp_path: Path
) -> None:
    stored = gradient(97, 83, bits)
    image = read_image(_transcode(command, build(stored, bits_stored=bits), tmp_path))
    assert image.facts.transfer_syntax_uid == transfer_syntax
    assert image.facts.lossy
    assert np.abs(image.stored.astype(int) - stored).max() <= tolerance


def test_dcmtk_reads_what_the_builder_writes(tmp_path: Path) -> None:
    """Else the tests of reading would hold the reader to the builder's own mistakes."""
    stored = gradient(97, 83, 12)
    decoders = {
        "implicit": "dcmconv",
        "deflated": "dcmconv",
        "big-endian": "dcmconv",
        "rle": "dcmdrle",
        "jpeg-lossless": "dcmdjpeg",
        "jpeg-lossless-sv1": "dcmdjpeg",
        "jpeg-ls": "dcmdjpls",
    }
    for syntax, command in decoders.items():
        data = build(stored, syntax=syntax)
        plain = _transcode([command, "+te"], data, tmp_path)
        np.testing.assert_array_equal(read_image(plain).stored, stored, err_msg=syntax)


CURVE = [int(4095 * (value / 3000) ** 2) for value in range(3000)]
MODALITY = [int(65535 * (value / 4095) ** 0.5) for value in range(4096)]
WINDOW: dict[str, Any] = {"WindowCenter": 1800, "WindowWidth": 1500}
RENDERINGS: dict[str, tuple[list[str], dict[str, Any]]] = {
    "no window": ([], {}),
    "LINEAR window": (["+Wi", "1"], WINDOW),
    "second of two windows is not used": (
        ["+Wi", "1"],
        {"WindowCenter": [1800, 100], "WindowWidth": [1500, 10]},
    ),
    "narrow window": (["+Wi", "1"], {"WindowCenter": 2000, "WindowWidth": 2}),
    "SIGMOID window": (["+Wfs", "+Wi", "1"], WINDOW | {"VOILUTFunction": "SIGMOID"}),
    "VOI LUT": (["+Wl", "1"], {"VOILUTSequence": [lut_item(CURVE, 500, 12)]}),
    "VOI LUT before a window": (["+Wl", "1"], {"VOILUTSequence": [lut_item(CURVE, 500, 12)]} | WINDOW),
    "modality LUT and window": (
        ["+Wi", "1"],
        {"ModalityLUTSequence": [lut_item(MODALITY, 0, 16)], "WindowCenter": 40000, "WindowWidth": 30000},
    ),
    "rescale": (
        ["+Wi", "1"],
        {"RescaleSlope": 2, "RescaleIntercept": -1024, "WindowCenter": 1000, "WindowWidth": 3000},
    ),
    "negative slope": (
        ["+Wi", "1"],
        {"RescaleSlope": -1, "RescaleIntercept": 4095, "WindowCenter": 1000, "WindowWidth": 1500},
    ),
    "negative slope, no window": ([], {"RescaleSlope": -1, "RescaleIntercept": 4095}),
    "shape INVERSE": (["+Wi", "1"], WINDOW | {"PresentationLUTShape": "INVERSE"}),
}


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
@pytest.mark.parametrize("rendering", RENDERINGS)
def test_dcmtk_renders_the_same_picture(rendering: str, photometric: str, signed: bool, tmp_path: Path) -> None:
    options, attributes = RENDERINGS[rendering]
    attributes = dict(attributes)
    low = 0
    if signed:
        # The same picture from stored values around 0: the modality transformation moves them back.
        if "ModalityLUTSequence" in attributes:
            attributes["ModalityLUTSequence"] = [lut_item(MODALITY, -2048, 16)]
        else:
            slope = attributes.get("RescaleSlope", 1)
            attributes["RescaleSlope"] = slope
            attributes["RescaleIntercept"] = attributes.get("RescaleIntercept", 0) + 2048 * slope
        low = -2048
    data = build(gradient(97, 83, 12, low=low), signed=signed, photometric=photometric, **attributes)
    source, picture = tmp_path / "film.dcm", tmp_path / "film.png"
    source.write_bytes(data)
    _run("dcm2pnm", "+on2", "-O", *options, source, picture)
    theirs = imagecodecs.png_decode(picture.read_bytes()) / 65535
    image = read_image(source)
    assert image.attributes is not None
    ours = grayscale_table(image.attributes, default_voi(image.attributes, image.stored))(image.stored)
    assert theirs.std() > 0.05
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1 / 255)
