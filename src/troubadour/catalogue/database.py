"""Open the SQLite file: version check, pragmas, migrations, and the one writer.

WAL with `synchronous=FULL`: what was acknowledged survives a power cut. All writes go through one
thread that commits what waits in groups, so that writers never wait for locks.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, TypeVar

import pysqlite3.dbapi2 as sqlite
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from troubadour.catalogue.schema import HEAD
from troubadour.errors import StorageError

_LEAST_SQLITE: Final = (3, 51, 3)
_GROUP: Final = 256
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
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    try:
        _migrate(engine, path)
    except SQLAlchemyError as error:
        engine.dispose()
        raise StorageError(
            f"{path} cannot be opened: {_cause(error)}; move it away, or restore it from a copy"
        ) from error
    except BaseException:
        engine.dispose()
        raise
    return engine


def _migrate(engine: Engine, path: Path) -> None:
    with engine.connect() as connection:
        exists = connection.execute(
            text("SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'")
        ).scalar_one()
        version = (
            connection.execute(text("SELECT version_num FROM alembic_version")).scalar() if exists else None
        )
    if version == HEAD:
        return
    if version is not None and version > HEAD:
        raise StorageError(f"{path} was written by a newer Troubadour (schema {version}); update the program")
    # Alembic is slow to import, and most of the time there is nothing to do.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


class Writer:
    """Runs all writes in one thread, many in one commit.

    Args:
        engine: the store's.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: queue.SimpleQueue[tuple[Callable[[Connection], Any], Future[Any]] | None]
        self._queue = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def run(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in a transaction; returns once it is durable.

        Raises:
            StorageError: it could not be made durable; nothing of it is kept.
        """
        if self._closed:
            raise StorageError("the store is closed")
        future: Future[Result] = Future()
        self._queue.put((work, future))
        return future.result()

    def close(self) -> None:
        """Finish what waits, then stop."""
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
        done: list[tuple[Future[Any], Any]] = []
        try:
            with self._engine.begin() as connection:
                for work, future in group:
                    try:
                        with connection.begin_nested():
                            done.append((future, work(connection)))
                    except DatabaseError as error:
                        if _is_fatal(error):
                            raise
                        future.set_exception(StorageError(_cause(error)))
                    except Exception as error:  # the caller's own error goes back to the caller
                        future.set_exception(error)
        except SQLAlchemyError as error:
            for _, future in group:
                if not future.done():
                    future.set_exception(StorageError(f"not stored: {_cause(error)}"))
            return
        for future, result in done:
            future.set_result(result)


def _is_fatal(error: DatabaseError) -> bool:
    """Errors of the disk rather than of one statement."""
    words = str(error.orig).lower()
    return any(word in words for word in ("full", "disk i/o", "malformed", "readonly"))


def _cause(error: SQLAlchemyError) -> str:
    return str(getattr(error, "orig", None) or error)
