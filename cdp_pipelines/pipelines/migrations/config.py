"""What ops can set on a run of any migration, and the names that all of them share."""

from typing import Any, Final

import dagster as dg
from pydantic import Field

from cdp_pipelines.domain.migration_requests import DEFAULT_PAGE_ROWS, MOST_SHARDS, PAGE_ROWS

COVERAGE_ASSET_NAME: Final = "crm_contact_coverage"
POOL: Final = "crm_read"


class StartConfig(dg.Config):
    """How to migrate the company of this partition."""

    request_id: str = Field(
        default="",
        description="_id of the document in migration_requests that asked for this; the sensor sets it. Empty: the "
        "settings below count.",
    )
    force: bool = Field(
        default=False,
        description="Go over everything again: also a company that is completed, and from the first row instead of "
        "where an interrupted or halted job stopped. What is there already is skipped, never written twice.",
    )
    dry_run: bool = Field(
        default=False, description="Do everything but write, and report in the run what a migration would do."
    )
    date_range_start: str = Field(
        default="", description="Only rows made since this instant, such as 2024-01-31T00:00:00Z. Empty: all."
    )
    page_rows: int = Field(default=DEFAULT_PAGE_ROWS, description=f"Rows a page, {PAGE_ROWS[0]} to {PAGE_ROWS[-1]:,}.")
    shards: int = Field(
        default=0,
        description=f"Ranges of ids that may run side by side, at most {MOST_SHARDS}. 0: as many as the number of rows "
        "asks for. They run in parallel under the multiprocess executor (execution: config: multiprocess), else one "
        "after the other.",
    )

    def as_order(self) -> dict[str, Any]:
        """The request document that these settings stand for, without its company."""
        return {
            "action": "start",
            "requested_by": "dagster-ui",
            "options": {
                "force": self.force,
                "dry_run": self.dry_run,
                "date_range_start": self.date_range_start or None,
                "page_rows": self.page_rows,
                "shards": self.shards,
            },
        }


class RollbackConfig(dg.Config):
    """Confirmation of a rollback."""

    request_id: str = Field(default="", description="_id of the document in migration_requests; the sensor sets it.")
    confirm: str = Field(
        default="",
        description="To delete this company's migrated documents, type its company_sso_id (the partition) here.",
    )

    def as_order(self) -> dict[str, Any]:
        """The request document that these settings stand for, without its company."""
        return {"action": "rollback", "requested_by": "dagster-ui", "confirm": self.confirm}
