"""From the options of `cdp migrate start` and `rollback` to a document in `migration_requests` (SPEC 1.1).

Belongs here: making the document, having it judged, putting it into the queue. Not here: whether it may run; that is
the admission's to say, the same for every way in.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from cdp_pipelines.domain.errors import CdpError

if TYPE_CHECKING:
    from cdp_pipelines.domain.admission import Rejected
    from cdp_pipelines.domain.companies import Company
    from cdp_pipelines.pipelines.migrations.services import MigrationServices

Document = dict[str, Any]

COVERAGE_SECONDS: Final = 10.0
"""What a command spends on one company's coverage at most; the run of a larger one measures it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedMigration:
    """What the person asked for, as typed; None and an empty text were not given."""

    force: bool = False
    dry_run: bool = False
    since: str = ""
    shards: int | None = None
    page_rows: int | None = None

    def options(self) -> Document:
        """The request's `options`; what was not given is left out."""
        given = {
            "force": self.force,
            "dry_run": self.dry_run,
            "date_range_start": self.since,
            "shards": self.shards,
            "page_rows": self.page_rows,
        }
        # A zero was given, and is for the admission to judge.
        return {
            name: value for name, value in given.items() if value is not None and value is not False and value != ""
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of asking for one company: `rejected`, or a queued `document`.

    `coverage_pct` is None where it was not measured; `coverage_code` then says why, if something went wrong.
    `goes_on_from` is the status of the job that the start goes on with, empty for one that begins.
    """

    company: "Company"
    document: Document
    rejected: "Rejected | None" = None
    coverage_pct: float | None = None
    coverage_code: str = ""
    goes_on_from: str = ""

    def facts(self) -> Document:
        """What `--json` prints of it."""
        facts: Document = {"company_sso_id": self.company.company_sso_id, "company_name": self.company.name}
        if self.rejected is not None:
            return {**facts, **self.rejected.as_document()}
        return {
            **facts,
            "request_id": self.document["_id"],
            "action": self.document["action"],
            "status": self.document["status"],
            "coverage_pct": self.coverage_pct,
        }


def request_document(
    kind: str, action: str, company_sso_id: str, *, requested_by: str, now: datetime, **more: Any
) -> Document:
    """A `migration_requests` document with `status: "queued"` and a new `_id`; `more` are `options` or `confirm`."""
    return {
        "_id": str(uuid.uuid4()),
        "kind": kind,
        "action": action,
        "status": "queued",
        "company_sso_id": company_sso_id,
        "requested_by": requested_by,
        "options": {},
        **more,
        "result": None,
        "error": None,
        "run_id": None,
        "created_at": now,
        "updated_at": now,
    }


def ask_start(services: "MigrationServices", company: "Company", asked: AskedMigration, *, requested_by: str) -> Answer:
    """Judge the start of one company, coverage included, and queue it unless it is refused."""
    document = _document(services, "start", company, requested_by, options=asked.options())
    answer = _judged(services, company, document)
    if answer.rejected is not None:
        return answer
    services.requests.insert(document)
    return replace(answer, goes_on_from=_goes_on_from(services, company, document))


def _goes_on_from(services: "MigrationServices", company: "Company", document: Document) -> str:
    """The status of the last job, if the run of this request will go on with it."""
    from cdp_pipelines.domain.migration_requests import MigrationRequest, read_request
    from cdp_pipelines.pipelines.migrations.opening import may_go_on

    request, last = read_request(document), services.jobs.latest(company.company_sso_id)
    if last is None or not isinstance(request, MigrationRequest):
        return ""
    begins = request.options.force or request.options.dry_run
    return str(last["status"]) if not begins and may_go_on(services, last, request.options) else ""


def ask_rollback(services: "MigrationServices", company: "Company", *, confirm: str, requested_by: str) -> Answer:
    """Judge the rollback of one company and queue it unless it is refused."""
    from cdp_pipelines.domain.admission import Rejected
    from cdp_pipelines.pipelines.migrations.intake import judge

    document = _document(services, "rollback", company, requested_by, confirm=confirm)
    answer, _ = judge(services, document)
    if isinstance(answer, Rejected):
        return Answer(company, document, rejected=answer)
    services.requests.insert(document)
    return Answer(company, document)


def _document(
    services: "MigrationServices", action: str, company: "Company", requested_by: str, **more: Mapping[str, Any] | str
) -> Document:
    return request_document(
        services.kind.kind,
        action,
        company.company_sso_id,
        requested_by=requested_by,
        now=services.now(),
        **more,
    )


def _judged(services: "MigrationServices", company: "Company", document: Document) -> Answer:
    from cdp_pipelines.domain.admission import Rejected
    from cdp_pipelines.pipelines.migrations.intake import judge

    first, _ = judge(services, document)
    if isinstance(first, Rejected):
        return Answer(company, document, rejected=first)
    try:
        answer, coverage = judge(services, document, coverage_seconds=COVERAGE_SECONDS)
    except CdpError as exc:
        # A shell need not reach the CRM; the run does, and refuses then what would be refused here.
        return Answer(company, document, coverage_code=exc.code)
    measured = None if coverage is None else coverage.pct
    return Answer(company, document, answer if isinstance(answer, Rejected) else None, measured)
