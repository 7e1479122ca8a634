"""`bulk_upload_jobs` of `job_type: "export"`: the queue of contact exports.

    queued -> processing -> completed | partial | failed | canceled       queued -> rejected | canceled

Further fields that this project adds here: `object_key`, `matched_count`, `truncated`.
"""

from typing import Any, Final

from pymongo.database import Database

from cdp_pipelines.domain.contact_export.delivery import OPEN_STATUSES, TERMINAL_STATUSES, export_folder
from cdp_pipelines.domain.request_fields import RequestFields
from cdp_pipelines.stores.export_queue import ExportQueue
from cdp_pipelines.stores.queue_shape import KEPT_BY_EVERY_QUEUE, QueueShape

JOB_TYPE: Final = "export"
FIELDS: Final = RequestFields(
    asked=frozenset(
        {
            "job_id", "job_type", "company_sso_id", "user_sso_id", "email", "permissions", "selection_mode",
            "contact_ids", "order_by", "order_direction", "filter", "period", "source", "layout_id", "selected_fields",
            "format", "timezone", "locale", "created_at",
        }
    ),
    ours={
        **KEPT_BY_EVERY_QUEUE,
        "object_key": "text", "matched_count": "count", "truncated": "switch", "total_records": "count",
        "success_count": "count", "failed_count": "count", "list_failed_rows": "list", "failure_reason": "text",
        "exported_layout_id": "text",
    },
    neutral={},
)  # fmt: skip
CONTACT_EXPORTS: Final = QueueShape(
    collection="bulk_upload_jobs",
    fields=FIELDS,
    folder=export_folder,
    scope={"job_type": JOB_TYPE},
    id_field="job_id",
    queued=OPEN_STATUSES[0],
    working=OPEN_STATUSES[1],
    terminal=TERMINAL_STATUSES,
    rejected="rejected",
    failed="failed",
    canceled="canceled",
    files_field="object_key",
    unwatched=("contact_ids", "filter"),
    personal=("email", "contact_ids", "filter", "list_failed_rows", "result", "object_key", "source", "period"),
)


class ExportJobs(ExportQueue):
    """The contact exports of all companies."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        super().__init__(database, CONTACT_EXPORTS)
