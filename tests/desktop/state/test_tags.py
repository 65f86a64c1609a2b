"""Elements of a data set as texts."""

from __future__ import annotations

import io

import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from cxr_desktop.state.search import folded
from cxr_desktop.state.tags import SHOWN_CHARACTERS, TagNode, search, tag_tree
from tests.dicom_builder import build, header, to_bytes


def nested() -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "272479007", "SCT", "postero-anterior"
    data_set = header(ViewCodeSequence=[code], PatientName="Ёлкин^Андрей", SpecificCharacterSet="ISO_IR 192")
    block = data_set.private_block(0x0011, "SYNTHETIC MAKER", create=True)
    block.add_new(0x01, "LO", "secret setting")
    return data_set


def reread(data_set: Dataset, syntax: str = "explicit") -> Dataset:
    return pydicom.dcmread(io.BytesIO(to_bytes(data_set, syntax)))


def named(nodes: list[TagNode]) -> dict[str, TagNode]:
    return {node.keyword: node for node in nodes}


@pytest.mark.parametrize("syntax", ["explicit", "implicit", "big-endian"])
def test_elements_in_order_with_the_file_meta_information_first(syntax: str) -> None:
    nodes = tag_tree(reread(nested(), syntax))
    assert [node.tag_text for node in nodes] == sorted(node.tag_text for node in nodes)
    assert nodes[0].tag_text == "(0002,0000)"
    assert [node.row for node in nodes] == list(range(len(nodes)))
    name = named(nodes)["PatientName"]
    assert (name.tag_text, name.vr, name.value(), name.private) == ("(0010,0010)", "PN", "Ёлкин^Андрей", False)


def test_sequences_are_nested() -> None:
    view = named(tag_tree(reread(nested())))["ViewCodeSequence"]
    assert (view.vr, view.value()) == ("SQ", "1 item")
    (item,) = view.children
    assert (item.tag_text, item.keyword, item.vr, item.value()) == ("Item 1", "", "", "3 elements")
    meaning = named(item.children)["CodeMeaning"]
    assert meaning.path == "ViewCodeSequence > Item 1 > CodeMeaning"
    assert meaning.value() == "postero-anterior"


@pytest.mark.parametrize("syntax", ["explicit", "implicit"])
def test_private_elements_are_marked(syntax: str) -> None:
    private = [node for node in tag_tree(reread(nested(), syntax)) if node.private]
    assert [node.tag_text for node in private] == ["(0011,0010)", "(0011,1001)"]
    assert private[0].keyword == "Private creator"
    assert private[1].keyword == "Private (SYNTHETIC MAKER): Private tag data"
    assert private[1].value() == "secret setting"


def test_long_and_binary_values_are_abbreviated() -> None:
    data_set = header(ImageComments="x" * 5000, RedPaletteColorLookupTableData=bytes(512))
    data_set.add_new(0x00281201, "OW", b"\x00\x01" * 4)
    data_set.add_new(0x00283006, "US", list(range(1000)))
    data_set.PixelData = bytes(100_000)
    data_set["PixelData"].VR = "OW"
    found = named(tag_tree(reread(data_set)))
    assert found["ImageComments"].value() == "x" * SHOWN_CHARACTERS + " ... (5,000 characters)"
    assert found["ImageComments"].value(10_000) == "x" * 5000
    assert found["PixelData"].value() == "binary, 100,000 bytes"
    assert found["RedPaletteColorLookupTableData"].value() == "binary, 8 bytes: 00 01 00 01 00 01 00 01"
    assert found["LUTData"].value().startswith("0\\1\\2\\3")
    assert found["LUTData"].value().endswith(" ... (1,000 values)")
    assert len(found["LUTData"].value()) < 150


def test_damaged_value_is_said_to_be() -> None:
    content = to_bytes(header(PatientID="SYN-12")).replace(b"LO\x06\x00SYN-12", b"UL\x06\x00SYN-12")
    found = named(tag_tree(pydicom.dcmread(io.BytesIO(content))))
    assert found["PatientID"].value() == "(cannot be read)"
    assert found["PatientName"].value() == "SYNTHETIC^TEST"


def test_damaged_value_representation_is_unknown() -> None:
    content = build().replace(b"\xe0\x7f\x10\x00OW", b"\xe0\x7f\x10\x00O\xf7")
    nodes = tag_tree(pydicom.dcmread(io.BytesIO(content)))
    assert (nodes[-1].tag_text, nodes[-1].vr, nodes[-1].value()) == ("(7FE0,0010)", "UN", "(cannot be read)")
    assert [node for node in search(nodes, ["7fe00010"]) if node is not None] == [nodes[-1]]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("codemeaning", ["ViewCodeSequence > Item 1 > CodeMeaning"]),
        ("0010,0010", ["PatientName"]),
        ("00100010", ["PatientName"]),
        ("елкин", ["PatientName"]),
        ("pn андреи", ["PatientName"]),
        ("secret", ["Private (SYNTHETIC MAKER): Private tag data"]),
        ("codevalue 272479007", ["ViewCodeSequence > Item 1 > CodeValue"]),
        ("nowhere", []),
    ],
)
def test_search_by_keyword_tag_vr_and_value(typed: str, found: list[str]) -> None:
    nodes = tag_tree(reread(nested()))
    results = list(search(nodes, folded(typed).split()))
    assert [node.path for node in results if node is not None] == found
    assert len(results) == len(nodes) + 4


def test_values_are_parsed_when_they_are_looked_at() -> None:
    data_set = pydicom.dcmread(io.BytesIO(build()))
    nodes = tag_tree(data_set)
    assert [node.vr for node in nodes if node.tag_text == "(0010,0020)"] == ["LO"]
    assert isinstance(data_set.get_item("PatientID"), RawDataElement)
    assert [node.value() for node in nodes if node.tag_text == "(0010,0020)"] == ["SYNTHETIC-T"]
    assert not isinstance(data_set.get_item("PatientID"), RawDataElement)
