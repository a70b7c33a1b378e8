"""Shared fixtures, and how Hypothesis runs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["tests.fixtures.music", "tests.fixtures.networks", "tests.fixtures.vae"]

ROOT = Path(__file__).resolve().parents[1]

# No deadline: on a shared machine one slow example says nothing. CI draws the same examples every time,
# so that a red run is due to the change; developers explore.
settings.register_profile("developer", deadline=None, print_blob=True)
settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "developer")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever uses `shared_data` is marked so: `-m "not shared_data"` leaves them out."""
    for item in items:
        if "shared_data" in getattr(item, "fixturenames", ()):
            item.add_marker("shared_data")


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Data for development that is not part of the project: `TROUBADOUR_SHARED_DATA` or `../shared/data`."""
    folder = Path(os.environ.get("TROUBADOUR_SHARED_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        reason = f"no shared data at {folder}; set TROUBADOUR_SHARED_DATA to the folder that holds it"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def folk_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a small catalogue and nothing else, to be copied."""
    from troubadour.app import jobs
    from troubadour.app.studio import Studio

    home = tmp_path_factory.mktemp("folk")
    with Studio(home) as studio:
        jobs.import_builtin(studio.store, ["folk"])
    return home


@pytest.fixture(scope="session")
def small_home(folk_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a small catalogue, forty simulated listeners and a live release."""
    from troubadour.app import jobs
    from troubadour.app.studio import Studio

    home = tmp_path_factory.mktemp("home")
    shutil.copytree(folk_home, home, dirs_exist_ok=True)
    with Studio(home) as studio:
        jobs.simulate_listeners(studio.store, 40, 1)
        jobs.fit(studio.store, studio.releases)
    return home
