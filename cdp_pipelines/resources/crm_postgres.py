"""The CRM's PostgreSQL, read and never written: read-only transactions, time limits, our name in its activity view.

Belongs here: connections, streaming, and turning the driver's errors into ours. Not here: SQL (`crm_rows.py`) and what
rows mean (`domain/activity_logs`).
"""

import logging
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
from pydantic import Field

from cdp_pipelines.domain.activity_logs.audits import Audit
from cdp_pipelines.domain.crm_records import CrmUser
from cdp_pipelines.domain.errors import ConfigurationError, PermanentFailure, TransientFailure
from cdp_pipelines.resources.crm_mapping import CrmMapping, load_mapping
from cdp_pipelines.resources.crm_rows import CrmStatements
from cdp_pipelines.resources.environment import required_setting, whole_number_setting

if TYPE_CHECKING:
    from psycopg import Connection, Error

SETTING: Final = "CRM_AUDIT_DATABASE_URL"
APPLICATION_NAME: Final = "cdp_pipelines"
CONNECT_SECONDS: Final = 10
STATEMENT_SECONDS: Final = 300
LOCK_SECONDS: Final = 10
TIMEOUT: Final = "CRM_TIMEOUT"
"""Not tried again: what took minutes once would take them again, and load the CRM with it."""
RECONNECTS: Final = 5
"""In a row, without a single row in between."""
WINDOW_PAGES: Final = 100
"""A server-side cursor stays open for this many pages, so that no snapshot of ours holds back the CRM's vacuum long."""
PEOPLE_BATCH: Final = 250
"""Each is looked up in MongoDB at once; of the embedded server a longer list costs more than its share."""

_log = logging.getLogger(__name__)


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

    def __init__(self, dsn: str, mapping: CrmMapping, cid: int, *, statement_seconds: int = STATEMENT_SECONDS) -> None:
        self._dsn = dsn
        self._statements = CrmStatements(mapping)
        self._cid = cid
        self._statement_seconds = statement_seconds
        self._lookups: Connection[Any] | None = None

    def audit_overview(self, cutoff: datetime | None) -> AuditOverview:
        """Look over the audits since `cutoff`."""
        rows = self._fetch(self._statements.audit_overview(), {"cutoff": cutoff})
        return AuditOverview(
            total=sum(row[1] for row in rows),
            first_id=min((row[2] for row in rows), default=0),
            last_id=max((row[3] for row in rows), default=0),
            auditable_types=tuple(sorted(row[0] for row in rows if row[0] is not None)),
            first_created_at=min((row[4] for row in rows if row[4] is not None), default=None),
        )

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

        A connection that is cut is made anew and goes on after the last page that came, a bounded number of times.
        Close the generator when leaving early: it holds a connection with an open transaction.

        Raises:
            TransientFailure: `CRM_UNAVAILABLE`, the CRM stayed away.
        """
        position, failed = after, 0
        while True:
            rows = 0
            window = {"after": position, "to": to, "scope": list(scope), "cutoff": cutoff}
            try:
                with closing(self._window(window, page_rows, page_rows * window_pages)) as pages:
                    for page in pages:
                        rows += len(page)
                        position, failed = page[-1].id, 0
                        yield page
            except TransientFailure as exc:
                failed += 1
                if failed > RECONNECTS or exc.code == TIMEOUT:
                    raise
                _log.warning("reading audits goes on after id %d: %s", position, exc)
                _wait(failed)
                continue
            if rows < page_rows * window_pages:
                return

    def _window(self, values: dict[str, Any], page_rows: int, limit: int) -> Generator[list[Audit], None, None]:
        values = {**values, "cid": self._cid, "limit": limit}
        with (
            _translating("reading audits"),
            self._connect() as connection,
            connection.cursor(name="cdp_audits") as cursor,
        ):
            cursor.execute(self._statements.audit_page(), values, binary=True)
            while rows := cursor.fetchmany(page_rows):
                yield [Audit._make(row) for row in rows]

    def audits_by_id(self, ids: Sequence[int]) -> list[Audit]:
        """These audits, ascending; those that are gone, or another organization's, are not among them."""
        return [Audit._make(row) for row in self._fetch(self._statements.audits_by_id(), {"ids": list(ids)})]

    def users(self, ids: Sequence[int]) -> dict[int, CrmUser]:
        """These users of the organization by id."""
        rows = self._fetch(self._statements.users(), {"ids": list(ids)})
        return {row[0]: CrmUser(email=row[1], full_name=row[2], deleted=row[3]) for row in rows}

    def entity_names(self, entity_type: str, ids: Sequence[int]) -> dict[int, EntityName]:
        """Names of these entities; empty for a kind that the mapping has no table for."""
        statement = self._statements.entities(entity_type)
        if statement is None or not ids:
            return {}
        names = {row[0]: EntityName(row[1], row[2]) for row in self._fetch(statement, {"ids": list(ids)})}
        return {id_: names.get(id_, EntityName(None, deleted=True)) for id_ in ids}

    def live_people(self) -> Generator[list[str], None, None]:
        """Stream the ids of the people that are not deleted, as text, in batches of `PEOPLE_BATCH`."""
        with (
            _translating("reading people"),
            self._connect() as connection,
            connection.cursor(name="cdp_people") as cursor,
        ):
            cursor.execute(self._statements.live_people(), {"cid": self._cid})
            while rows := cursor.fetchmany(PEOPLE_BATCH):
                yield [str(row[0]) for row in rows]

    def close(self) -> None:
        """Close the connection for lookups, if it is open."""
        if self._lookups is not None:
            self._lookups.close()
            self._lookups = None

    def _fetch(self, statement: Any, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        for attempt in range(1, RECONNECTS + 1):
            try:
                with _translating("looking things up"):
                    connection = self._lookup_connection()
                    with connection.transaction():
                        return connection.execute(statement, {**values, "cid": self._cid}).fetchall()
            except TransientFailure as exc:
                self.close()
                if attempt == RECONNECTS or exc.code == TIMEOUT:
                    raise
                _log.warning("asking the CRM again: %s", exc)
                _wait(attempt)
        raise TransientFailure("CRM_UNAVAILABLE", "The CRM database did not answer.")

    def _lookup_connection(self) -> "Connection[Any]":
        if self._lookups is None or self._lookups.closed:
            self._lookups = self._connect(autocommit=True)
        return self._lookups

    def _connect(self, *, autocommit: bool = False) -> "Connection[Any]":
        import psycopg

        limits = {
            "default_transaction_read_only": "on",
            "statement_timeout": f"{self._statement_seconds}s",
            "lock_timeout": f"{LOCK_SECONDS}s",
            "idle_in_transaction_session_timeout": "1h",
            "TimeZone": "UTC",
        }
        return psycopg.connect(
            self._dsn,
            autocommit=autocommit,
            application_name=APPLICATION_NAME,
            connect_timeout=CONNECT_SECONDS,
            options=" ".join(f"-c {name}={value}" for name, value in limits.items()),
            keepalives_idle=30,
        )


class CrmPostgresResource(dg.ConfigurableResource[None]):
    """The CRM's database. Settings: `CRM_AUDIT_DATABASE_URL`, `CDP_CRM_MAPPING_FILE`, `CDP_CRM_STATEMENT_SECONDS`."""

    dsn: str = Field(default="", description="PostgreSQL connection string, a secret; empty: CRM_AUDIT_DATABASE_URL.")
    mapping_file: str = Field(default="", description="YAML with names of tables and columns; empty: the package's.")

    def open(self, cid: int) -> CrmDatabase:
        """The rows of one organization; nothing is contacted yet.

        Raises:
            ConfigurationError: a setting is missing or wrong.
        """
        return CrmDatabase(
            required_setting(SETTING, self.dsn),
            load_mapping(self.mapping_file),
            cid,
            statement_seconds=whole_number_setting("CDP_CRM_STATEMENT_SECONDS", default=STATEMENT_SECONDS, least=1),
        )


def _wait(attempt: int) -> None:
    import time

    time.sleep(min(0.25 * 2**attempt, 8.0))


@contextmanager
def _translating(doing: str) -> Iterator[None]:
    """Translate the driver's errors. Their texts may hold the server's address or a row's values, and Dagster keeps the
    texts of causes, so only those go on as causes that name nothing but tables and columns.

    Raises:
        TransientFailure: `CRM_UNAVAILABLE`; `CRM_TIMEOUT`, a statement took too long.
        ConfigurationError: `CRM_DSN_INVALID`, `CRM_MAPPING_MISMATCH`.
        PermanentFailure: `CRM_REFUSED`.
    """
    import psycopg
    from psycopg import errors

    try:
        yield
    except errors.QueryCanceled as exc:
        raise TransientFailure(TIMEOUT, f"The CRM database took too long while {doing}.") from exc
    except (errors.UndefinedTable, errors.UndefinedColumn, errors.UndefinedFunction) as exc:
        raise ConfigurationError(
            "CRM_MAPPING_MISMATCH",
            f"The CRM database has no such table or column ({type(exc).__name__}) while {doing}. "
            "Compare it with the mapping file (CDP_CRM_MAPPING_FILE).",
        ) from exc
    except (errors.InvalidPassword, errors.InvalidAuthorizationSpecification, errors.InsufficientPrivilege) as exc:
        raise PermanentFailure(
            "CRM_REFUSED", f"The CRM database refused us while {doing} ({_kind(exc)}). Check {SETTING}."
        ) from None
    except (psycopg.OperationalError, psycopg.InterfaceError) as exc:
        raise TransientFailure(
            "CRM_UNAVAILABLE", f"The CRM database did not answer while {doing} ({_kind(exc)}). Check {SETTING}."
        ) from None
    except psycopg.ProgrammingError as exc:
        raise ConfigurationError("CRM_DSN_INVALID", f"{SETTING} cannot be used ({_kind(exc)}).") from None
    except psycopg.Error as exc:
        raise PermanentFailure("CRM_REFUSED", f"The CRM database failed while {doing} ({_kind(exc)}).") from None


def _kind(error: "Error") -> str:
    """What a developer looks up: the class, and the server's code where it gave one."""
    name = type(error).__name__
    return f"{name}, SQLSTATE {error.sqlstate}" if error.sqlstate else name
