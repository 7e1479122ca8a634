"""The one place where pipelines ask for the time."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Now, in UTC and whole milliseconds, as BSON dates hold it."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
