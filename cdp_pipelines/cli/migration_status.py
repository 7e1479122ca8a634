"""What `cdp migrate status` and `watch` show: one state a company, put together from its job and its request."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cdp_pipelines.cli import output
from cdp_pipelines.cli.exit_codes import Refused
from cdp_pipelines.cli.migration_queries import (
    failed_reasons,
    latest_jobs,
    latest_request,
    open_requests,
    require_request,
)
from cdp_pipelines.cli.migration_view import CompanyState, request_lines, shards_table, state_lines, states_table
from cdp_pipelines.cli.migration_watch import Watched

if TYPE_CHECKING:
    from cdp_pipelines.domain.companies import Company
    from cdp_pipelines.pipelines.migrations.services import MigrationServices


def states_of(services: "MigrationServices", companies: Sequence["Company"], *, dry_runs: bool) -> list[CompanyState]:
    """Each company with its latest job."""
    jobs = latest_jobs(services, [company.company_sso_id for company in companies], dry_runs=dry_runs)
    states = []
    for company in companies:
        job = jobs.get(company.company_sso_id)
        states.append(CompanyState(company, job, failed_reasons(services, job) if job else {}))
    return states


def state_of_request(services: "MigrationServices", request_id: str) -> CompanyState:
    """A request of whatever company, with the job that it began or went on with.

    Raises:
        Refused: `REQUEST_NOT_FOUND`.
    """
    request = require_request(services, request_id)
    watched = Watched(company_of(services, request["company_sso_id"]), request)
    watched.refresh(services)
    return state_of_watched(services, watched)


def state_of_watched(services: "MigrationServices", watched: Watched) -> CompanyState:
    """What was watched, as it stands."""
    reasons = failed_reasons(services, watched.job) if watched.job else {}
    return CompanyState(watched.company, watched.job, reasons, watched.request)


def company_of(services: "MigrationServices", company_sso_id: object) -> "Company":
    """The company of a request, also one that is not there (its request is then a rejected one)."""
    from cdp_pipelines.domain.companies import Company

    return services.companies.find(company_sso_id) or Company(str(company_sso_id), None, "", {})


def what_to_watch(services: "MigrationServices", name: str, company: "Company") -> Watched:
    """The company's newest open request, else the job that is at work now, else what was heard of last.

    Raises:
        Refused: `NOT_STARTED`, nothing was asked for and there is no job.
    """
    key = company.company_sso_id
    requests = open_requests(services, key)
    if requests:
        return Watched(company, requests[0])
    active = services.jobs.active(key)
    if active is not None:
        return Watched(company, job=active)
    request, job = latest_request(services, key), services.jobs.latest(key)
    # A request that was refused has no job, and one that ended was written after its job.
    if request is not None and (job is None or _last_change(request) >= _last_change(job)):
        return Watched(company, request)
    if job is not None:
        return Watched(company, job=job)
    raise Refused("NOT_STARTED", f"Nothing was started for {key}. First: cdp migrate start {name} --company {key}")


def _last_change(document: Mapping[str, Any]) -> datetime:
    """When it was written last; requests are made by others, and may not say."""
    at = document.get("updated_at")
    return at if isinstance(at, datetime) else datetime.min.replace(tzinfo=UTC)


def print_states(states: Sequence[CompanyState]) -> None:
    """One company in full, several as a table."""
    if len(states) != 1:
        output.stdout().print(states_table(states))
        return
    state = states[0]
    for line in request_lines(state.request) if state.request else []:
        output.print_line(line)
    for line in state_lines(state):
        output.print_line(line)


def print_shards(states: Sequence[CompanyState], cursor: str) -> None:
    """How far each company's ranges of ids are."""
    for state in states:
        if state.job and state.job.get("shards"):
            output.print_line("")
            output.print_line(f"{state.company.company_sso_id} {state.company.name}".rstrip())
            output.stdout().print(shards_table(state.job, cursor))
