"""The demo CRM's tables of notes in PostgreSQL, as Rails would have made them (SPEC 6).

Belongs here: notes and what hangs on them. Not here: the other tables (`crm_schema.py`) and rows
(`demo_crm_notes.py`). Only primary keys exist, as in the CRM itself; what hangs on a note has no organization of its
own.
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from psycopg import Connection

NOTES: Final = "crm_notes"
CHECKINS: Final = "crm_checkins"
FILE_TABLES: Final = ("crm_note_images", "crm_note_audios", "crm_note_attachments")
NOTE_CHILD_TABLES: Final = (*FILE_TABLES, CHECKINS)

NOTE_COLUMNS: Final = (
    "id",
    "organization_id",
    "note",
    "creator_id",
    "crm_person_id",
    "crm_company_id",
    "crm_deal_id",
    "ticket_id",
    "crm_note_type_id",
    "created_at",
    "updated_at",
    "deleted_at",
)
NOTE_TYPES: Final = (
    *("int8", "int8", "text", "int8", "int8", "int8", "int8", "int8", "int8"),
    *("timestamp", "timestamp", "timestamp"),
)
FILE_COLUMNS: Final = ("id", "crm_note_id", "url", "file_name", "content_type", "file_size")
CHECKIN_COLUMNS: Final = ("id", "crm_note_id", "latitude", "longitude", "address", "created_at")

_NOTES: Final = """
CREATE TABLE IF NOT EXISTS crm_notes (
    id bigserial PRIMARY KEY,
    organization_id bigint,
    note text,
    creator_id bigint,
    crm_person_id bigint,
    crm_company_id bigint,
    crm_deal_id bigint,
    ticket_id bigint,
    crm_note_type_id bigint,
    created_at timestamp(6) without time zone,
    updated_at timestamp(6) without time zone,
    deleted_at timestamp(6) without time zone
)
"""
_FILES: Final = """
CREATE TABLE IF NOT EXISTS {table} (
    id bigserial PRIMARY KEY,
    crm_note_id bigint,
    url text,
    file_name text,
    content_type text,
    file_size bigint
)
"""
_CHECKINS: Final = """
CREATE TABLE IF NOT EXISTS crm_checkins (
    id bigserial PRIMARY KEY,
    crm_note_id bigint,
    latitude double precision,
    longitude double precision,
    address text,
    created_at timestamp(6) without time zone
)
"""


def create_notes_schema(connection: "Connection[tuple[object, ...]]") -> None:
    """Make the tables that are not there yet, in the `public` schema; the caller commits."""
    from psycopg.sql import SQL, Identifier

    connection.execute(_NOTES)
    for table in FILE_TABLES:
        connection.execute(SQL(_FILES).format(table=Identifier(table)))
    connection.execute(_CHECKINS)


def empty_note_children(connection: "Connection[tuple[object, ...]]", organization_id: int) -> int:
    """Delete what hangs on the organization's notes, before the notes themselves, and say how many rows."""
    from psycopg.sql import SQL, Identifier

    deleted = 0
    for table in NOTE_CHILD_TABLES:
        statement = SQL(
            "DELETE FROM {} WHERE crm_note_id IN (SELECT id FROM crm_notes WHERE organization_id = %s)"
        ).format(Identifier(table))
        deleted += connection.execute(statement, (organization_id,)).rowcount
    return deleted
