"""What every migration knows of the CRM's people and users, and how their ids and emails are read.

Belongs here: shapes and rules that activity logs and notes share. Not here: what a row becomes (each migration's own
folder) and reading the CRM (`resources/crm_postgres.py`).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

_LONGEST_ID: Final = 19
_BEYOND_IDS: Final = 10**_LONGEST_ID
_MICROSECONDS: Final = tuple(timedelta(microseconds=number) for number in range(1_000))
"""Made once: every row asks for one or two."""


class ContactRef(NamedTuple):
    """The CDP contact of a CRM person: its id in 24 hex digits, and since when the live feed writes its timeline."""

    customer_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class CrmUser:
    """A row of the CRM's `users`. The email is personal: it goes to the launchpad and nowhere else."""

    email: str | None
    full_name: str | None
    deleted: bool


def email_key(email: str) -> str:
    """How emails are compared."""
    return email.strip().casefold()


def id_text(value: object) -> str | None:
    """A CRM id as decimal digits, from a number or a text of digits; None for anything else."""
    if type(value) is int:
        return str(value) if 0 < value < _BEYOND_IDS else None
    if isinstance(value, str):
        digits = value.strip()
        if 0 < len(digits) <= _LONGEST_ID and digits.isascii() and digits.isdigit():
            return str(int(digits)) if int(digits) > 0 else None
    return None


def milliseconds(instant: datetime | None) -> datetime | None:
    """An instant as BSON stores it."""
    if instant is None:
        return None
    beyond = instant.microsecond % 1000
    return instant - _MICROSECONDS[beyond] if beyond else instant
