"""Sessions in the CRM's PostgreSQL, read and never written: read-only, time limits, our name in its activity view.

Whatever the role, the database or the server has been set to, we read the same: each transaction pins what rows and
values depend on. In the transaction, for a pooler may give the next one another session, and refuses settings at the
start of a connection (PgBouncer).

Belongs here: connections, streaming over cuts, and turning the driver's errors into ours. Not here: SQL
(`crm_rows.py`) and whose rows are asked for (`crm_postgres.py`, `crm_notes_postgres.py`).
"""

import logging
import re
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from cdp_pipelines.domain.errors import ConfigurationError, PermanentFailure, TransientFailure
from cdp_pipelines.resources.crm_encoding import UNKNOWN_ENCODING, is_unknown, read_texts_tolerantly

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

TEXTS_AS_LATIN1: Final = "crm_texts_as_latin1"
"""Counts texts of a database that does not say its encoding, which are no UTF-8."""
PINNED: Final[Mapping[str, str]] = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "search_path": "public",
}
"""What a role, a database or a server may have set otherwise, and rows or values depend on."""
_OWN_PATH: Final = re.compile(r"(?:-c\s*|--)search[_-]path\s*=\s*((?:\\.|\S)+)", re.IGNORECASE)

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
        self._latin1 = 0

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
                        self._pin(connection)
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

    def connect(
        self, *, autocommit: bool = False, one_snapshot: bool = False, seconds: int = CONNECT_SECONDS
    ) -> "Connection[Any]":
        """A connection of its own, which cannot write; the caller closes it.

        Without `autocommit` its transaction has begun, with everything pinned; with `one_snapshot`, all its statements
        see the same rows.
        """
        import psycopg

        connection = psycopg.connect(
            self._dsn,
            autocommit=autocommit,
            application_name=APPLICATION_NAME,
            connect_timeout=seconds,
            client_encoding="UTF8",
            keepalives_idle=30,
            # A pooler may give the next transaction a session that has not prepared what this one has.
            prepare_threshold=None,
        )
        try:
            connection.read_only = True
            levels = psycopg.IsolationLevel
            connection.isolation_level = levels.REPEATABLE_READ if one_snapshot else levels.READ_COMMITTED
            if is_unknown(connection):
                read_texts_tolerantly(connection, self._count_latin1)
            if not autocommit:
                self._pin(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def new_latin1(self) -> Mapping[str, int]:
        """Texts read as Latin-1 since this was last asked, under the name that counts them on a job."""
        count, self._latin1 = self._latin1, 0
        return {TEXTS_AS_LATIN1: count} if count else {}

    def _count_latin1(self) -> None:
        self._latin1 += 1

    def _pin(self, connection: "Connection[Any]") -> None:
        """Settle, for the transaction that has begun or begins with this, what its rows and values depend on."""
        settings = {
            **PINNED,
            "search_path": self._search_path(),
            "statement_timeout": f"{self._statement_seconds}s",
            "lock_timeout": f"{LOCK_SECONDS}s",
            "idle_in_transaction_session_timeout": "1h",
            "client_encoding": UNKNOWN_ENCODING if is_unknown(connection) else "UTF8",
        }
        calls = ", ".join(["set_config(%s, %s, true)"] * len(settings))
        connection.execute(f"SELECT {calls}", [text for setting in settings.items() for text in setting])

    def _search_path(self) -> str:
        """Where tables without a schema are looked for: what the address itself says, else `public`."""
        from psycopg.conninfo import conninfo_to_dict

        found = _OWN_PATH.search(str(conninfo_to_dict(self._dsn).get("options") or ""))
        return re.sub(r"\\(.)", r"\1", found[1]) if found else PINNED["search_path"]


def startup_options() -> str:
    """The same for a session of our own servers, which no pooler stands before."""
    return " ".join(f"-c {name}={value.replace(' ', chr(92) + ' ')}" for name, value in PINNED.items())


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
        PermanentFailure: `CRM_REFUSED`; `CRM_ENCODING`, a text cannot be turned into UTF-8.
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
            "Compare it with the mapping file (CDP_CRM_MAPPING_FILE); tables that it names without a schema are looked "
            "for in public, whatever the role's search_path says.",
        ) from exc
    except (errors.CharacterNotInRepertoire, errors.UntranslatableCharacter, UnicodeDecodeError) as exc:
        kind = _kind(exc) if isinstance(exc, psycopg.Error) else "no UTF-8"
        raise PermanentFailure(
            "CRM_ENCODING",
            f"The CRM database holds a text that cannot be turned into UTF-8, met while {doing} ({kind}). "
            "See docs/activity-logs.md, Encodings.",
        ) from None
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
