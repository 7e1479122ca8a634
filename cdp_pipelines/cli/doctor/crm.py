"""Is the CRM's database there, does it have what the mapping names, and are we kept from writing to it?"""

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from cdp_pipelines.cli.doctor.findings import Finding, Findings
from cdp_pipelines.domain.errors import CdpError, TransientFailure

if TYPE_CHECKING:
    from psycopg import Connection

    from cdp_pipelines.resources.crm_mapping import CrmMapping, Table
    from cdp_pipelines.resources.crm_postgres import CrmDatabase

_CONNECT_SECONDS: Final = 5
_NOBODY: Final = 0
"""No organization has this id, so tables are asked about without anybody's rows."""
_WRITING: Final = "INSERT, UPDATE, DELETE, TRUNCATE"


def check_crm(findings: Findings) -> Iterator[Finding]:
    """Reach, version, a session that cannot write, the mapping's tables and columns, the categories."""
    from cdp_pipelines.resources.crm_mapping import load_mapping
    from cdp_pipelines.resources.crm_postgres import CrmPostgresResource
    from cdp_pipelines.resources.crm_session import SETTING

    dsn = os.environ.get(SETTING, "")
    if not dsn:
        advice = f"Set {SETTING} to the CRM's PostgreSQL, with a role that can only read."
        yield findings.note("configured", "off: nothing of the CRM can be migrated", advice)
        return
    mapping = load_mapping()
    yield from _session(findings, dsn, mapping)
    database = CrmPostgresResource().open(_NOBODY)
    try:
        yield from _tables(findings, mapping, database)
    finally:
        database.close()
    yield _categories(findings)


def _session(findings: Findings, dsn: str, mapping: "CrmMapping") -> Iterator[Finding]:
    import psycopg

    from cdp_pipelines.resources.crm_session import CrmSession

    try:
        connection = CrmSession(dsn, _NOBODY).connect(seconds=_CONNECT_SECONDS)
    except psycopg.Error as exc:
        # The driver's text names the user, and may repeat the whole setting.
        raise TransientFailure(
            "CRM_UNAVAILABLE",
            f"The CRM's PostgreSQL did not let us in ({type(exc).__name__}). Check CRM_AUDIT_DATABASE_URL.",
        ) from None
    with connection:
        version, info = connection.info.server_version // 10_000, connection.info
        yield findings.ok("reachable", f"PostgreSQL {version} at {info.host}:{info.port}, database {info.dbname}")
        row = connection.execute("SELECT current_setting('transaction_read_only')").fetchone()
        if row == ("on",):
            yield findings.ok("read only", "our sessions cannot write")
        else:
            advice = "A pooler in between drops session settings; let it pass them, or connect past it."
            yield findings.broken("read only", "a session that asked to be read-only is not", advice)
        yield _encoding(findings, connection)
        yield _role(findings, connection, mapping)


def _encoding(findings: Findings, connection: "Connection[Any]") -> Finding:
    """How the database writes its texts."""
    from cdp_pipelines.resources.crm_encoding import is_unknown

    encoding = str(connection.info.parameter_status("server_encoding"))
    if not is_unknown(connection):
        return findings.ok("encoding", encoding if encoding == "UTF8" else f"{encoding}, read as UTF-8")
    advice = "Texts that are no UTF-8 are read as Latin-1 and counted (crm_texts_as_latin1). See docs/activity-logs.md."
    return findings.note("encoding", f"{encoding}: the database does not say how its texts are written", advice)


def _role(findings: Findings, connection: "Connection[Any]", mapping: "CrmMapping") -> Finding:
    """Whether the role itself could write to the tables that we read."""
    from psycopg.sql import Identifier

    writable = []
    for table in (mapping.audits, mapping.users, *mapping.entities.values(), *_note_tables(mapping)):
        name = Identifier(*table.parts).as_string(connection)
        # A table that is not there is told of elsewhere; to_regclass gives NULL for it.
        row = connection.execute("SELECT has_table_privilege(to_regclass(%s), %s)", (name, _WRITING)).fetchone()
        if row is not None and row[0] is True:
            writable.append(".".join(table.parts))
    if writable:
        return findings.note(
            "role", f"could write to {len(writable)} tables", "Give it SELECT on those tables and nothing else."
        )
    return findings.ok("role", "can only read")


def _tables(findings: Findings, mapping: "CrmMapping", database: "CrmDatabase") -> Iterator[Finding]:
    """Each table with its columns, asked for as runs ask for them."""
    asked: list[tuple[Table, Callable[[], object]]] = [
        (mapping.audits, lambda: database.audits_by_id([_NOBODY])),
        (mapping.users, lambda: database.users([_NOBODY])),
    ]
    asked += [(table, partial(database.entity_names, name, [_NOBODY])) for name, table in mapping.entities.items()]
    good = []
    for table, ask in asked:
        try:
            ask()
        except CdpError as exc:
            yield findings.broken(".".join(table.parts), exc.message, "Grant SELECT, or name it in the mapping file.")
        else:
            good.append(".".join(table.parts))
    if good:
        yield findings.ok("tables", ", ".join(good))
    yield from _notes(findings, mapping)


def _note_tables(mapping: "CrmMapping") -> list["Table"]:
    return [] if mapping.notes is None else [mapping.notes.note, *mapping.notes.files.values(), mapping.notes.checkin]


def _notes(findings: Findings, mapping: "CrmMapping") -> Iterator[Finding]:
    """The tables of notes, which are asked all at once; a CRM whose notes come over HTTP need not have them."""
    from cdp_pipelines.resources.crm_notes import CrmNotesResource
    from cdp_pipelines.resources.crm_postgres import CrmPostgresResource

    if CrmNotesResource().chosen_source() != "postgres":
        return
    try:
        notes = CrmNotesResource().open(_NOBODY, database=CrmPostgresResource())
        try:
            notes.notes_by_id([_NOBODY])
        finally:
            notes.close()
    except CdpError as exc:
        yield findings.note("notes", exc.message, "Grant SELECT, or name the tables in the mapping file.")
    else:
        yield findings.ok("notes", ", ".join(".".join(table.parts) for table in _note_tables(mapping)))


def _categories(findings: Findings) -> Finding:
    from cdp_pipelines.domain.activity_logs.categories import read_category_table
    from cdp_pipelines.resources.crm_mapping import load_categories

    table = read_category_table(load_categories())
    return findings.ok("categories", f"{len(table.kinds)} types of audits")
