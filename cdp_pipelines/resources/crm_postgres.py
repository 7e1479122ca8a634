"""One organization's audits, users, people and other entities in the CRM's PostgreSQL.

Belongs here: what the CRM is asked for, row by row. Not here: connections (`crm_session.py`), SQL (`crm_rows.py`),
notes (`crm_notes_postgres.py`) and what rows mean (`domain/activity_logs`).
"""

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import dagster as dg
from pydantic import Field

from cdp_pipelines.domain.activity_logs.audits import Audit
from cdp_pipelines.domain.crm_records import CrmUser
from cdp_pipelines.resources.crm_mapping import CrmMapping, load_mapping
from cdp_pipelines.resources.crm_rows import CrmStatements, edges_in, shares_of
from cdp_pipelines.resources.crm_session import SETTING, WINDOW_PAGES, CrmSession, translating
from cdp_pipelines.resources.environment import required_setting
from cdp_pipelines.resources.number_settings import whole_number_setting

PEOPLE_BATCH: Final = 250
"""Each is looked up in MongoDB at once; of the embedded server a longer list costs more than its share."""


@dataclass(frozen=True, slots=True)
class AuditOverview:
    """What there is to migrate: rows, lowest and highest id (0 and 0 for none), types, earliest instant."""

    total: int
    first_id: int
    last_id: int
    auditable_types: tuple[str, ...]
    first_created_at: datetime | None


@dataclass(frozen=True, slots=True)
class EntityName:
    """An entity's name; `deleted` is also said of one that is not there at all."""

    name: str | None
    deleted: bool


class CrmDatabase:
    """One organization's rows of the CRM; no method can reach another's."""

    def __init__(self, session: CrmSession, mapping: CrmMapping) -> None:
        self._session = session
        self._statements = CrmStatements(mapping)

    def audit_overview(self, cutoff: datetime | None, *, after: int = 0) -> AuditOverview:
        """Look over the audits since `cutoff` with ids above `after`."""
        rows = self._session.fetch(self._statements.audit_overview(), {"cutoff": cutoff, "after": after})
        return AuditOverview(
            total=sum(row[1] for row in rows),
            first_id=min((row[2] for row in rows), default=0),
            last_id=max((row[3] for row in rows), default=0),
            auditable_types=tuple(sorted(row[0] for row in rows if row[0] is not None)),
            first_created_at=min((row[4] for row in rows if row[4] is not None), default=None),
        )

    def audit_edges(self, cutoff: datetime | None, *, first: int, last: int, parts: int) -> list[int]:
        """The last ids of all but the last of so many parts of as many audits."""
        values = {"cutoff": cutoff, "first": first, "last": last, "shares": shares_of(parts)}
        return edges_in(self._session.fetch(self._statements.audit_edges(), values))

    def audits(
        self,
        *,
        after: int,
        to: int,
        scope: Sequence[str],
        cutoff: datetime | None,
        page_rows: int,
        window_pages: int = WINDOW_PAGES,
    ) -> Generator[list[Audit], None, None]:
        """Stream the audits with ids above `after` up to `to`, ascending, in pages of `page_rows`; the last is shorter.

        See `CrmSession.stream` for cut connections, leaving early, and errors.
        """
        window_rows = page_rows * window_pages

        def window(position: int) -> Generator[list[Audit], None, None]:
            values = {"after": position, "to": to, "scope": list(scope), "cutoff": cutoff, "limit": window_rows}
            return self._window(values, page_rows)

        return self._session.stream(window, after=after, window_rows=window_rows, what="audits")

    def _window(self, values: dict[str, Any], page_rows: int) -> Generator[list[Audit], None, None]:
        values = {**values, "cid": self._session.cid}
        with (
            translating("reading audits"),
            self._session.connect() as connection,
            connection.cursor(name="cdp_audits") as cursor,
        ):
            cursor.execute(self._statements.audit_page(), values, binary=True)
            while rows := cursor.fetchmany(page_rows):
                yield [Audit._make(row) for row in rows]

    def audits_by_id(self, ids: Sequence[int]) -> list[Audit]:
        """These audits, ascending; those that are gone, or another organization's, are not among them."""
        return [Audit._make(row) for row in self._session.fetch(self._statements.audits_by_id(), {"ids": list(ids)})]

    def users(self, ids: Sequence[int]) -> dict[int, CrmUser]:
        """These users of the organization by id."""
        rows = self._session.fetch(self._statements.users(), {"ids": list(ids)})
        return {row[0]: CrmUser(email=row[1], full_name=row[2], deleted=row[3]) for row in rows}

    def entity_names(self, entity_type: str, ids: Sequence[int]) -> dict[int, EntityName]:
        """Names of these entities; empty for a kind that the mapping has no table for."""
        statement = self._statements.entities(entity_type)
        if statement is None or not ids:
            return {}
        names = {row[0]: EntityName(row[1], row[2]) for row in self._session.fetch(statement, {"ids": list(ids)})}
        return {id_: names.get(id_, EntityName(None, deleted=True)) for id_ in ids}

    def live_people(self) -> Generator[list[str], None, None]:
        """Stream the ids of the people that are not deleted, as text, in batches of `PEOPLE_BATCH`."""
        with (
            translating("reading people"),
            self._session.connect() as connection,
            connection.cursor(name="cdp_people") as cursor,
        ):
            cursor.execute(self._statements.live_people(), {"cid": self._session.cid})
            while rows := cursor.fetchmany(PEOPLE_BATCH):
                yield [str(row[0]) for row in rows]

    def noticed(self) -> Mapping[str, int]:
        """What was noticed of the database since this was last asked, by the name that counts it on a job."""
        return self._session.new_latin1()

    def knows_organization(self) -> bool:
        """Whether there is an organization with this id.

        By its table, where the mapping names one; else by whether it has a user or a person, deleted ones too, since
        nobody works with a CRM without a user. Each of those tables is read once at most, as for the coverage.
        """
        return any(self._session.fetch(statement, {}) for statement in self._statements.signs_of_organization())

    def close(self) -> None:
        """Close the connection for lookups, if it is open."""
        self._session.close()


class CrmPostgresResource(dg.ConfigurableResource[None]):
    """The CRM's database. Settings: `CRM_AUDIT_DATABASE_URL`, `CDP_CRM_MAPPING_FILE`, `CDP_CRM_STATEMENT_SECONDS`."""

    dsn: str = Field(default="", description="PostgreSQL connection string, a secret; empty: CRM_AUDIT_DATABASE_URL.")
    mapping_file: str = Field(default="", description="YAML with names of tables and columns; empty: the package's.")

    def open(self, cid: int, *, within_seconds: float | None = None) -> CrmDatabase:
        """The rows of one organization; nothing is contacted yet. With a limit, no statement may take longer.

        Raises:
            ConfigurationError: a setting is missing or wrong.
        """
        return CrmDatabase(self.session(cid, within_seconds=within_seconds), self.mapping())

    def session(self, cid: int, *, within_seconds: float | None = None) -> CrmSession:
        """A session on behalf of one organization; nothing is contacted yet. See `open`."""
        seconds = whole_number_setting("CDP_CRM_STATEMENT_SECONDS")
        if within_seconds is not None:
            seconds = min(seconds, max(1, math.ceil(within_seconds)))
        return CrmSession(required_setting(SETTING, self.dsn), cid, statement_seconds=seconds)

    def mapping(self) -> CrmMapping:
        """Names of the CRM's tables and columns."""
        return load_mapping(self.mapping_file)
