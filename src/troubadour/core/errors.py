"""The error tree: one root, few leaves.

Every message says what was seen, where, and what to do instead.
"""

from __future__ import annotations


class TroubadourError(Exception):
    """Root of every error that Troubadour raises on purpose."""


class InputError(TroubadourError, ValueError):
    """An argument or request is not acceptable; the message says what is allowed."""


class UnreadableFileError(TroubadourError):
    """A file of music cannot be read; the message names the file and the cause."""

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
    """Too much is asked for at once; try again in a few seconds."""


class MissingExtraError(TroubadourError, ImportError):
    """An optional dependency is needed; the message says how to install it."""
