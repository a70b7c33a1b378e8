from __future__ import annotations

import sys
from pathlib import Path

import pytest

from troubadour.core import registry

pytest.register_assert_rewrite("contract")
sys.path.insert(0, str(Path(__file__).parent))
from contract import *  # noqa: E402, F403

NOT_PERSONAL = {"popular", "personal"}
"""Models whose scores outside the history are equal for all listeners."""
NOT_FAIR = {"bpr", "cold", "content", "sequential", "ratings"}
"""Models whose scores of equal items differ by random initialisation or by content."""
NOT_LINEAR = {"content", "als"}
"""Models whose score is normalised by the history."""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(n, marks=[pytest.mark.slow] if n == "sequential" else [])
        for n in registry.names("recommenders")
    ],
)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def make(name):
    return registry.find("recommenders", name)


@pytest.fixture(scope="module")
def personalised(name) -> bool:
    return name not in NOT_PERSONAL


@pytest.fixture(scope="module")
def fair(name) -> bool:
    return name not in NOT_FAIR


@pytest.fixture(scope="module")
def linear(name) -> bool:
    return name not in NOT_LINEAR
