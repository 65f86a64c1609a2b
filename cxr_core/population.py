"""Is the patient one of those whom the bundle was validated for?"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

PopulationState = Literal["inside", "outside", "unknown"]


class Population(BaseModel):
    """The patients that a bundle names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: str
    """In words, as it follows "validated for": "children of 1 to 5 years"."""

    min_age_years: float
    """Inclusive."""

    below_age_years: float
    """Exclusive: children of 1 to 5 years are under 6."""

    def state(self, age_years: float | None) -> PopulationState:
        """Where a patient of this age in years (None: unknown) stands."""
        if age_years is None:
            return "unknown"
        return "inside" if self.min_age_years <= age_years < self.below_age_years else "outside"
