"""Fixtures of tests that fill a CRM database themselves."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from cdp_pipelines_tests.support.crm_databases import crm_database


@pytest.fixture
def dsn(stack_env: dict[str, str]) -> Iterator[str]:
    """A database of the test's own beside the stack's."""
    with crm_database(stack_env["CRM_AUDIT_DATABASE_URL"]) as made:
        yield made


@pytest.fixture
def crm(dsn: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection
