"""Finding jobs for operators."""

from typing import TYPE_CHECKING, Any

from cdp_pipelines.cli.exit_codes import Refused

if TYPE_CHECKING:
    from cdp_pipelines.pipelines.contact_export.services import ExportServices

Document = dict[str, Any]


def require_job(services: "ExportServices", job_id: str) -> Document:
    """The job of this id, of whatever company.

    Raises:
        Refused: `EXPORT_NOT_FOUND`.
    """
    document = services.jobs.find(job_id.strip().lower()) or services.jobs.find(job_id)
    if document is None:
        raise Refused(
            "EXPORT_NOT_FOUND",
            "There is no export with this job_id (they are kept 7 days after they end). See: cdp export list",
        )
    return document


def recent_jobs(services: "ExportServices", *, company_sso_id: str, status: str, limit: int) -> list[Document]:
    """Export jobs, newest first, without the selections; empty texts do not narrow."""
    from cdp_pipelines.stores.errors import translating
    from cdp_pipelines.stores.export_jobs import JOB_TYPE

    query: Document = {"job_type": JOB_TYPE}
    if company_sso_id:
        query["company_sso_id"] = company_sso_id
    if status:
        query["status"] = status
    with translating("listing exports"):
        jobs = services.database["bulk_upload_jobs"]
        found = jobs.find(query, {"contact_ids": 0, "filter": 0, "list_failed_rows": 0})
        return list(found.sort([("created_at", -1), ("_id", -1)]).limit(limit))
