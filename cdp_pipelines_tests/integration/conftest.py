"""Fixtures of tests that fill a CRM database themselves."""

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier


@pytest.fixture
def dsn(stack_env: dict[str, str]) -> Iterator[str]:
    """A database of the test's own beside the stack's, dropped after it."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(stack_env["CRM_AUDIT_DATABASE_URL"], autocommit=True) as server:
        server.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        yield make_conninfo(stack_env["CRM_AUDIT_DATABASE_URL"], dbname=name)
        server.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


@pytest.fixture
def crm(dsn: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection
