"""The statements that read the CRM, composed from the mapping; values are always bound, names always quoted.

Belongs here: SQL. Not here: running it (`crm_postgres.py`).
"""

from typing import TYPE_CHECKING, Any, Final

from cdp_pipelines.resources.crm_mapping import CrmMapping, Table

if TYPE_CHECKING:
    from psycopg.sql import Composable, Composed

# Timestamps that Python's calendar has no day for, `infinity` among them, come as NULL: the row is then reported. Rails
# stores UTC without saying so; the session's zone is UTC, so that the cast says it.
READABLE: Final = "(CASE WHEN {at} BETWEEN '0001-01-02' AND '9999-12-30' THEN {at} END)::timestamptz"
_IN_SCOPE: Final = "({type} = ANY(%(scope)s) OR {type} IS NULL)"
# A row whose time is unknown cannot be said to be too old, so it is read and reported.
RECENT: Final = "(%(cutoff)s::timestamptz IS NULL OR {at} >= %(cutoff)s OR {at} IS NULL)"


EDGES: Final = (
    "percentile_disc(%(shares)s::float8[]) WITHIN GROUP (ORDER BY {id}) FROM {table} "
    "WHERE {organization} = %(cid)s AND {id} BETWEEN %(first)s AND %(last)s"
)


def shares_of(parts: int) -> list[float]:
    """Where rows are divided into so many parts of as many."""
    return [number / parts for number in range(1, parts)]


def edges_in(rows: list[tuple[Any, ...]]) -> list[int]:
    """The ids of an answer to `EDGES`."""
    return [int(edge) for edge in (rows[0][0] if rows else None) or ()]


class CrmStatements:
    """Every statement this project sends to the CRM."""

    def __init__(self, mapping: CrmMapping) -> None:
        self.mapping = mapping

    def audit_overview(self) -> "Composed":
        """By `auditable_type`: rows, lowest and highest id, earliest instant. One scan: only the key is indexed."""
        return _compose(
            self.mapping.audits,
            "SELECT {type}, count(*), min({id}), max({id}), min(" + READABLE + ") FROM {table} "
            "WHERE {organization} = %(cid)s AND {id} > %(after)s AND " + RECENT + " GROUP BY 1",
        )

    def audit_edges(self) -> "Composed":
        """The ids at these shares of the audits: a walk along the key, and a sort of ids alone."""
        return _compose(self.mapping.audits, "SELECT " + EDGES + " AND " + RECENT)

    def audit_page(self) -> "Composed":
        """Audits in the order of their id, as SPEC 5.1 says."""
        return _compose(
            self.mapping.audits,
            "SELECT " + _AUDIT + " FROM {table} WHERE {organization} = %(cid)s AND {id} > %(after)s AND {id} <= %(to)s "
            "AND " + _IN_SCOPE + " AND " + RECENT + " ORDER BY {id} LIMIT %(limit)s",
        )

    def audits_by_id(self) -> "Composed":
        """Some audits, in the order of their id."""
        return _compose(
            self.mapping.audits,
            "SELECT " + _AUDIT + " FROM {table} WHERE {organization} = %(cid)s AND {id} = ANY(%(ids)s) ORDER BY {id}",
        )

    def users(self) -> "Composed":
        """Some users of the organization."""
        return _compose(
            self.mapping.users,
            "SELECT {id}, {email}, {name}, {deleted_at} IS NOT NULL FROM {table} "
            "WHERE {organization} = %(cid)s AND {id} = ANY(%(ids)s)",
        )

    def entities(self, entity_type: str) -> "Composed | None":
        """Names of some entities of a kind; None for a kind without a table."""
        table = self.mapping.entities.get(entity_type)
        if table is None:
            return None
        return _compose(
            table,
            "SELECT {id}, {name}, {deleted_at} IS NOT NULL FROM {table} "
            "WHERE {organization} = %(cid)s AND {id} = ANY(%(ids)s)",
        )

    def live_people(self) -> "Composed":
        """The ids of the organization's people that are not deleted."""
        return _compose(
            self.mapping.people,
            "SELECT {id} FROM {table} WHERE {organization} = %(cid)s AND {deleted_at} IS NULL ORDER BY {id}",
        )

    def signs_of_organization(self) -> "list[Composed]":
        """Statements of which one has a row if the organization is there."""
        if self.mapping.organizations is not None:
            return [_compose(self.mapping.organizations, "SELECT 1 FROM {table} WHERE {id} = %(cid)s LIMIT 1")]
        sign = "SELECT 1 FROM {table} WHERE {organization} = %(cid)s LIMIT 1"
        return [_compose(table, sign) for table in (self.mapping.users, self.mapping.people)]


_AUDIT: Final = (
    "{id}, {auditable_id}, {type}, {associated_id}, {associated_type}, {user_id}, {user_type}, {username}, {action}, "
    "{changes}, {comment}, " + READABLE
)


def _compose(table: Table, template: str) -> "Composed":
    from psycopg import sql

    names: dict[str, Composable] = {column: sql.Identifier(name) for column, name in table.columns.items()}
    names["table"] = sql.Identifier(*table.parts)
    if "auditable_type" in names:
        names |= {"type": names["auditable_type"], "at": names["created_at"]}
        # A CRM that keeps no such name, or a mapping file from before it was read.
        names.setdefault("username", sql.SQL("NULL::text"))
    return sql.SQL(template).format(**names)
