"""The statements that read the CRM's notes, composed from the mapping; values are always bound, names always quoted.

What hangs on a note has no organization of its own, so it is always reached through the organization's notes, a window
of them at a time: the CRM need not have an index on it.

Belongs here: SQL. Not here: running it (`crm_notes_postgres.py`).
"""

from typing import TYPE_CHECKING, Final

from cdp_pipelines.resources.crm_mapping import NoteTables, Table
from cdp_pipelines.resources.crm_rows import EDGES, READABLE, RECENT

if TYPE_CHECKING:
    from psycopg.sql import SQL, Composable, Composed

CHECKIN: Final = "checkin"

_NOTE: Final = (
    "{id}, {content}, {creator}, {person}, {company}, {deal}, {ticket}, {type}, "
    + READABLE.replace("{at}", "{created_at}")
    + ", "
    + READABLE.replace("{at}", "{updated_at}")
    + ", {deleted_at} IS NOT NULL"
)
_WINDOW: Final = (
    "FROM {table} WHERE {organization} = %(cid)s AND {id} > %(after)s AND {id} <= %(to)s AND "
    + RECENT.replace("{at}", "{created_at}")
    + " ORDER BY {id} LIMIT %(limit)s"
)
_BY_ID: Final = "FROM {table} WHERE {organization} = %(cid)s AND {id} = ANY(%(ids)s) ORDER BY {id}"


class NoteStatements:
    """Every statement about notes that this project sends to the CRM."""

    def __init__(self, tables: NoteTables) -> None:
        self._tables = tables

    def overview(self) -> "Composed":
        """How many notes, their lowest and highest id."""
        where = "WHERE {organization} = %(cid)s AND {id} > %(after)s AND " + RECENT.replace("{at}", "{created_at}")
        return self._of_notes("SELECT count(*), min({id}), max({id}) FROM {table} " + where)

    def edges(self) -> "Composed":
        """The ids at these shares of the notes."""
        return self._of_notes("SELECT " + EDGES + " AND " + RECENT.replace("{at}", "{created_at}"))

    def page(self) -> "Composed":
        """Notes in the order of their id."""
        return self._of_notes("SELECT " + _NOTE + " " + _WINDOW)

    def by_id(self) -> "Composed":
        """Some notes, in the order of their id."""
        return self._of_notes("SELECT " + _NOTE + " " + _BY_ID)

    def parts(self) -> "Composed":
        """What hangs on the notes of `page`, in the order of the notes."""
        return self._parts(self._of_notes("SELECT {id} AS id " + _WINDOW))

    def parts_by_id(self) -> "Composed":
        """What hangs on some notes, in the order of the notes."""
        return self._parts(self._of_notes("SELECT {id} AS id " + _BY_ID))

    def _parts(self, notes: "Composed") -> "Composed":
        """`(kind, id, note, url, name, content type, size)`; of a check-in only that it is there."""
        from psycopg import sql

        files = [
            _composed(table, "SELECT {kind} AS kind, {id} AS id, {note} AS note, {url} AS url, {name} AS name, "
                      "{content_type} AS content_type, {size} AS size FROM {table}", kind=sql.Literal(kind))
            for kind, table in self._tables.files.items()
        ]  # fmt: skip
        checkins = _composed(
            self._tables.checkin,
            "SELECT {kind}, {id}, {note}, NULL, NULL, NULL, NULL FROM {table}",
            kind=sql.Literal(CHECKIN),
        )
        everything = sql.SQL(" UNION ALL ").join([*files, checkins])
        return sql.SQL(
            "WITH chosen AS ({notes}) SELECT part.* FROM ({everything}) AS part JOIN chosen ON chosen.id = part.note "
            "ORDER BY part.note, part.kind, part.id"
        ).format(notes=notes, everything=everything)

    def _of_notes(self, template: str) -> "Composed":
        return _composed(self._tables.note, template)


def _composed(table: Table, template: str, **more: "Composable") -> "Composed":
    from psycopg import sql

    names: dict[str, Composable] = {column: sql.Identifier(name) for column, name in table.columns.items()}
    statement: SQL = sql.SQL(template)
    return statement.format(table=sql.Identifier(*table.parts), **names, **more)
