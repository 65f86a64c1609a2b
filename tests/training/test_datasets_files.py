"""Folders and zips list the same files; what climbs out, is encrypted, damaged or unreadable is named."""

from __future__ import annotations

import os
import struct
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.dataset_folders import put, zip_of
from training.datasets import DatasetError, files
from training.datasets.files import open_tree


def test_folder_and_zip_have_the_same_names_and_folders(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    put(folder, "b/2.png", "a/x/1.jpeg", "labels.json", ".git/c.png", "a/._1.jpeg", "__MACOSX/a/2.png")
    archive = zip_of(folder, tmp_path / "set.zip")
    one, other = open_tree(folder), open_tree(archive)
    assert list(one.sources) == list(other.sources) == ["a/x/1.jpeg", "b/2.png", "labels.json"]
    assert one.folders == other.folders == ("a", "a/x", "b")
    assert one.name == "set"
    assert {name: source.load() for name, source in other.sources.items()} == {
        name: (folder / name).read_bytes() for name in one.sources
    }


def test_below_renames_relative_to_the_new_root(tmp_path: Path) -> None:
    put(tmp_path, "a/x/1.jpeg", "a/2.jpeg", "ab/3.jpeg")
    tree = open_tree(tmp_path).below("a")
    assert {name: source.name for name, source in tree.sources.items()} == {"2.jpeg": "2.jpeg", "x/1.jpeg": "x/1.jpeg"}
    assert tree.folders == ("x",)
    assert (tree.subfolders(), tree.files_in(), tree.files_in("x")) == (["x"], ["2.jpeg"], ["1.jpeg"])


def test_a_zip_written_with_backslashes_reads_the_same(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.zip", "w") as archive:
        info = zipfile.ZipInfo("x")
        info.filename = "a\\1.jpeg"
        archive.writestr(info, b"1")
    assert list(open_tree(tmp_path / "w.zip").sources) == ["a/1.jpeg"]


def test_links_are_followed_and_a_loop_ends(tmp_path: Path) -> None:
    put(tmp_path / "elsewhere", "1.png")
    put(tmp_path / "set", "a/2.png")
    (tmp_path / "set/b").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set/a/loop").symlink_to(tmp_path / "set")
    assert list(open_tree(tmp_path / "set").sources) == ["a/2.png", "b/1.png"]


def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    put(tmp_path, "a/1.png")
    os.mkfifo(tmp_path / "a/pipe")
    assert list(open_tree(tmp_path).sources) == ["a/1.png"]


@pytest.mark.parametrize("name", ["../up.jpeg", "/etc/up.jpeg", "a/../../up.jpeg", "C:/up.jpeg"])
def test_a_member_that_climbs_out_is_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("a/1.jpeg", b"1")
        archive.writestr(name, b"2")
    with pytest.raises(DatasetError, match=r"evil\.zip!.*climbs out of the archive") as caught:
        open_tree(tmp_path / "evil.zip")
    assert "\n" not in str(caught.value)


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/1.jpeg", bytes(4 * 1024**2))
    with pytest.raises(DatasetError, match=r"bomb\.zip!a/1\.jpeg: a member that unpacks from"):
        open_tree(tmp_path / "bomb.zip")


def test_too_many_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "set", "1.png", "2.png")
    monkeypatch.setattr(files, "LIMITS", replace(files.LIMITS, max_archive_members=1))
    with pytest.raises(DatasetError, match="a zip of 2 members; expected at most 1"):
        open_tree(zip_of(tmp_path / "set", tmp_path / "set.zip"))


def test_an_encrypted_member_is_named(tmp_path: Path) -> None:
    put(tmp_path / "set", "1.png")
    path = zip_of(tmp_path / "set", tmp_path / "set.zip")
    data = bytearray(path.read_bytes())
    start = data.index(b"PK\x01\x02") + 8  # the flags in the central directory
    data[start : start + 2] = struct.pack("<H", 1)
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=r"set\.zip!1\.png: an encrypted member"):
        open_tree(path)


def test_a_damaged_member_is_named_when_it_is_read(tmp_path: Path) -> None:
    put(tmp_path / "set", "1.png", content=bytes(range(256)))
    path = zip_of(tmp_path / "set", tmp_path / "set.zip")
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=r"1\.png: a damaged archive member"):
        open_tree(path).read("1.png")


@pytest.mark.parametrize("content", [b"", b"no zip", b"\x1f\x8b a tar.gz"])
def test_a_file_that_is_no_zip_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "set.tar.gz").write_bytes(content)
    with pytest.raises(DatasetError, match=r"set\.tar\.gz, which is no whole zip; .*unpack other archives first"):
        open_tree(tmp_path / "set.tar.gz")


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no .*nowhere; expected a folder or a zip"):
        open_tree(tmp_path / "nowhere")


def test_a_folder_that_cannot_be_listed_is_an_error_and_not_a_smaller_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "a/1.png", "b/2.png")
    scandir = os.scandir

    def refusing(path: str) -> object:
        if str(path).endswith("b"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(DatasetError, match=r"folder .*b \(Permission denied\)"):
        open_tree(tmp_path)


def test_members_load_from_several_threads(tmp_path: Path) -> None:
    names = [f"{number}.png" for number in range(40)]
    for number, name in enumerate(names):
        put(tmp_path / "set", name, content=bytes([number]) * 50_000 + os.urandom(5_000))
    tree = open_tree(zip_of(tmp_path / "set", tmp_path / "set.zip"))
    loaded: dict[str, bytes] = {}
    workers = [
        threading.Thread(target=lambda part=part: loaded.update((n, tree.read(n)) for n in part))  # type: ignore[misc]
        for part in (names[::2], names[1::2], names[::3])
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert loaded == {name: (tmp_path / "set" / name).read_bytes() for name in names}
