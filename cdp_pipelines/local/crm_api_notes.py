"""Reads pages of notes from the demo CRM's PostgreSQL, as the CRM's HTTP API shows them (SPEC 6).

Belongs here: SQL, and the JSON of a note. Not here: HTTP (`crm_api.py`).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, LiteralString

from cdp_pipelines.local.crm_notes_schema import FILE_TABLES

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.rows import DictRow
    from psycopg.sql import Composed

Record = dict[str, Any]

_INSTANT: Final = """CASE WHEN isfinite({at}) THEN to_char({at}, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') END AS {at}"""
"""JSON knows no infinity, and Rails stores UTC without saying so."""
_NOTES: Final = """
SELECT id, note, creator_id, crm_person_id, crm_company_id, crm_deal_id, ticket_id, crm_note_type_id,
    {created_at}, {updated_at}, {deleted_at}
FROM crm_notes WHERE organization_id = %(cid)s AND crm_person_id IS NOT NULL
ORDER BY id LIMIT %(limit)s OFFSET %(offset)s
"""
_TOTAL: Final = "SELECT count(*) AS total FROM crm_notes WHERE organization_id = %(cid)s AND crm_person_id IS NOT NULL"
_FILES: Final = """
SELECT crm_note_id, id, url, file_name, content_type, file_size FROM {table}
WHERE crm_note_id = ANY(%(notes)s) ORDER BY id
"""
_CHECKINS: Final = """
SELECT crm_note_id, id, latitude, longitude, address, {created_at} FROM crm_checkins
WHERE crm_note_id = ANY(%(notes)s) ORDER BY id
"""
_USERS: Final = """
SELECT id, email, full_name, {deleted_at} FROM users WHERE organization_id = %(cid)s AND id = ANY(%(users)s)
"""


def notes_page(crm: "Connection[DictRow]", cid: int, *, page: int, per_page: int) -> Record:
    """Page number `page`, from 1, of the organization's notes of people, as the API's body."""
    limits = {"cid": cid, "limit": per_page, "offset": (page - 1) * per_page}
    notes = crm.execute(_statement(_NOTES), limits).fetchall()
    counted = crm.execute(_TOTAL, {"cid": cid}).fetchone()
    ids = [note["id"] for note in notes]
    files = {table: _grouped(crm.execute(_statement(_FILES, table), {"notes": ids})) for table in FILE_TABLES}
    checkins = _grouped(crm.execute(_statement(_CHECKINS), {"notes": ids}))
    creators = _creators(crm, cid, notes)
    for note in notes:
        for table, found in files.items():
            note[table] = found[note["id"]]
        note["crm_checkin"] = next(iter(checkins[note["id"]]), None)
        note["creator"] = creators.get(note["creator_id"])
    total = counted["total"] if counted else 0
    return {"data": notes, "pagination": {"page": page, "per_page": per_page, "total": total}}


def _statement(template: LiteralString, table: str = "") -> "Composed":
    from psycopg.sql import SQL, Identifier

    instants = ("created_at", "updated_at", "deleted_at")
    readable = {at: SQL(_INSTANT).format(at=Identifier(at)) for at in instants}
    return SQL(template).format(table=Identifier(table), **readable)


def _grouped(rows: Iterable[Record]) -> dict[int, list[Record]]:
    groups: defaultdict[int, list[Record]] = defaultdict(list)
    for row in rows:
        groups[row.pop("crm_note_id")].append(row)
    return groups


def _creators(crm: "Connection[DictRow]", cid: int, notes: Sequence[Record]) -> dict[int, Record]:
    wanted = list({note["creator_id"] for note in notes if note["creator_id"] is not None})
    return {row.pop("id"): row for row in crm.execute(_statement(_USERS), {"cid": cid, "users": wanted})}
