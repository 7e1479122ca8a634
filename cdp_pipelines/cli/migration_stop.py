"""`cdp migrate cancel`: asking work to stop. It does within one page, and what is migrated stays."""

from typing import TYPE_CHECKING, Any

from cdp_pipelines.cli.exit_codes import Refused
from cdp_pipelines.cli.migration_queries import ask_job_to_stop, ask_to_stop, open_requests, require_request

if TYPE_CHECKING:
    from cdp_pipelines.domain.companies import Company
    from cdp_pipelines.pipelines.migrations.services import MigrationServices

Document = dict[str, Any]


def stop_request(services: "MigrationServices", request_id: str) -> list[Document]:
    """Ask one request to stop; returns `{company_sso_id, request_id, status}` in a list.

    Raises:
        Refused: `REQUEST_NOT_FOUND`, or `MIGRATION_ENDED`.
    """
    request = require_request(services, request_id)
    if not ask_to_stop(services, request):
        raise Refused("MIGRATION_ENDED", f"This request has ended ({request['status']}); there is nothing to stop.")
    return [_asked(request)]


def stop_company(services: "MigrationServices", company: "Company") -> list[Document]:
    """Ask everything of a company to stop: its open requests, and a job that was launched without one.

    Raises:
        Refused: `MIGRATION_ENDED`, nothing is open.
    """
    key = company.company_sso_id
    requests = [request for request in open_requests(services, key) if ask_to_stop(services, request)]
    asked = [_asked(request) for request in requests]
    job = services.jobs.active(key)
    covered = job is None or job.get("request_id") in [request["_id"] for request in requests]
    if job is not None and not covered and ask_job_to_stop(services, job):
        asked.append({"company_sso_id": key, "job_id": job["_id"], "status": job["status"]})
    if not asked:
        raise Refused("MIGRATION_ENDED", f"Nothing of {key} is waiting or at work; there is nothing to stop.")
    return asked


def _asked(request: Document) -> Document:
    return {
        "company_sso_id": request["company_sso_id"],
        "request_id": str(request["_id"]),
        "status": request["status"],
    }
