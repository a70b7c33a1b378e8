"""Shared fixtures, how Hypothesis runs, and how two processes share the work.

`make test` runs two processes (pytest-xdist). Tests of one file stay together in one process, because
module-scoped fixtures are costly; tests marked `torch` form one group, so that one process loads torch.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

pytest_plugins = ["tests.fixtures.music", "tests.fixtures.networks", "tests.fixtures.vae"]

ROOT = Path(__file__).resolve().parents[1]

# No deadline: on a shared machine one slow example says nothing. CI draws the same examples every time,
# so that a red run is due to the change; developers explore.
settings.register_profile("developer", deadline=None, print_blob=True, max_examples=20)
settings.register_profile("ci", deadline=None, print_blob=True, max_examples=150, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "developer")

LONG_GROUPS = ("torch", "tests/server/test_page.py", "tests/cli/test_audio.py")
"""Groups that start first, so that no process waits long for the other at the end."""


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark users of `shared_data`; name each test's group and put the longest groups first.

    `-m "not shared_data"` leaves out tests that use the fixture of that name.
    """
    for item in items:
        if "shared_data" in getattr(item, "fixturenames", ()):
            item.add_marker("shared_data")
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    items.sort(
        key=lambda item: LONG_GROUPS.index(g) if (g := _group(item)) in LONG_GROUPS else len(LONG_GROUPS)
    )


def _group(item: pytest.Item) -> str:
    return "torch" if item.get_closest_marker("torch") else item.path.relative_to(ROOT).as_posix()


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
def homes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Homes:
    """Copies of prebuilt homes; each is built once for a state of the source.

    Originals are kept in pytest's cache, under a hash of the source. Processes take turns by a file lock,
    and each gets a copy of its own: tests may write to it.
    """
    cache = getattr(request.config, "cache", None)
    # Without a cache (-p no:cacheprovider) the processes of one run share the folder above their own.
    return Homes(cache.mkdir("homes") if cache else _folder_of_the_run(tmp_path_factory), tmp_path_factory)


class Homes:
    """Prebuilt homes in a folder that processes share."""

    def __init__(self, shared: Path, temporary: pytest.TempPathFactory) -> None:
        self._shared, self._temporary, self._state = shared, temporary, state_of_the_source()

    def copy(self, name: str, build: Callable[[Path], None]) -> Path:
        """A fresh copy of the home `name`; `build` fills an empty folder where there is no original yet."""
        own = self._temporary.mktemp(name)
        with FileLock(self._shared / f"{name}.lock"):
            original = self._shared / name / self._state
            if not original.is_dir():
                # What is left of earlier states, or of a process that was killed while it built.
                shutil.rmtree(original.parent, ignore_errors=True)
                part = original.with_suffix(".part")
                part.mkdir(parents=True)
                build(part)
                part.rename(original)
            shutil.copytree(original, own, dirs_exist_ok=True)
        return own


@pytest.fixture(scope="module")
def folk_home(homes: Homes) -> Path:
    """A home with a small catalogue and nothing else; each test file has its own copy."""
    return homes.copy("folk", _build_folk)


@pytest.fixture(scope="module")
def small_home(homes: Homes) -> Path:
    """A home with a small catalogue, forty simulated listeners and a live release; each test file has its own copy."""

    def build(home: Path) -> None:
        from troubadour.app import jobs
        from troubadour.app.studio import Studio

        shutil.copytree(homes.copy("folk", _build_folk), home, dirs_exist_ok=True)
        with Studio(home) as studio:
            jobs.simulate_listeners(studio.store, 40, 1)
            jobs.fit(studio.store, studio.releases)

    return homes.copy("small", build)


def _build_folk(home: Path) -> None:
    from troubadour.app import importing
    from troubadour.app.studio import Studio

    with Studio(home) as studio:
        importing.import_builtin(studio.store, ["folk"])


def _folder_of_the_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if os.environ.get("PYTEST_XDIST_WORKER") else own) / "homes"
    folder.mkdir(exist_ok=True)
    return folder


def state_of_the_source() -> str:
    """A hash of what homes are built from: interpreter, installed packages, this file, the whole package."""
    packages = sorted(f"{d.name} {d.version}" for d in importlib.metadata.distributions())
    digest = hashlib.sha256(repr((sys.version, packages)).encode())
    found = (p for p in (ROOT / "src").rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    for path in sorted([*found, Path(__file__)]):
        digest.update(f"\0{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]
