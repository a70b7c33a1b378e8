"""Error classes: one root, few leaves.

Each message names the value seen, the place, and the remedy.
"""

from __future__ import annotations


class TroubadourError(Exception):
    """Root of all errors that Troubadour raises deliberately."""


class InputError(TroubadourError, ValueError):
    """An argument or request is invalid; the message names the allowed values."""


class UnreadableFileError(TroubadourError):
    """A music file cannot be read; the message names the file and the cause."""

    def __init__(self, name: str, cause: str) -> None:
        super().__init__(f"{name}: {cause}")
        self.name = name
        self.cause = cause


class NotFoundError(TroubadourError, KeyError):
    """A listener, piece, model or release that does not exist."""

    def __str__(self) -> str:  # KeyError would quote the message
        return str(self.args[0]) if self.args else ""


class StorageError(TroubadourError):
    """The store cannot be read or written (disk full, damaged, wrong version)."""


class ModelError(TroubadourError):
    """A model file is damaged, of another version, or does not fit its release."""


class BusyError(TroubadourError):
    """Too many simultaneous requests; the caller should retry after a few seconds."""


class MissingExtraError(TroubadourError, ImportError):
    """An optional dependency is missing; the message names the command that installs it."""
