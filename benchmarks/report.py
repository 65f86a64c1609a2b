"""A figure with its mark, and the line that it is printed as."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal


class NotRunError(Exception):
    """A benchmark that lacks something here; the text says what."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a figure must reach."""

    limit: float
    kind: Literal["at least", "at most"]

    def met(self, measured: float) -> bool:
        """Whether it does. A NaN never does."""
        return measured >= self.limit if self.kind == "at least" else measured <= self.limit


def at_least(limit: float) -> Mark:
    """A mark that is a lower bound."""
    return Mark(limit, "at least")


def at_most(limit: float) -> Mark:
    """A mark that is an upper bound."""
    return Mark(limit, "at most")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure; without a mark it is information."""

    what: str
    measured: float
    unit: str = ""
    mark: Mark | None = None
    detail: str = ""
    """How it came about: counts, bounds, the two sides of a ratio."""

    @property
    def missed(self) -> bool:
        """Whether it has a mark and does not reach it."""
        return self.mark is not None and not self.mark.met(self.measured)

    def line(self) -> str:
        """What, measured, the mark, met or missed."""
        state = "info" if self.mark is None else "MISSED" if self.missed else "met"
        text = f"  {state:6} {self.what}: {number(self.measured)}{self.unit and ' ' + self.unit}"
        if self.mark is not None:
            text += f", mark {self.mark.kind} {number(self.mark.limit)}"
        return f"{text} ({self.detail})" if self.detail else text


def number(value: float) -> str:
    """Four significant digits, whole numbers as they are."""
    if not math.isfinite(value):
        return str(value)
    return f"{value:.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.4g}"
