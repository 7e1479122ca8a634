"""The errors this project raises on purpose, each with a code that callers and documents can rely on.

Belongs here: error classes and their codes. Not here: translating a driver's exceptions (that happens in
`resources` and `stores`, at the edge, with `raise ... from exc`).
"""

from collections.abc import Mapping
from typing import Any, Final


class CdpError(Exception):
    """Base of every expected error: a stable `code`, a message for people, and details without personal data."""

    def __init__(self, code: str, message: str, *, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details: dict[str, Any] = dict(details or {})

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class PermanentFailure(CdpError):
    """Trying again cannot help: bad data, a missing layout, a refused address."""


class TransientFailure(CdpError):
    """An outside system failed after its bounded retries; the same work may succeed later."""


class ConfigurationError(CdpError):
    """A setting is missing or wrong; the message names it and says where to set it."""


class CancelRequested(CdpError):
    """Somebody asked for the work to stop; it stopped cleanly within one batch."""

    def __init__(self, message: str = "Canceled on request.") -> None:
        super().__init__("CANCELED", message)


OUTAGES: Final = frozenset(
    {
        "CRM_UNAVAILABLE",
        "CRM_EXTRACT_FAILED",
        "MONGO_UNAVAILABLE",
        "MONGO_FAILED",
        "OBJECT_STORE_UNAVAILABLE",
    }
)
"""The codes of outside systems that are away and come back, so that waiting helps. Not those that were only slow:
what took minutes once would take them again."""


def is_outage(error: CdpError) -> bool:
    """Whether the same work will succeed once an outside system is back, without anybody's doing."""
    return isinstance(error, TransientFailure) and error.code in OUTAGES
