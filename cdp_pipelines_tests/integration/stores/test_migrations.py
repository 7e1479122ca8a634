from typing import Any

import pytest
from pymongo.database import Database

from cdp_pipelines.domain.errors import ConfigurationError
from cdp_pipelines.stores.migrations.catalogue import MIGRATIONS
from cdp_pipelines.stores.migrations.runner import Migrator

Db = Database[dict[str, Any]]


def index_names(db: Db) -> set[tuple[str, str]]:
    return {
        (name, index)
        for name in db.list_collection_names()
        for index in db[name].index_information()
        if index != "_id_"
    }


def all_names() -> set[tuple[str, str]]:
    made = {(index.collection, index.name) for migration in MIGRATIONS for index in migration.indexes}
    return made - {(index.collection, index.name) for migration in MIGRATIONS for index in migration.replaced}


def test_up_and_down_and_up_again(mongo_db: Db) -> None:
    migrator = Migrator(mongo_db)
    said: list[str] = []
    assert [m.number for m in migrator.up(said.append)] == [m.number for m in MIGRATIONS]
    assert len(said) == len(MIGRATIONS)
    assert index_names(mongo_db) == all_names()
    assert migrator.up() == []
    assert [m.number for m in migrator.down(1)] == [m.number for m in reversed(MIGRATIONS) if m.number > 1]
    assert {name for name in index_names(mongo_db) if name[0] == "bulk_upload_jobs"} == set()
    migrator.down(0)
    assert index_names(mongo_db) == set()
    migrator.up()
    assert index_names(mongo_db) == all_names()


def test_what_is_pending_is_said_plainly(mongo_db: Db) -> None:
    migrator = Migrator(mongo_db)
    with pytest.raises(ConfigurationError, match=r"0001 contacts_and_fields.*cdp migrate-indexes up"):
        migrator.require_current()
    migrator.up()
    migrator.require_current()


def test_a_half_applied_step_is_repeated(mongo_db: Db) -> None:
    mongo_db["contacts"].create_index(list(MIGRATIONS[0].indexes[0].keys), name=MIGRATIONS[0].indexes[0].name)
    Migrator(mongo_db).up()
    assert index_names(mongo_db) == all_names()


def test_numbers_are_in_order_and_names_are_unique() -> None:
    assert [m.number for m in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))
    names = [(index.collection, index.name) for migration in MIGRATIONS for index in migration.indexes]
    assert len(names) == len(set(names))
