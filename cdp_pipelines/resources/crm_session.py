"""Sessions in the CRM's PostgreSQL, read and never written: read-only, time limits, our name in its activity view.

Belongs here: connections, streaming over cuts, and turning the driver's errors into ours. Not here: SQL
(`crm_rows.py`) and whose rows are asked for (`crm_postgres.py`, `crm_notes_postgres.py`).
"""

import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from cdp_pipelines.domain.errors import ConfigurationError, PermanentFailure, TransientFailure

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

_log = logging.getLogger(__name__)


class HasId(Protocol):
    """A row that says which it is."""

    @property
    def id(self) -> int:
        """Its primary key."""


RowT = TypeVar("RowT", bound=HasId)


class CrmSession:
    """The CRM on behalf of one organization, whose `cid` every statement is given."""

    def __init__(self, dsn: str, cid: int, *, statement_seconds: int = STATEMENT_SECONDS) -> None:
        self._dsn = dsn
        self.cid = cid
        self._statement_seconds = statement_seconds
        self._lookups: Connection[Any] | None = None

    def stream(
        self,
        read_window: Callable[[int], Generator[list[RowT], None, None]],
        *,
        after: int,
        window_rows: int,
        what: str,
    ) -> Generator[list[RowT], None, None]:
        """Pages of rows, ascending by id, window after window; `read_window` gives at most `window_rows` above an id.

        A connection that is cut is made anew and goes on after the last page that came, a bounded number of times.
        Close the generator when leaving early: it holds a connection with an open transaction.

        Raises:
            TransientFailure: `CRM_UNAVAILABLE`, the CRM stayed away.
        """
        position, failed = after, 0
        while True:
            rows = 0
            try:
                with closing(read_window(position)) as pages:
                    for page in pages:
                        rows += len(page)
                        position, failed = page[-1].id, 0
                        yield page
            except TransientFailure as exc:
                failed += 1
                if failed > RECONNECTS or exc.code == TIMEOUT:
                    raise
                _log.warning("reading %s goes on after id %d: %s", what, position, exc)
                _wait(failed)
                continue
            if rows < window_rows:
                return

    def fetch(self, statement: Any, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        """All rows of a statement that has few, over a connection that is kept for the next one."""
        for attempt in range(1, RECONNECTS + 1):
            try:
                with translating("looking things up"):
                    connection = self._lookup_connection()
                    with connection.transaction():
                        return connection.execute(statement, {**values, "cid": self.cid}).fetchall()
            except TransientFailure as exc:
                self.close()
                if attempt == RECONNECTS or exc.code == TIMEOUT:
                    raise
                _log.warning("asking the CRM again: %s", exc)
                _wait(attempt)
        raise TransientFailure("CRM_UNAVAILABLE", "The CRM database did not answer.")

    def close(self) -> None:
        """Close the connection for lookups, if it is open."""
        if self._lookups is not None:
            self._lookups.close()
            self._lookups = None

    def _lookup_connection(self) -> "Connection[Any]":
        if self._lookups is None or self._lookups.closed:
            self._lookups = self.connect(autocommit=True)
        return self._lookups

    def connect(self, *, autocommit: bool = False) -> "Connection[Any]":
        """A connection of its own, which cannot write; the caller closes it."""
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


def _wait(attempt: int) -> None:
    import time

    time.sleep(min(0.25 * 2**attempt, 8.0))


@contextmanager
def translating(doing: str) -> Iterator[None]:
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
