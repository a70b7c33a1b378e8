"""SQLite connection handling: version check, pragmas, migrations and a single writer thread.

WAL mode with `synchronous=FULL`: acknowledged writes survive a power failure. All writes of a process run
in one thread, which commits them in groups; processes exclude each other by SQLite's write lock.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import pysqlite3.dbapi2 as sqlite
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError

from troubadour.catalogue.schema import HEAD
from troubadour.core.errors import StorageError

_LEAST_SQLITE: Final = (3, 51, 3)
_GROUP: Final = 256
_WRITES: Final = "writes"
"""Execution option of write connections."""
Result = TypeVar("Result")


def open_engine(path: Path) -> Engine:
    """Opens an engine on the store's file and migrates it to the newest schema.

    Raises:
        StorageError: SQLite is too old, or the file is damaged or of a newer schema version.
    """
    if sqlite.sqlite_version_info < _LEAST_SQLITE:
        raise StorageError(
            f"SQLite {sqlite.sqlite_version} has a bug that can corrupt the store; "
            "3.51.3 or newer is needed (pip install -U pysqlite3)"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{path.parent}: {error.strerror}; choose another --home") from error
    engine = create_engine(f"sqlite:///{path}", module=sqlite, connect_args={"timeout": 30.0})

    @event.listens_for(engine, "connect")
    def _(connection: Any, _record: Any) -> None:
        # The driver's implicit transactions exclude DDL and start after a SAVEPOINT, so its release would
        # commit. SQLAlchemy begins all transactions instead.
        connection.isolation_level = None
        # SQLite's own lower() changes ASCII letters only.
        connection.create_function("unicode_lower", 1, str.lower, deterministic=True)
        cursor = connection.cursor()
        for pragma in (
            "busy_timeout=30000",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "secure_delete=ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        # A transaction that reads before it writes fails with SQLITE_BUSY_SNAPSHOT after a write of another
        # process. Write transactions therefore take the lock first.
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    try:
        with as_storage_errors(path):
            _migrate(engine, path)
    except BaseException:
        engine.dispose()
        raise
    return engine


@contextmanager
def as_storage_errors(path: Path) -> Iterator[None]:
    """Converts database errors to `StorageError` with file name, cause and remedy."""
    try:
        yield
    except (SQLAlchemyError, sqlite.Error) as error:
        raise StorageError(f"{path}: {_cause(error)}; {_remedy(error)}") from error


def _migrate(engine: Engine, path: Path) -> None:
    with engine.connect() as connection:
        if _is_current(connection, path):
            return
    # Import Alembic only if needed, because it is slow to import.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    # One transaction: an interrupted migration leaves the store unchanged.
    with engine.execution_options(**{_WRITES: True}).begin() as connection:
        if _is_current(connection, path):  # migrated by another process meanwhile
            return
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _is_current(connection: Connection, path: Path) -> bool:
    exists = connection.execute(
        text("SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'")
    ).scalar_one()
    version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar() if exists else None
    if version is not None and version > HEAD:
        raise StorageError(f"{path} was written by a newer Troubadour (schema {version}); update the program")
    return version == HEAD


class Writer:
    """Executes all writes in one thread, with group commit.

    Args:
        engine: engine of the store.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(**{_WRITES: True})
        self._queue: queue.SimpleQueue[tuple[Callable[[Connection], Any], Future[Any]] | None]
        self._queue = queue.SimpleQueue()
        self._closed = False
        self._closing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def run(self, work: Callable[[Connection], Result]) -> Result:
        """Runs `work` in a write transaction and returns its result after the commit.

        Args:
            work: may run twice: if its group is rolled back, each member runs again alone.

        Raises:
            StorageError: the commit failed; nothing is stored.
        """
        future: Future[Result] = Future()
        with self._closing:  # no work may enter the queue after the end marker
            if self._closed:
                raise StorageError("the store is closed")
            self._queue.put((work, future))
        return future.result()

    def close(self) -> None:
        """Completes queued writes, then stops the thread."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            item = self._queue.get()
            if item is None:
                return
            group, last = [item], False
            while len(group) < _GROUP:
                try:
                    following = self._queue.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    last = True
                    break
                group.append(following)
            self._commit(group)
            if last:
                return

    def _commit(self, group: list[tuple[Callable[[Connection], Any], Future[Any]]]) -> None:
        results: list[Any] = []
        begun = False
        try:
            with self._engine.begin() as connection:
                begun = True
                results += [work(connection) for work, _ in group]
        except Exception as error:
            if begun and len(group) > 1:
                # The group was rolled back. Run each member alone, so that errors reach only their own
                # callers.
                for one in group:
                    self._commit([one])
                return
            failure = error
            if isinstance(error, SQLAlchemyError):
                failure = StorageError(f"not stored: {_cause(error)}; {_remedy(error)}")
            for _, future in group:
                future.set_exception(failure)
            return
        for (_, future), result in zip(group, results, strict=True):
            future.set_result(result)


class Database:
    """One SQLite file. Reads use their own connections, writes one thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = open_engine(path)
        self._writer = Writer(self._engine)

    def close(self) -> None:
        """Completes queued writes and closes the file."""
        self._writer.close()
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with as_storage_errors(self.path), self._engine.connect() as connection:
            yield connection


def _cause(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error)


def _remedy(error: Exception) -> str:
    cause = _cause(error).lower()
    if "full" in cause or "disk i/o" in cause:
        return "make room on the disk and try again"
    if "locked" in cause:
        return "another process is writing; try again when it is done"
    if "readonly" in cause or "unable to open" in cause:
        return "check that you may write there, or choose another --home"
    return "move it away, or restore it from a copy"
