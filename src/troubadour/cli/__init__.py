"""The command line: results on standard output, progress and errors on standard error."""

from __future__ import annotations

import sys

from troubadour.cli import (
    composing,
    contexts,
    exporting,
    hearing,
    home,
    latent,
    listening,
    recommending,
    tasks,
    training,
    understanding,
)
from troubadour.cli.common import app
from troubadour.errors import TroubadourError


def main() -> None:
    """Entry point: errors of ours become one line and exit code 1."""
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
    "composing",
    "contexts",
    "exporting",
    "hearing",
    "home",
    "latent",
    "listening",
    "main",
    "recommending",
    "tasks",
    "training",
    "understanding",
]
