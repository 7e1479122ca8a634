"""Where pymongo's exceptions become this project's, and where a short outage is waited out.

Nothing above a store knows the driver.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


def waiting_out_outages(function: Callable[P, R]) -> Callable[P, R]:
    """Repeat an idempotent operation over a short outage: five attempts, waits of 0.5 to 8 seconds."""
    return retry(
        retry=retry_if_exception_type(TransientFailure),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential_jitter(multiplier=0.5, max=_LONGEST_WAIT_SECONDS, jitter=0.5),
        reraise=True,
    )(function)
