"""The statements that read the CRM, composed from the mapping; values are always bound, names always quoted.

Belongs here: SQL. Not here: running it (`crm_postgres.py`).
"""

from typing import TYPE_CHECKING, Final

from cdp_pipelines.resources.crm_mapping import CrmMapping, Table

if TYPE_CHECKING:
    from psycopg.sql import Composable, Composed

# Timestamps that Python's calendar has no day for, `infinity` among them, come as NULL: the row is then reported. Rails
# stores UTC without saying so; the session's zone is UTC, so that the cast says it.
READABLE: Final = "(CASE WHEN {at} BETWEEN '0001-01-02' AND '9999-12-30' THEN {at} END)::timestamptz"
_IN_SCOPE: Final = "({type} = ANY(%(scope)s) OR {type} IS NULL)"
# A row whose time is unknown cannot be said to be too old, so it is read and reported.
RECENT: Final = "(%(cutoff)s::timestamptz IS NULL OR {at} >= %(cutoff)s OR {at} IS NULL)"


class CrmStatements:
    """Every statement this project sends to the CRM."""

    def __init__(self, mapping: CrmMapping) -> None:
        self.mapping = mapping

    def audit_overview(self) -> "Composed":
        """By `auditable_type`: rows, lowest and highest id, earliest instant. One scan: only the key is indexed."""
        return _compose(
            self.mapping.audits,
            "SELECT {type}, count(*), min({id}), max({id}), min(" + READABLE + ") FROM {table} "
            "WHERE {organization} = %(cid)s AND " + RECENT + " GROUP BY 1",
        )

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
