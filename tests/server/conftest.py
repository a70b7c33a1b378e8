"""Studio on the small home, and a listening server."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from troubadour.app.studio import Studio
from troubadour.server.app import create_app


@pytest.fixture(scope="module")
def studio(small_home: Path) -> Iterator[Studio]:
    with Studio(small_home) as opened:
        yield opened


@pytest.fixture(scope="module")
def port(studio: Studio) -> Iterator[int]:
    """Real server: the test client cannot disconnect or serve a browser."""
    server = uvicorn.Server(uvicorn.Config(create_app(studio), port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()
