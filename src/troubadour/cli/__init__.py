"""Command line: results on standard output, progress and errors on standard error."""

from __future__ import annotations

import sys

from troubadour.cli import (
    audio,
    compose,
    export,
    home,
    interactions,
    latent,
    recommend,
    search,
    surfaces,
    tasks,
    training,
)
from troubadour.cli.common import app
from troubadour.core.errors import TroubadourError


def main() -> None:
    """Entry point: a `TroubadourError` becomes one line on standard error and exit code 1."""
    try:
        app()
    except TroubadourError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)


__all__ = [
    "app",
    "audio",
    "compose",
    "export",
    "home",
    "interactions",
    "latent",
    "main",
    "recommend",
    "search",
    "surfaces",
    "tasks",
    "training",
]
