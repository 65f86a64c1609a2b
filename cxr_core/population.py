"""Is the patient one of those whom the bundle was validated for?"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator

PopulationState = Literal["inside", "outside", "unknown"]


class Population(BaseModel):
    """The patients that a bundle names."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    description: str
    """In words, as it follows "validated for": "children of 1 to 5 years"."""

    min_age_years: float
    """Inclusive."""

    below_age_years: float
    """Exclusive: children of 1 to 5 years are under 6."""

    @model_validator(mode="after")
    def _ages_rise(self) -> Population:
        if not 0 <= self.min_age_years < self.below_age_years:
            raise ValueError("min_age_years must be 0 or more, and less than below_age_years")
        return self

    def state(self, age_years: float | None) -> PopulationState:
        """Where a patient of this age in years (None: unknown) stands."""
        if age_years is None:
            return "unknown"
        return "inside" if self.min_age_years <= age_years < self.below_age_years else "outside"
