import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg
import pytest

from cdp_pipelines_tests.integration.pipelines.entity_harness import EntityExportsOf
from cdp_pipelines_tests.integration.pipelines.harness import Db, Exports
from cdp_pipelines_tests.integration.pipelines.migration_harness import Migrations
from cdp_pipelines_tests.integration.pipelines.notes_harness import Notes

MigrationsT = TypeVar("MigrationsT", bound=Migrations)


@pytest.fixture(scope="module", autouse=True)
def _garbage_collected() -> Iterator[None]:
    """Let go what a file's runs left. By itself Python waits until it is a quarter of all there is: gigabytes here."""
    yield
    gc.collect()


@pytest.fixture
def mongo_db(migrated_db: Db) -> Db:
    """A database of the test's own, with all indexes."""
    return migrated_db


@pytest.fixture
def make_exports(
    stack_env: Mapping[str, str], mongo_db: Db, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Exports]]:
    """Makes a company with contacts; closed after the test."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, stack_env[name])
    made: list[Exports] = []

    def make(**options: Any) -> Exports:
        made.append(Exports(stack_env, mongo_db, tmp_path, **options))
        return made[-1]

    yield make
    for exports in made:
        exports.close()


@pytest.fixture
def make_entities(
    stack_env: Mapping[str, str], mongo_db: Db, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., EntityExportsOf]]:
    """Makes a company with entity exports; closed after the test."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, stack_env[name])
    made: list[EntityExportsOf] = []

    def make(**options: Any) -> EntityExportsOf:
        made.append(EntityExportsOf(stack_env, mongo_db, tmp_path, **options))
        return made[-1]

    yield make
    for entities in made:
        entities.close()


@pytest.fixture
def entities(make_entities: Callable[..., EntityExportsOf]) -> EntityExportsOf:
    return make_entities()


@pytest.fixture
def exports(make_exports: Callable[..., Exports]) -> Exports:
    return make_exports()


@pytest.fixture
def make_migrations(stack_env: Mapping[str, str], mongo_db: Db) -> Iterator[Callable[..., Migrations]]:
    """Makes a company with a CRM database of its own; dropped after the test."""
    with _making(Migrations, stack_env, mongo_db) as make:
        yield make


@pytest.fixture
def notes(stack_env: Mapping[str, str], mongo_db: Db, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notes]:
    """A company with a CRM database of its own, for notes."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, stack_env[name])
    with _making(Notes, stack_env, mongo_db) as make:
        yield make()


@contextmanager
def _making(
    kind: type[MigrationsT], stack_env: Mapping[str, str], mongo_db: Db
) -> Iterator[Callable[..., MigrationsT]]:
    made: list[MigrationsT] = []
    with dg.DagsterInstance.ephemeral() as instance:

        def make(**options: Any) -> MigrationsT:
            made.append(kind(stack_env, mongo_db, instance, **options))
            return made[-1]

        yield make
        for migrations in made:
            migrations.close()


@pytest.fixture
def migrations(make_migrations: Callable[..., Migrations]) -> Migrations:
    return make_migrations()
