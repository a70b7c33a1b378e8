from __future__ import annotations

from pathlib import Path

import pysqlite3.dbapi2 as sqlite
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

import troubadour.catalogue
from troubadour.catalogue.database import open_engine
from troubadour.catalogue.schema import HEAD, metadata
from troubadour.catalogue.store import Store

FOLDER = Path(troubadour.catalogue.__file__).parent / "migrations"


def migrate(path: Path, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("path_separator", "os")
    engine = create_engine(f"sqlite:///{path}", module=sqlite)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def columns(path: Path) -> dict[str, set[str]]:
    with sqlite.connect(path) as connection:
        tables = [r[0] for r in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {t: {r[1] for r in connection.execute(f"PRAGMA table_info({t})")} for t in tables}


def test_the_migrations_make_the_tables_that_the_code_expects(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    open_engine(path).dispose()
    made = columns(path)
    for table in metadata.sorted_tables:
        assert made[table.name] == {c.name for c in table.columns}, table.name
    with sqlite.connect(path) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (HEAD,)


@pytest.mark.parametrize("known", ["Kesh Jig, The", "The Kesh Jig"])
def test_a_store_of_the_first_version_comes_up_with_names_to_match_by(tmp_path: Path, known: str) -> None:
    path = tmp_path / "catalogue.sqlite"
    migrate(path, "0001")
    with sqlite.connect(path) as connection:
        connection.execute(
            "INSERT INTO pieces (id, title, composer, work, split, fingerprint, grams, attributes, score, added)"
            " VALUES ('a', ?, 'Trad.', 'a', 'train', 'f', x'', '{}', x'', 0)",
            (known,),
        )
        connection.execute("INSERT INTO listeners (id, created) VALUES ('ann', 0)")
        connection.execute(
            "INSERT INTO interactions (event, listener, piece, kind, time) VALUES ('e', 1, 1, 0, 5)"
        )
    with Store.open(tmp_path) as store:
        assert store.history("ann") == [("a", "play", None, 5)]
        assert store.piece("a").medium == "score"
    with sqlite.connect(path) as connection:
        keys = connection.execute("SELECT title_key, artist_key FROM pieces").fetchone()
    assert keys == ("kesh jig", "")
