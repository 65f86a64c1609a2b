"""The elements of a data set as a tree of texts, made as it is looked at: a large value costs nothing until then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from pydicom.datadict import dictionary_keyword, dictionary_VR
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag

from cxr_desktop.state.search import folded

#: Characters of a value that are shown, and that a search looks at.
SHOWN_CHARACTERS = 120
_SEARCHED_CHARACTERS = 10_000
#: Of a binary value that is shown as such.
_HEX_BYTES = 16
_UNREADABLE = "(cannot be read)"


class TagNode:
    """One element, or one item of a sequence (then `tag` is None).

    Parameters
    ----------
    data_set : Dataset
        That holds the element; the item itself.
    tag : BaseTag, optional
    parent : TagNode, optional
    row : int
        Its place among its siblings, from 0.
    """

    def __init__(self, data_set: Dataset, tag: BaseTag | None, parent: TagNode | None, row: int) -> None:
        self._data_set = data_set
        self.tag = tag
        self.parent = parent
        self.row = row

    @cached_property
    def children(self) -> list[TagNode]:
        """The items of a sequence, the elements of an item; none of other elements."""
        if self.tag is None:
            return _elements(self._data_set, self)
        if self.vr != "SQ":
            return []
        try:
            items = self._data_set[self.tag].value
            return [TagNode(item, None, self, row) for row, item in enumerate(items or ())]
        except Exception:  # noqa: BLE001  # a damaged sequence raises many kinds; its neighbours are whole
            return []

    @property
    def tag_text(self) -> str:
        """(0010,0010); the number of an item."""
        return f"Item {self.row + 1}" if self.tag is None else f"({self.tag.group:04X},{self.tag.element:04X})"

    @property
    def private(self) -> bool:
        """Whether a manufacturer, not the standard, says what it means (PS3.5 7.8)."""
        return self.tag is not None and self.tag.is_private

    @cached_property
    def vr(self) -> str:
        """The value representation, without parsing the value; "" of an item."""
        if self.tag is None:
            return ""
        try:
            vr = self._data_set.get_item(self.tag).VR
            if vr is None and not self.private:  # an implicit data set does not say it
                vr = dictionary_VR(self.tag)
            return str(vr or self._data_set[self.tag].VR)
        except Exception:  # noqa: BLE001  # as in `value`; also a tag that the dictionary does not know
            return "UN"

    @cached_property
    def keyword(self) -> str:
        """The standard's keyword; of a private element its creator and meaning, as far as they are known."""
        if self.tag is None:
            return ""
        if self.private:
            return self._private_name()
        try:
            return dictionary_keyword(self.tag)
        except KeyError:
            return "Group length" if self.tag.element == 0 else "Unknown"

    @property
    def path(self) -> str:
        """Where it is, from the outermost sequence on: ViewCodeSequence > Item 1 > CodeValue."""
        own = self.keyword or self.tag_text
        return own if self.parent is None else f"{self.parent.path} > {own}"

    def value(self, most: int = SHOWN_CHARACTERS) -> str:
        """The value as one line of at most about so many characters; of binary values their size."""
        if self.tag is None:
            return f"{len(self._data_set)} elements"
        try:
            if self.vr == "SQ":
                return f"{len(self.children)} item{'' if len(self.children) == 1 else 's'}"
            value = self._data_set[self.tag].value
            if isinstance(value, bytes):
                value = _binary(value)
            return _abbreviated(value, most)
        except Exception:  # noqa: BLE001  # pydicom parses on access and raises many kinds; the next element is whole
            return _UNREADABLE

    @cached_property
    def searched(self) -> str:
        """What a search looks at: tag in both ways of writing, keyword, VR, value; folded."""
        digits = "" if self.tag is None else f"{self.tag.group:04X}{self.tag.element:04X}"
        parts = (self.tag_text, digits, self.keyword, self.vr, self.value(_SEARCHED_CHARACTERS))
        return folded(" ".join(parts))

    def _private_name(self) -> str:
        assert self.tag is not None, "an item is not private"
        if self.tag.is_private_creator:
            return "Private creator"
        try:
            element = self._data_set[self.tag]
            return f"Private ({element.private_creator or 'no creator'}): {element.name.strip('[]')}"
        except Exception:  # noqa: BLE001  # as in `value`
            return "Private"


def tag_tree(data_set: Dataset) -> list[TagNode]:
    """The elements of a data set in order of their tags, file meta information first."""
    meta = getattr(data_set, "file_meta", None)
    first = [] if meta is None else _elements(meta, None)
    return first + _elements(data_set, None, len(first))


def search(nodes: Sequence[TagNode], words: Sequence[str]) -> Iterator[TagNode | None]:
    """The elements, however deep, that contain every word, in order; None for each other that was looked at.

    So that whoever asks can pause between two of them.
    """
    for node in nodes:
        text = node.searched
        yield node if all(word in text for word in words) else None
        yield from search(node.children, words)


def _elements(data_set: Dataset, parent: TagNode | None, start: int = 0) -> list[TagNode]:
    return [TagNode(data_set, tag, parent, row) for row, tag in enumerate(sorted(data_set.keys()), start)]


def _binary(value: bytes) -> str:
    """Text where it is text, as of private elements in implicit data sets; else its size, and bytes that are few."""
    text = value.rstrip(b" \0")
    if text and text.isascii() and text.decode("ascii").isprintable():
        return text.decode("ascii")
    few = f": {value.hex(' ')}" if 0 < len(value) <= _HEX_BYTES else ""
    return f"binary, {len(value):,} bytes{few}"


def _abbreviated(value: object, most: int) -> str:
    if isinstance(value, (MultiValue, list, tuple)):
        parts = [str(part) for part in value[: most // 2]]  # a value and its separator are two characters at least
        text = "\\".join(parts)
        more = f" ... ({len(value):,} values)"
        return text if len(text) <= most and len(parts) == len(value) else text[:most] + more
    text = " ".join(str("" if value is None else value).split())
    return text if len(text) <= most else f"{text[:most]} ... ({len(text):,} characters)"
