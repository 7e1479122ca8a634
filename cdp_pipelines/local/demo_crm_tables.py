"""Writing the demo CRM's tables with COPY.

Belongs here: what every load of them does. Not here: which rows (`demo_crm.py`).
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from cdp_pipelines.domain.errors import TransientFailure
from cdp_pipelines.local import crm_notes_schema, crm_schema
from cdp_pipelines.local.demo_crm_audits import AuditPlan, AuditRow
from cdp_pipelines.local.demo_crm_notes import NoteRow
from cdp_pipelines.local.demo_crm_people import ENTITY_TABLES, Row, entity_rows
from cdp_pipelines.local.demo_pools import LocalePool
from cdp_pipelines.resources.crm_session import startup_options

if TYPE_CHECKING:
    from psycopg import Connection

T = TypeVar("T")
Crm: TypeAlias = "Connection[tuple[Any, ...]]"

_PROGRESS_ROWS: Final = 10_000


def connected(dsn: str, work: Callable[[Crm], T]) -> T:
    """What `work` gives with a connection in autocommit mode, which is closed after it.

    Raises:
        TransientFailure: a database refused, PostgreSQL or the MongoDB that `work` uses (`DEMO_LOAD_FAILED`).
    """
    import psycopg
    from pymongo.errors import PyMongoError

    try:
        with psycopg.connect(
            dsn, autocommit=True, connect_timeout=10, application_name="cdp-demo", client_encoding="UTF8",
            options=startup_options(),
        ) as crm:  # fmt: skip
            return work(crm)
    except (psycopg.Error, PyMongoError) as exc:
        raise TransientFailure(
            "DEMO_LOAD_FAILED",
            "The demo CRM could not be written. See with `cdp doctor` whether the databases answer, then load again.",
            details={"error": type(exc).__name__},
        ) from exc


def write_surroundings(
    crm: Crm, plan: AuditPlan, people: Sequence[Row], pools: Sequence[LocalePool], slug: str
) -> None:
    """Everything of an organization but its audits; its tables hold nothing of it yet."""
    organization_id = plan.organization_id
    copy_rows(crm, "users", crm_schema.USER_COLUMNS, plan.users.rows(pools, slug))
    copy_rows(crm, "crm_people", crm_schema.ENTITY_COLUMNS, people)
    for group, table in ENTITY_TABLES.items():
        rows = entity_rows(pools, group, organization_id=organization_id, people=len(plan.people))
        copy_rows(crm, table, crm_schema.ENTITY_COLUMNS, rows)


def copy_rows(crm: Crm, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """COPY rows into the columns of a table; instants as text that PostgreSQL reads."""
    from psycopg.sql import SQL, Identifier

    names = SQL(", ").join(map(Identifier, columns))
    statement = SQL("COPY {} ({}) FROM STDIN").format(Identifier(table), names)
    with crm.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def add_rows(crm: Crm, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """As `copy_rows`, leaving rows whose ids are there already as they are; within a transaction."""
    from psycopg.sql import SQL, Identifier

    new = f"new_{table}"
    crm.execute(
        SQL("CREATE TEMPORARY TABLE {} (LIKE {}) ON COMMIT DROP").format(Identifier(new), Identifier(table)),
    )
    copy_rows(crm, new, columns, rows)
    statement = SQL("INSERT INTO {} SELECT * FROM {} ON CONFLICT DO NOTHING")
    crm.execute(statement.format(Identifier(table), Identifier(new)))


def copy_audits(crm: Crm, rows: Iterable[AuditRow], on_progress: Callable[[int], None] | None = None) -> None:
    """COPY rows of `iter_audit_rows`; `on_progress` gets the rows so far, every 10,000 and at the end."""
    _copy_binary(crm, "audits", crm_schema.AUDIT_COLUMNS, crm_schema.AUDIT_TYPES, rows, on_progress)


def copy_notes(crm: Crm, rows: Iterable[NoteRow]) -> None:
    """COPY rows of `iter_note_rows`."""
    _copy_binary(crm, crm_notes_schema.NOTES, crm_notes_schema.NOTE_COLUMNS, crm_notes_schema.NOTE_TYPES, rows, None)


def _copy_binary(
    crm: Crm,
    table: str,
    columns: Sequence[str],
    types: Sequence[str],
    rows: Iterable[AuditRow],
    on_progress: Callable[[int], None] | None,
) -> None:
    from psycopg.sql import SQL, Identifier

    names = SQL(", ").join(map(Identifier, columns))
    statement = SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(Identifier(table), names)
    written = 0
    with crm.cursor() as cursor, cursor.copy(statement) as copy:
        # Binary with types known beforehand takes a quarter of the time of text: nothing is escaped, parsed or looked
        # up. PostgreSQL's timestamp is an int8 underneath, and that is what the rows hold.
        copy.set_types(["int8" if name == "timestamp" else name for name in types])
        for written, row in enumerate(rows, start=1):
            copy.write_row(row)
            if on_progress is not None and written % _PROGRESS_ROWS == 0:
                on_progress(written)
    if on_progress is not None:
        on_progress(written)


def settle(crm: Crm) -> None:
    """What a server does in time by itself: know the sizes, and give ids after those that were written."""
    from psycopg.sql import SQL, Identifier

    children = crm_notes_schema.NOTE_CHILD_TABLES
    for table in ("audits", crm_notes_schema.NOTES, *children):
        statement = SQL("SELECT setval(pg_get_serial_sequence({}, 'id'), max(id)) FROM {}")
        crm.execute(statement.format(table, Identifier(table)))
    for table in (*crm_schema.ORGANIZATION_TABLES, *children):
        crm.execute(SQL("ANALYZE {}").format(Identifier(table)))
