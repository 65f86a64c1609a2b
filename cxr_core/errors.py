"""The core's error classes: each carries its parts and composes one line from them."""

from __future__ import annotations


class CxrError(Exception):
    """Base class of every error that the core raises on purpose.

    Parameters
    ----------
    found : str
        What was met, in words that carry no patient data.
    expected : str
        What would have been right.
    remedy : str
        What the person in front of it can do.
    """

    def __init__(self, found: str, expected: str = "", remedy: str = "") -> None:
        self.found = found
        self.expected = expected
        self.remedy = remedy
        super().__init__(found, expected, remedy)

    def __str__(self) -> str:
        text = self.found
        if self.expected:
            text += f"; expected {self.expected}"
        if self.remedy:
            text += f"; {self.remedy}"
        return " ".join(text.split())


class ImageReadError(CxrError):
    """A file, archive member or byte string that cannot be read as a single-frame image."""

    sop_instance_uid: str | None = None
    """SOP Instance UID, where the header could be read before the rest could not."""


class OutputError(CxrError):
    """A folder that cannot be written to."""


class BundleError(CxrError):
    """A model bundle that is missing, damaged, or does not do what it says."""


class SettingsError(CxrError):
    """A setting whose value is not allowed."""
