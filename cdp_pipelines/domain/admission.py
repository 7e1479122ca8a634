"""The two answers that every admission function gives.

Belongs here: the answer types. Not here: any rule (each pipeline's `admission.py` has its own `admit`) and any
reading of facts (sensors and other ways in gather them from the stores).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

RequestT = TypeVar("RequestT")


@dataclass(frozen=True, slots=True)
class Admitted(Generic[RequestT]):
    """The request may run; `request` is its parsed, safe form and `warnings` are for the job document."""

    request: RequestT
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """The request may not run: a stable code, the HTTP status that fits it, a message for people, and details."""

    code: str
    http_status: int
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_document(self) -> dict[str, Any]:
        """The `error` of a rejected request: `{code, http_status, message, details}`."""
        return {
            "code": self.code,
            "http_status": self.http_status,
            "message": self.message,
            "details": dict(self.details),
        }
