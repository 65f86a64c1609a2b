"""What a test of the node sets up for the whole process is put back after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def _own_log_settings() -> Iterator[None]:
    """Commands that run in the tests' process set the log up: the next test may look at what is logged."""
    yield
    structlog.reset_defaults()
