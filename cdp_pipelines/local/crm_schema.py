"""The demo CRM's tables in PostgreSQL, as Rails would have made them (SPEC 5.1).

Belongs here: tables of the activity logs' source, and emptying all tables of one organization. Not here: the tables of
notes (`crm_notes_schema.py`) and rows (`demo_crm.py`). Only primary keys exist, as in the CRM itself: nothing may rely
on another index.
"""

from typing import TYPE_CHECKING, Final

from cdp_pipelines.local.crm_notes_schema import NOTES, create_notes_schema, empty_note_children

if TYPE_CHECKING:
    from psycopg import Connection

AUDIT_COLUMNS: Final = (
    "id",
    "organization_id",
    "auditable_id",
    "auditable_type",
    "associated_id",
    "associated_type",
    "user_id",
    "user_type",
    "username",
    "action",
    "audited_changes",
    "version",
    "comment",
    "remote_address",
    "request_uuid",
    "created_at",
)
AUDIT_TYPES: Final = (
    *("int8", "int8", "int8", "varchar", "int8", "varchar", "int8", "varchar", "varchar", "varchar"),
    *("text", "int4", "text", "varchar", "varchar", "timestamp"),
)
USER_COLUMNS: Final = ("id", "email", "full_name", "deleted_at", "organization_id")
ENTITY_COLUMNS: Final = ("id", "name", "organization_id", "deleted_at")
ENTITY_TABLES: Final = ("crm_people", "crm_deals", "crm_companies", "tickets", "crm_tasks")
ORGANIZATION_TABLES: Final = ("audits", "users", *ENTITY_TABLES, NOTES)
"""Every table with rows of one organization, `organization_id` being the company's `cid`."""

_AUDITS: Final = """
CREATE TABLE IF NOT EXISTS audits (
    id bigserial PRIMARY KEY,
    organization_id bigint,
    auditable_id bigint,
    auditable_type varchar,
    associated_id bigint,
    associated_type varchar,
    user_id bigint,
    user_type varchar,
    username varchar,
    action varchar,
    audited_changes text,
    version integer DEFAULT 0,
    comment text,
    remote_address varchar,
    request_uuid varchar,
    created_at timestamp(6) without time zone
)
"""
_USERS: Final = """
CREATE TABLE IF NOT EXISTS users (
    id bigserial PRIMARY KEY,
    email text,
    full_name text,
    deleted_at timestamp(6) without time zone,
    organization_id bigint
)
"""
_ENTITIES: Final = """
CREATE TABLE IF NOT EXISTS {table} (
    id bigserial PRIMARY KEY,
    name text,
    organization_id bigint,
    deleted_at timestamp(6) without time zone
)
"""


def create_crm_schema(connection: "Connection[tuple[object, ...]]") -> None:
    """Make the tables that are not there yet, in the `public` schema; the caller commits."""
    from psycopg.sql import SQL, Identifier

    connection.execute(_AUDITS)
    connection.execute(_USERS)
    for table in ENTITY_TABLES:
        connection.execute(SQL(_ENTITIES).format(table=Identifier(table)))
    create_notes_schema(connection)


def empty_organization(connection: "Connection[tuple[object, ...]]", organization_id: int) -> int:
    """Delete the organization's rows from every table and say how many; nobody else's; the caller commits."""
    from psycopg.sql import SQL, Identifier

    deleted = empty_note_children(connection, organization_id)
    for table in ORGANIZATION_TABLES:
        statement = SQL("DELETE FROM {} WHERE organization_id = %s").format(Identifier(table))
        deleted += connection.execute(statement, (organization_id,)).rowcount
    return deleted
