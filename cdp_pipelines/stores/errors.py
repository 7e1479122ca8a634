"""Where pymongo's exceptions become this project's, and where a short outage is waited out.

Nothing above a store knows the driver.
"""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property, wraps
from typing import Final, ParamSpec, TypeVar

from bson.errors import BSONError
from pymongo.errors import AutoReconnect, OperationFailure, PyMongoError, ServerSelectionTimeoutError
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from cdp_pipelines.domain.errors import PermanentFailure, TransientFailure

ATTEMPTS: Final = 5
_LONGEST_WAIT_SECONDS: Final = 8.0

# The server could not do it now: the codes of MongoDB's retryable errors (retryable writes specification), and the two
# by which a cursor is lost when a server restarts or fails over (43 CursorNotFound, 175 QueryPlanKilled).
_PASSING_CODES: Final = frozenset({6, 7, 43, 50, 89, 91, 134, 175, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436})

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def translating(doing: str) -> Iterator[None]:
    """Translate the driver's errors while `doing` ("reading contacts"); the text never carries a document's values.

    Raises:
        TransientFailure: `MONGO_UNAVAILABLE`, the server could not be reached, even after the driver's own retry.
        PermanentFailure: `MONGO_REFUSED`, the server answered that the operation is wrong.
    """
    try:
        yield
    except (AutoReconnect, ServerSelectionTimeoutError) as exc:
        raise TransientFailure(
            "MONGO_UNAVAILABLE",
            f"MongoDB did not answer while {doing}. Check CDP_MONGO_URI and that the server is up (cdp doctor).",
        ) from exc
    except OperationFailure as exc:
        if exc.code in _PASSING_CODES:
            raise TransientFailure(
                "MONGO_UNAVAILABLE",
                f"MongoDB was interrupted while {doing} (code {exc.code}).",
                details={"code": exc.code},
            ) from exc
        raise PermanentFailure(
            "MONGO_REFUSED",
            f"MongoDB refused an operation while {doing} (code {exc.code}).",
            details={"code": exc.code},
        ) from exc
    except BSONError as exc:
        raise PermanentFailure(
            "DOCUMENT_UNREADABLE",
            f"A document cannot be read, or is too large to be written, while {doing} ({type(exc).__name__}).",
        ) from exc
    except PyMongoError as exc:
        raise TransientFailure("MONGO_FAILED", f"MongoDB failed while {doing} ({type(exc).__name__}).") from exc


class _Call:
    """One call of a store, over all of its tries."""

    @cached_property
    def token(self) -> str:
        """Its name; made only for those who ask."""
        return uuid.uuid4().hex


_call: ContextVar[_Call | None] = ContextVar("store_call", default=None)


def this_call() -> str:
    """What names the present call of a store, and stays the same when an outage has it tried again.

    A step that must be told from others of its kind writes it down: where a try finds the step done already and this
    name beside it, it was done by an earlier try whose answer was lost.
    """
    call = _call.get()
    return call.token if call is not None else uuid.uuid4().hex


def waiting_out_outages(function: Callable[P, R]) -> Callable[P, R]:
    """Repeat an operation over a short outage: five attempts, waits of 0.5 to 8 seconds.

    A try may have been done though its answer was lost, so the operation is idempotent, or knows its own first try by
    `this_call`.
    """
    patient = retry(
        retry=retry_if_exception_type(TransientFailure),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential_jitter(multiplier=0.5, max=_LONGEST_WAIT_SECONDS, jitter=0.5),
        reraise=True,
    )(function)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        before = _call.set(_Call())
        try:
            return patient(*args, **kwargs)
        finally:
            _call.reset(before)

    return call
