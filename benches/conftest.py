"""What the suites share: seeded chance. ``make bench`` measures; plain ``pytest benches`` runs each once."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def rng() -> np.random.Generator:
    """Give the one source of chance of a benchmark; its seed never changes."""
    return np.random.default_rng(1)


@pytest.fixture(scope="session")
def measuring(pytestconfig: pytest.Config) -> bool:
    """Tell whether times are taken, or each benchmark runs once as a smoke test and should be small."""
    return bool(pytestconfig.getoption("benchmark_enable"))
