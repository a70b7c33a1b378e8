"""Open the SQLite file: version check, pragmas, migrations, and the one writer.

WAL with `synchronous=FULL`: what was acknowledged survives a power cut. All writes of a process go
through one thread that commits what waits in groups; processes take turns.
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
"""Execution option of connections that are going to write."""
Result = TypeVar("Result")


def open_engine(path: Path) -> Engine:
    """An engine on the store's file, brought to the newest schema.

    Raises:
        StorageError: SQLite is too old, or the file is damaged or of a newer version.
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
        # The driver would begin transactions by its own rules: none for DDL, and none before a
        # SAVEPOINT, whose release would then commit.
        connection.isolation_level = None
        # SQLite's own lower() leaves letters beyond ASCII as they are.
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
        # Who reads first and then writes cannot wait for another process's write in between
        # (SQLITE_BUSY_SNAPSHOT), so a writer takes the lock before it reads.
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
    """Turn the database's errors into `StorageError` with the file's name, the cause and a remedy."""
    try:
        yield
    except (SQLAlchemyError, sqlite.Error) as error:
        raise StorageError(f"{path}: {_cause(error)}; {_remedy(error)}") from error


def _migrate(engine: Engine, path: Path) -> None:
    with engine.connect() as connection:
        if _is_current(connection, path):
            return
    # Alembic is slow to import, and most of the time there is nothing to do.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    # One transaction: a process killed on the way leaves the store as it was.
    with engine.execution_options(**{_WRITES: True}).begin() as connection:
        if _is_current(connection, path):  # another process was quicker
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
    """Runs all writes in one thread, many in one commit.

    Args:
        engine: the store's.
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
        """Run `work` in a transaction; returns once it is durable.

        Args:
            work: may run twice: alone, after the group that it was in failed and was undone.

        Raises:
            StorageError: it could not be made durable; nothing of it is kept.
        """
        future: Future[Result] = Future()
        with self._closing:  # nothing may be queued behind the end
            if self._closed:
                raise StorageError("the store is closed")
            self._queue.put((work, future))
        return future.result()

    def close(self) -> None:
        """Finish what waits, then stop."""
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
                # All of it was undone. Each alone, so that one caller's failure stays that caller's.
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
    """One SQLite file. Reads run on their own connections, writes through one thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = open_engine(path)
        self._writer = Writer(self._engine)

    def close(self) -> None:
        """Finish waiting writes and let go of the file."""
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
