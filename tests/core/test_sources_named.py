"""A source found again by the name that it was listed under."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from cxr_core.errors import ImageReadError
from cxr_core.reading.sources import find_sources, read_named
from tests.dicom_builder import build


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "wow! films"
    folder.mkdir()
    (folder / "a.dcm").write_bytes(build())
    with zipfile.ZipFile(folder / "films!.zip", "w") as archive:
        archive.writestr("inner!/b.dcm", build(PatientID="ZIPPED"))
        archive.writestr("../c.dcm", build())
    return folder


def loaded(load: Callable[[], bytes]) -> bytes | str:
    try:
        return load()
    except ImageReadError as error:
        return str(error)


def test_every_listed_name_gives_what_listing_gave(folder: Path) -> None:
    names = []
    for source in find_sources(str(folder)):  # an archive is open while its members are listed
        content = loaded(source.load)
        assert loaded(partial(read_named, source.name)) == content
        if source.open is None:
            assert (
                content == "a member path that climbs out of the archive; expected a path inside it; check its origin"
            )
        else:
            with source.open() as file:
                assert file.read() == content
        names.append(Path(source.name).name)
    assert names == ["a.dcm", "c.dcm", "b.dcm"]


def test_what_is_gone_is_a_clear_line(folder: Path) -> None:
    with pytest.raises(
        ImageReadError, match=r"^a file that is no longer there; expected the file that was listed; put"
    ):
        read_named(str(folder / "gone.dcm"))
    with pytest.raises(
        ImageReadError, match=r"^an archive without this member; expected the one that was listed; list"
    ):
        read_named(str(folder / "films!.zip!gone.dcm"))


def test_file_of_another_case_is_not_taken_for_it(folder: Path) -> None:
    (folder / "a.dcm").rename(folder / "A.DCM")
    with pytest.raises(ImageReadError, match="no longer there"):
        read_named(str(folder / "a.dcm"))
