"""What `cdp migrate` looks up, and the one flag it sets: companies, requests, jobs, quarantined rows.

Belongs here: reads for operators, across companies where a person may ask so. Not here: any rule about migrations.
"""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from cdp_pipelines.cli.exit_codes import Refused

if TYPE_CHECKING:
    from cdp_pipelines.domain.companies import Company
    from cdp_pipelines.pipelines.migrations.services import MigrationServices

Document = dict[str, Any]

_NAMED: Final = 5
"""How many companies an error about an unknown one names."""


def all_companies(services: "MigrationServices") -> list["Company"]:
    """Every company, by key."""
    from cdp_pipelines.domain.companies import company_from_document
    from cdp_pipelines.stores.companies import MOST_COMPANIES
    from cdp_pipelines.stores.errors import translating

    with translating("listing companies"):
        found = services.database["companies"].find({}).sort([("_id", 1)]).limit(MOST_COMPANIES)
        return [company_from_document(document) for document in found]


def require_companies(services: "MigrationServices", keys: Sequence[str]) -> list["Company"]:
    """The companies of these keys, each once, in the order given.

    Raises:
        Refused: `CID_NOT_FOUND`, one is not there; the message names some that are.
    """
    found = []
    for key in dict.fromkeys(key.strip() for key in keys):
        company = services.companies.find(key)
        if company is None:
            raise _no_such_company(services, key)
        found.append(company)
    return found


def _no_such_company(services: "MigrationServices", key: str) -> Refused:
    companies = all_companies(services)
    by_text = {text: company for company in companies for text in (company.company_sso_id, company.name)}
    near = [by_text[text] for text in get_close_matches(key, list(by_text), n=_NAMED)]
    named = list(dict.fromkeys(company.company_sso_id for company in (near or companies)[:_NAMED]))
    names = {company.company_sso_id: company.name for company in companies}
    listed = ", ".join(f"{known} ({names[known]})" if names[known] else known for known in named)
    known = f"{'Did you mean' if near else 'There are'}: {listed}" if listed else "There are none yet"
    more = "" if near or len(companies) <= _NAMED else f" and {len(companies) - _NAMED:,} more"
    return Refused("CID_NOT_FOUND", f"There is no company with the key {key!r}. {known}{more}.")


def require_request(services: "MigrationServices", text: str) -> Document:
    """The request that reads as `text`, of whatever company.

    Raises:
        Refused: `REQUEST_NOT_FOUND`.
    """
    from bson import ObjectId

    wanted = text.strip()
    ids: list[object] = [wanted, ObjectId(wanted)] if ObjectId.is_valid(wanted) else [wanted]
    found = next(iter(services.requests.looked_up({"_id": {"$in": ids}, "kind": services.kind.kind})), None)
    if found is None:
        raise Refused("REQUEST_NOT_FOUND", f"There is no request {wanted} for the {services.kind.title}.")
    return found


def open_requests(services: "MigrationServices", company_sso_id: str) -> list[Document]:
    """The company's requests that have not ended, newest first."""
    from cdp_pipelines.domain.migration_requests import OPEN_STATUSES

    query = {"company_sso_id": company_sso_id, "kind": services.kind.kind, "status": {"$in": list(OPEN_STATUSES)}}
    return services.requests.looked_up(query, newest_first=True)


def latest_request(services: "MigrationServices", company_sso_id: str) -> Document | None:
    """The company's newest request, ended or not."""
    query = {"company_sso_id": company_sso_id, "kind": services.kind.kind}
    return next(iter(services.requests.looked_up(query, newest_first=True, limit=1)), None)


def latest_jobs(
    services: "MigrationServices", company_sso_ids: Sequence[str], *, dry_runs: bool = False
) -> dict[str, Document]:
    """The newest job of each company that has one, without its failed rows; without `dry_runs`, that really wrote."""
    latest: dict[str, Document] = {}
    for job in services.jobs.statuses(company_sso_ids):
        if dry_runs or job.get("dry_run") is not True:
            latest.setdefault(job["company_sso_id"], job)
    return latest


def failed_reasons(services: "MigrationServices", job: Mapping[str, Any]) -> dict[str, int]:
    """A job's failed rows by reason. `not listed` are those whose reason is kept nowhere any more."""
    failed = int(job.get("records_failed") or 0)
    if not failed:
        return {}
    document = services.jobs.find(job["_id"], job["company_sso_id"]) or {}
    reasons: dict[str, int] = {}
    for row in document.get("failed_rows") or []:
        reasons[row["reason_code"]] = reasons.get(row["reason_code"], 0) + 1
    if sum(reasons.values()) < failed and not job.get("dry_run"):
        reasons = _kept_reasons(services, job) or reasons
    unlisted = failed - sum(reasons.values())
    return {**dict(sorted(reasons.items())), **({"not listed": unlisted} if unlisted > 0 else {})}


def _kept_reasons(services: "MigrationServices", job: Mapping[str, Any]) -> dict[str, int]:
    from cdp_pipelines.stores.errors import translating

    scope = {"job_id": job["_id"], "company_sso_id": job["company_sso_id"], "part": {"$ne": True}}
    with translating("counting failed rows"):
        found = services.database["migration_failures"].aggregate(
            [{"$match": scope}, {"$group": {"_id": "$reason_code", "rows": {"$sum": 1}}}]
        )
        return {str(group["_id"]): int(group["rows"]) for group in found}


def quarantined(services: "MigrationServices", job: Mapping[str, Any], *, evidence: bool) -> Iterator[Document]:
    """The job's quarantined rows `{source_id, reason_code, details, at, evidence?}`, by source id, streamed."""
    from cdp_pipelines.stores.errors import translating

    scope = {"job_id": job["_id"], "company_sso_id": job["company_sso_id"]}
    keys = ["source_id", "reason_code", "details", "at", *(["evidence"] if evidence else [])]
    with translating("reading failed rows"):
        found = services.database["migration_failures"].find(scope, {"_id": 0, **dict.fromkeys(keys, 1)})
        yield from found.sort([("_id", 1)])


def ask_to_stop(services: "MigrationServices", request: Mapping[str, Any]) -> bool:
    """Set `cancel_requested` on a request; False when it had ended."""
    from cdp_pipelines.domain.migration_requests import OPEN_STATUSES
    from cdp_pipelines.stores.errors import translating

    scope = {"_id": request["_id"], "company_sso_id": request["company_sso_id"], "status": {"$in": list(OPEN_STATUSES)}}
    with translating("asking a migration to stop"):
        changed = services.database["migration_requests"].update_one(
            scope, {"$set": {"cancel_requested": True, "updated_at": services.now()}}
        )
    return changed.matched_count == 1


def ask_job_to_stop(services: "MigrationServices", job: Mapping[str, Any]) -> bool:
    """Set `cancel_requested` on a job that no request asked for, as one launched from the UI; False if it had ended."""
    from cdp_pipelines.domain.migrations import IN_PROGRESS
    from cdp_pipelines.stores.errors import translating

    scope = {"_id": job["_id"], "company_sso_id": job["company_sso_id"], "status": IN_PROGRESS}
    with translating("asking a migration to stop"):
        changed = services.database[services.kind.jobs.collection].update_one(
            scope, {"$set": {"cancel_requested": True}}
        )
    return changed.matched_count == 1
