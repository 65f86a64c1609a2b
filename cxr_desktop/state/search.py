"""Search in any script: what is searched in a record, and what a person typed, brought to one form."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePath

from cxr_desktop.state.records import InstanceRecord

#: Latin letters that Unicode does not take apart into a letter and a mark.
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe", "þ": "th", "ħ": "h", "\u0131": "i"}
    | {chr(code): chr(code - 0x60) for code in range(0x30A1, 0x30F7)}  # katakana as hiragana
)
#: Between the component groups and the components of a person name (PS3.5 6.2.1), and between typed words.
_SEPARATORS = re.compile(r"[\^=,;\s\0]+")
_MONTH = re.compile(r"(\d{1,2})[/.](\d{4})")


def folded(text: str) -> str:
    """Text without what people leave out or write differently: case, width, accents of alphabets, kind of kana.

    Only the accents of Latin, Greek and Cyrillic go (U+0300 to U+036F): in other scripts marks are letters.
    """
    text = unicodedata.normalize("NFKC", text).casefold()
    plain = "".join(c for c in unicodedata.normalize("NFD", text) if not "\u0300" <= c <= "\u036f")
    return unicodedata.normalize("NFC", plain).translate(_LETTERS)


def searched_text(record: InstanceRecord) -> str:
    """All that is found of a record, folded, parts separated by spaces: name, ID, accession, dates, descriptions."""
    parts = [
        record.patient_name,
        # Family and given name are written together in ideographs and Hangul.
        *(group.replace("^", "") for group in record.patient_name.split("=")[1:]),
        record.patient_id,
        record.accession_number,
        *_dates(record.study_date),
        record.study_description,
        record.series_description,
        PurePath(record.name.rpartition("!")[2]).name,
    ]
    return " ".join(word for word in _SEPARATORS.split(folded(" ".join(parts))) if word)


def query_words(typed: str) -> list[str]:
    """The words that a record's `searched_text` must all contain; none where nothing was typed."""
    words = [word for word in _SEPARATORS.split(folded(typed)) if word]
    return [_padded_month(word) for word in words]


def _dates(date: str) -> list[str]:
    """A DICOM date as people type it; parts of these, as 2024-03 and 03/2024, are found in them."""
    if not re.fullmatch(r"\d{8}", date):
        return [date]
    year, month, day = date[:4], date[4:6], date[6:]
    return [
        date,
        *(sign.join((year, month, day)) for sign in "-/."),
        *(sign.join((day, month, year)) for sign in "./"),
        f"{month}/{day}/{year}",
    ]


def _padded_month(word: str) -> str:
    found = _MONTH.fullmatch(word)
    return f"{found[1]:0>2}{word[len(found[1])]}{found[2]}" if found else word
