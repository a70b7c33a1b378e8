"""The signature of progress callbacks."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives the progress of a long operation.

    Callbacks are called in the thread of the operation. An exception that a callback raises stops it.
    """

    def __call__(self, stage: str, done: int, total: int, /) -> None:
        """Report progress.

        Args:
            stage: name of the current stage, for people.
            done: units completed, 0 or more.
            total: units in all; 0 = unknown.
        """
        ...
