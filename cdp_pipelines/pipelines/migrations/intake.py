"""The one way in: gather the facts and ask the pure `admit`. For sensor, run and command line."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dagster import DagsterInstance

from cdp_pipelines.domain.admission import Admitted, Rejected
from cdp_pipelines.domain.migration_requests import MigrationFacts, MigrationRequest, admit
from cdp_pipelines.domain.migrations import IN_PROGRESS
from cdp_pipelines.pipelines.migrations.coverage import Coverage, measure_coverage
from cdp_pipelines.pipelines.migrations.runs import dead_owner
from cdp_pipelines.pipelines.migrations.services import MigrationServices

Answer = Admitted[MigrationRequest] | Rejected


def judge(
    services: MigrationServices,
    document: Mapping[str, Any],
    *,
    instance: DagsterInstance | None = None,
    run_id: str = "",
    coverage_seconds: float | None = 0.0,
) -> tuple[Answer, Coverage | None]:
    """Whether a request may run, and the coverage measured for it.

    Coverage is measured last, when nothing else refuses, for at most `coverage_seconds` (None: as long as it takes, 0:
    not at all). Where it could not be measured the answer leaves it out, and the run asks again.
    """
    facts = gather(services, document, instance=instance, run_id=run_id)
    answer = admit(document, facts)
    if isinstance(answer, Rejected) or answer.request.action == "rollback" or coverage_seconds == 0:
        return answer, None
    if facts.company is None:
        return answer, None
    coverage = measure_coverage(services, facts.company, within_seconds=coverage_seconds)
    if coverage is None:
        return answer, None
    measured = replace(facts, coverage_pct=coverage.pct, cid_is_known=coverage.cid_is_known)
    return admit(document, measured), coverage


def gather(
    services: MigrationServices, document: Mapping[str, Any], *, instance: DagsterInstance | None, run_id: str
) -> MigrationFacts:
    """What is known of the company and its jobs, all but the coverage."""
    key = document.get("company_sso_id")
    company = services.companies.find(key)
    last = services.jobs.latest(company.company_sso_id) if company else None
    current = services.jobs.active(company.company_sso_id) if company else None
    return MigrationFacts(
        company=company,
        flag=services.kind.flag,
        completed_status=services.kind.completed_status,
        completed_code=services.kind.completed_code,
        active=_is_alive(services, current, instance, run_id),
        last_status=last.get("status") if last else None,
        last_phase=last.get("phase") if last else None,
    )


def _is_alive(
    services: MigrationServices, job: dict[str, Any] | None, instance: DagsterInstance | None, run_id: str
) -> bool:
    """Whether another run works on the job: its lease stands, and Dagster does not know its run to be over."""
    if job is None or job.get("status") != IN_PROGRESS:
        return False
    lease = job.get("lease") or {}
    if lease.get("owner_run_id") == run_id or lease.get("expires_at", services.now()) <= services.now():
        return False
    return dead_owner(instance, job) is None
