"""What an export leaves behind: the audit trail, the 48-hour history, and all of its failed rows."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from pymongo import ReplaceOne
from pymongo.database import Database

from cdp_pipelines.domain.failures import RowFailure
from cdp_pipelines.stores.errors import translating, waiting_out_outages

Document = dict[str, Any]

AUDIT_KEPT_DAYS: Final = 90
HISTORY_KEPT_HOURS: Final = 48
FAILURES_KEPT_DAYS: Final = 7


class ExportRecords:
    """`export_audit`, `export_history` and `migration_failures` of exports. Repeating a write changes nothing.

    `kind` is that of the export, on each of its failed rows.
    """

    def __init__(self, database: Database[Document], kind: str = "contact_export") -> None:
        self._kind = kind
        self._audit = database["export_audit"]
        self._history = database["export_history"]
        self._failures = database["migration_failures"]

    @waiting_out_outages
    def audit(self, job_id: str, company_sso_id: str, action: str, facts: Mapping[str, Any], *, now: datetime) -> None:
        """Who, when, how many, which fields; kept 90 days."""
        with translating("writing the audit trail"):
            self._audit.update_one(
                {"_id": f"{job_id}:{action}"},
                {
                    "$setOnInsert": {
                        "job_id": job_id,
                        "company_sso_id": company_sso_id,
                        "action": action,
                        "at": now,
                        **facts,
                        "expires_at": now + timedelta(days=AUDIT_KEPT_DAYS),
                    }
                },
                upsert=True,
            )

    @waiting_out_outages
    def keep_history(self, job_id: str, company_sso_id: str, row: Mapping[str, Any], *, now: datetime) -> None:
        """The row that users see for 48 hours."""
        with translating("writing the export history"):
            self._history.replace_one(
                {"_id": job_id},
                {
                    **row,
                    "company_sso_id": company_sso_id,
                    "link_expires_at": row.get("expires_at"),
                    "expires_at": now + timedelta(hours=HISTORY_KEPT_HOURS),
                },
                upsert=True,
            )

    @waiting_out_outages
    def history(self, company_sso_id: str, *, now: datetime, limit: int = 100) -> list[Document]:
        """The company's exports of the last 48 hours, newest first."""
        with translating("reading the export history"):
            return list(
                self._history.find({"company_sso_id": company_sso_id, "expires_at": {"$gt": now}})
                .sort([("date", -1), ("_id", 1)])
                .limit(limit)
            )

    @waiting_out_outages
    def add_failures(self, job_id: str, company_sso_id: str, failures: Sequence[RowFailure], *, now: datetime) -> None:
        """Failed rows of one batch, in one round trip; a repeated batch replaces its own rows."""
        if not failures:
            return
        expires_at = now + timedelta(days=FAILURES_KEPT_DAYS)
        with translating("recording failed rows"):
            self._failures.bulk_write(
                [
                    ReplaceOne(
                        {"_id": f"{job_id}:{failure.id}"},
                        {
                            "kind": self._kind,
                            "job_id": job_id,
                            "company_sso_id": company_sso_id,
                            "source_id": failure.id,
                            "reason_code": failure.reason_code,
                            "details": failure.details,
                            "at": now,
                            "expires_at": expires_at,
                        },
                        upsert=True,
                    )
                    for failure in failures
                ],
                ordered=False,
            )

    def failures(self, job_id: str, company_sso_id: str) -> Iterator[Document]:
        """All failed rows of a job."""
        with translating("reading failed rows"):
            yield from self._failures.find({"job_id": job_id, "company_sso_id": company_sso_id}).sort([("_id", 1)])

    @waiting_out_outages
    def purge(self, job_id: str, company_sso_id: str) -> None:
        """Remove the history row and the failed rows of a job; the audit trail stays."""
        with translating("purging an export's records"):
            self._history.delete_one({"_id": job_id, "company_sso_id": company_sso_id})
            self._failures.delete_many({"job_id": job_id, "company_sso_id": company_sso_id})
