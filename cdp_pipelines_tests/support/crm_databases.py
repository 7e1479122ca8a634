"""Databases beside the stack's own, for tests that fill a CRM: taken, used, emptied, taken again.

Making one is 300 files, a third of a second where the disk is slow.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

_free: dict[str, list[str]] = {}
"""Names of emptied databases by server."""

# As CREATE DATABASE leaves one: no schema but `public`, which everybody may use and only its owner may fill.
_EMPTY = """
DO $$ DECLARE name text; BEGIN
  FOR name IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
    EXECUTE format('DROP SCHEMA %I CASCADE', name);
  END LOOP;
END $$;
CREATE SCHEMA public AUTHORIZATION pg_database_owner;
GRANT USAGE ON SCHEMA public TO PUBLIC
"""


def take(admin_dsn: str) -> str:
    """The name of an empty database on this server, nobody else's until it is given back."""
    free = _free.setdefault(admin_dsn, [])
    if free:
        return free.pop()
    name = f"crm_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(admin_dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return name


def give_back(admin_dsn: str, name: str) -> None:
    """Empty the database for the next test; one that cannot be emptied goes."""
    try:
        with psycopg.connect(
            make_conninfo(admin_dsn, dbname=name), autocommit=True, options="-c lock_timeout=5s"
        ) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            connection.execute(_EMPTY)
    except psycopg.Error:
        with psycopg.connect(admin_dsn, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
    else:
        _free[admin_dsn].append(name)


@contextmanager
def crm_database(admin_dsn: str) -> Iterator[str]:
    """An empty database while the block lasts; gives its connection string."""
    name = take(admin_dsn)
    try:
        yield make_conninfo(admin_dsn, dbname=name)
    finally:
        give_back(admin_dsn, name)
