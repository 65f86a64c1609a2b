"""Every kind of bad input, as paths that a reader could open: what the list or a message has to say of each."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from pathlib import Path

import cv2
import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import ExplicitVRLittleEndian, MediaStorageDirectoryStorage

from tests.dicom_builder import TRANSFER_SYNTAXES, build, gradient, header, to_bytes


def bad_files() -> dict[str, tuple[bytes, str]]:
    """File names, their content, and words of the reason."""
    whole = build()
    files = {
        "empty.dcm": (b"", "an empty file"),
        "text.dcm": (b"This is a text.\n" * 100, "a file of another kind"),
        "zeros.dcm": (b"\0" * 4096, "a file of another kind"),
        "prefix.dcm": (b"\0" * 128 + b"DICM", "a truncated DICOM file"),
        "ff.dcm": (b"\0" * 128 + b"DICM" + b"\xff" * 4096, ""),
        "short.dcm": (b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100", "no Rows"),
        "paper.pdf": (b"%PDF-1.7\n" * 50, "a file of another kind"),
        "cut.jpg": (b"\xff\xd8\xff", "damaged JPEG"),
        "cut.png": (b"\x89PNG\r\n\x1a\n", "damaged PNG"),
        "half.jpg": (_picture(".jpg")[:900], "damaged JPEG"),
        "half.png": (_picture(".png")[:900], "damaged PNG"),
        "moving.gif": (b"GIF89a" + b"\0" * 100, "a file of another kind"),
        "cut-in-header.dcm": (whole[:500], ""),
        "cut-in-pixels.dcm": (whole[:-2000], "bytes of pixel data"),
        "too-long.dcm": (build(PixelData=b"\1" * 10**6), "bytes of pixel data"),
        "huge.dcm": (build(Rows=60000, Columns=60000), "60000 x 60000 pixels"),
        "32-bit.dcm": (build(BitsAllocated=32), "12 bits stored in 32 allocated"),
        "17-bit.dcm": (build(BitsStored=17), "17 bits stored in 16 allocated"),
        "high-bit.dcm": (build(HighBit=255), "igh"),
        "representation.dcm": (build(PixelRepresentation=2), "Pixel Representation 2"),
        "samples.dcm": (build(SamplesPerPixel=3), ""),
        "no-kind.dcm": (build(PhotometricInterpretation="SYNTHETIC"), "Photometric Interpretation of no defined term"),
        "frames.dcm": (build(NumberOfFrames=3), "3 frames"),
        "no-pixels.dcm": (to_bytes(header(Modality="SR")), "without a picture"),
        "nested.dcm": (_nested(), ""),
        "rle-outside.dcm": (_rle_outside(), "RLE pixel data whose segments lie outside the frame"),
        "jpeg-claims.dcm": (_stream_that_claims("jpeg-lossless-sv1", b"\xff\xc3"), "compressed"),
        "jls-claims.dcm": (_stream_that_claims("jpeg-ls", b"\xff\xf7"), "compressed"),
    }
    for keyword in ("Rows", "Columns", "BitsAllocated", "BitsStored", "PixelRepresentation"):
        files[f"no-{keyword}.dcm"] = (build(**{keyword: None}), f"no {keyword}")
    for keyword in ("Rows", "Columns"):
        files[f"zero-{keyword}.dcm"] = (build(**{keyword: 0}), "expected at least 1 x 1")
    for syntax in [name for name, uid in TRANSFER_SYNTAXES.items() if uid.is_encapsulated]:
        bits = 8 if syntax == "jpeg-baseline" else 12
        frame = get_frame(dcmread(io.BytesIO(build(syntax=syntax, bits_stored=bits))).PixelData, 0, number_of_frames=1)
        cut = build(syntax=syntax, bits_stored=bits, PixelData=encapsulate([frame[: len(frame) // 2]]))
        files[f"cut-{syntax}.dcm"] = (cut, "")
        noise = np.random.default_rng(1).bytes(3000)
        files[f"noise-{syntax}.dcm"] = (build(syntax=syntax, bits_stored=bits, PixelData=encapsulate([noise])), "")
    return files


def bad_paths(folder: Path) -> dict[Path, str]:
    """Archives, directories, folders, pipes and links: the path that is opened, and words of what is told."""
    good = build()
    locked = Path(_zip(folder / "locked.zip", {"locked.dcm": good}))
    data = bytearray(locked.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.find(signature) + offset] |= 1
    locked.write_bytes(data)
    cut = Path(_zip(folder / "cut.zip", {"a.dcm": good, "b.dcm": good}))
    cut.write_bytes(cut.read_bytes()[:-60])
    hurt = Path(_zip(folder / "hurt.zip", {"a.dcm": good}))
    data = bytearray(hurt.read_bytes())
    data[200] ^= 0xFF
    hurt.write_bytes(data)
    inner = Path(_zip(folder / "inner.zip", {"film.dcm": good})).read_bytes()
    for name in ("empty", "papers", "disc", "lost", "nothing"):
        (folder / name).mkdir()
    (folder / "papers" / "notes.txt").write_bytes(b"text")
    (folder / "disc" / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM" + b"\x04\x00" * 50)
    (folder / "SECRET").write_bytes(good)
    os.mkfifo(folder / "pipe")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "nowhere").symlink_to(folder / "missing.dcm")
    return {
        locked: "an encrypted member",
        cut: "a damaged zip archive",
        hurt: "damage",
        Path(_zip(folder / "outer.zip", {"inner.zip": inner})): "a zip within a zip",
        Path(_zip(folder / "climbs.zip", {"../up.dcm": good})): "climbs out of the archive",
        Path(_zip(folder / "bomb.zip", {"bomb.dcm": b"\0" * 3 * 1024**2})): "a member that unpacks from",
        Path(_zip(folder / "no-images.zip", {"readme.txt": b"text"})): "a zip without images",
        Path(_zip(folder / "nothing.zip", {})): "a zip without images",
        folder / "empty": "a folder without images",
        folder / "papers": "a folder without images",
        folder / "disc" / "DICOMDIR": "a damaged DICOMDIR",
        Path(_dicomdir(folder / "lost", ["MISSING"])): "cannot be read",
        Path(_dicomdir(folder / "nothing", ["..", "SECRET"])): "climbs out of its folder",
        folder / "pipe": "a pipe or device",
        Path("/dev/zero"): "a pipe or device",
        folder / "loop": "cannot be read",
        folder / "nowhere": "cannot be read",
        folder / "never.dcm": "cannot be read",
        folder / ("n" * 300): "cannot be read",
    }


def _picture(kind: str) -> bytes:
    return cv2.imencode(kind, gradient(200, 200, 8).astype(np.uint8))[1].tobytes()


def _zip(path: Path, members: dict[str, bytes]) -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return str(path)


def _dicomdir(folder: Path, file_id: list[str]) -> str:
    record, directory = Dataset(), Dataset()
    record.DirectoryRecordType = "IMAGE"
    record.ReferencedFileID = file_id
    directory.FileSetID = "TEST"
    directory.DirectoryRecordSequence = [record]
    directory.file_meta = FileMetaDataset()
    directory.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    directory.file_meta.MediaStorageSOPInstanceUID = "2.25.7"
    directory.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    directory.save_as(folder / "DICOMDIR", enforce_file_format=True)
    return str(folder / "DICOMDIR")


def _nested(depth: int = 3000) -> bytes:
    start = b"\x40\x00\x75\x02SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    return to_bytes(header()) + start * depth


def _rle_outside() -> bytes:
    whole = build(gradient(96, 80), syntax="rle", Columns=32768, Rows=96)
    frame = get_frame(dcmread(io.BytesIO(whole)).PixelData, 0, number_of_frames=1)
    broken = frame[:4] + struct.pack("<II", 64, 0xFFFFFFF0) + frame[12:]
    return build(syntax="rle", Columns=32768, Rows=96, PixelData=encapsulate([broken]))


def _stream_that_claims(syntax: str, marker: bytes) -> bytes:
    """A header of 96 x 80 over a stream that says 60000 x 60000."""
    frame = bytearray(get_frame(dcmread(io.BytesIO(build(syntax=syntax))).PixelData, 0, number_of_frames=1))
    at = frame.find(marker)
    frame[at + 5 : at + 9] = struct.pack(">HH", 60000, 60000)
    return build(syntax=syntax, PixelData=encapsulate([bytes(frame)]))
