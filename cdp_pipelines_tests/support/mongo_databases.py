"""Databases with all indexes, for tests of what rests on them: taken, used, emptied, taken again.

Making one is a tenth of a second of a real server's time, emptying it a hundredth.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import PyMongoError

from cdp_pipelines.stores.migrations.runner import Migrator

Db = Database[dict[str, Any]]
Shape = dict[str, dict[str, Any]]

_APPLIED = "schema_migrations"
_MANY_DOCUMENTS = 2_000
"""From here on dropping the database is cheaper than deleting them."""
_free: dict[str, list[tuple[str, Shape]]] = {}
"""Names of emptied databases by server, each with its collections and indexes."""


@contextmanager
def migrated_database(client: MongoClient[dict[str, Any]], server: str) -> Iterator[Db]:
    """An empty database with all migrations applied, while the block lasts; `server` is the address it is on."""
    free = _free.setdefault(server, [])
    if free:
        name, shape = free.pop()
    else:
        name = f"test_{uuid.uuid4().hex[:12]}"
        Migrator(client[name]).up()
        shape = _shape(client[name])
    yield client[name]
    if _emptied(client[name], shape):
        free.append((name, shape))
    else:
        client.drop_database(name)


def _shape(database: Db) -> Shape:
    """Every collection with its options and indexes, and what migrations are applied."""
    shape: Shape = {
        found["name"]: {**found["options"], "indexes": database[found["name"]].index_information()}
        for found in database.list_collections()
    }
    shape[_APPLIED]["documents"] = sorted(document["_id"] for document in database[_APPLIED].find({}, {"_id": 1}))
    return shape


def _emptied(database: Db, shape: Shape) -> bool:
    """Delete all documents; false where the database is then not what it was, or has too many of them."""
    try:
        if database.command("dbstats")["objects"] > _MANY_DOCUMENTS:
            return False
        for name in shape:
            if name != _APPLIED:
                database[name].delete_many({})
        return _shape(database) == shape
    except (PyMongoError, KeyError):
        return False
