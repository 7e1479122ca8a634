"""`migration_requests`: queued requests in, one run each out. `migration_run_failures`: what dead runs left.

Built from the kinds of migrations there are, so that one queue and one sweeper serve them all.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

import dagster as dg

from cdp_pipelines.domain.admission import Admitted, Rejected
from cdp_pipelines.domain.errors import CdpError, ConfigurationError, TransientFailure
from cdp_pipelines.domain.migration_requests import OPEN_STATUSES, STATUS_QUEUED, MigrationRequest
from cdp_pipelines.pipelines.alerting import repeat_alerts
from cdp_pipelines.pipelines.budget import Budget
from cdp_pipelines.pipelines.migrations.conclude import reject
from cdp_pipelines.pipelines.migrations.intake import judge
from cdp_pipelines.pipelines.migrations.kinds import (
    TAG_COMPANY,
    TAG_REQUEST,
    TAG_REQUESTED_BY,
    MigrationKind,
    run_key,
)
from cdp_pipelines.pipelines.migrations.runs import runs_of
from cdp_pipelines.pipelines.migrations.services import MigrationResource, MigrationServices
from cdp_pipelines.pipelines.migrations.setting_aside import set_aside_harmful, set_aside_unreadable
from cdp_pipelines.pipelines.migrations.sweep import sweep_migrations
from cdp_pipelines.pipelines.partitions import COMPANY_PARTITIONS
from cdp_pipelines.stores.migration_requests import was_put_back
from cdp_pipelines.stores.migrations.runner import Migrator

Document = dict[str, Any]

MOST_LAUNCHES_A_TICK: Final = 25
COVERAGE_SECONDS: Final = 10.0
COVERAGE_SECONDS_A_TICK: Final = 20.0
"""What a tick spends on one company's coverage at most, and on all of them; the others are measured by their runs."""


def migration_requests_sensor(kinds: Mapping[str, MigrationKind], jobs: Sequence[Any]) -> dg.SensorDefinition:
    """The sensor over `migration_requests`, for these kinds and the jobs they launch."""

    @dg.sensor(
        name="migration_requests",
        jobs=jobs,
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Claims queued requests in migration_requests, checks admission, launches one run for each "
        "admitted one and ends the others as rejected.",
    )
    def migration_requests(
        context: dg.SensorEvaluationContext, migrations: MigrationResource
    ) -> dg.SensorResult | dg.SkipReason:
        """One bounded read of the queue, one claim and one judgement a request."""
        by_kind = {name: migrations.services(kind) for name, kind in kinds.items()}
        services = next(iter(by_kind.values()))
        Migrator(services.database).require_current()
        requests: list[dg.RunRequest] = []
        rejected, budget = 0, Budget()
        measuring = budget.part(COVERAGE_SECONDS_A_TICK)
        waiting = services.requests.waiting(now=services.now(), limit=MOST_LAUNCHES_A_TICK)
        for unreadable in waiting.unreadable:
            set_aside_unreadable(services, unreadable)
        for document in waiting:
            if budget.spent():
                context.log.info("this tick's time is spent; what is left waits for the next")
                break
            try:
                answer = _take_in(context, by_kind, document, measuring)
            except (TransientFailure, ConfigurationError) as exc:
                # What was claimed so far must be launched; the rest stays in the queue for a later tick.
                context.log.warning("stopped after %d requests: %s", len(requests) + rejected, exc)
                break
            except Exception as exc:  # noqa: BLE001 - whatever a document holds, its neighbours go on
                context.log.warning(set_aside_harmful(services, document, exc))
                continue
            if isinstance(answer, dg.RunRequest):
                requests.append(answer)
            elif isinstance(answer, Rejected):
                rejected += 1
        if not requests:
            return dg.SkipReason(f"Nothing to launch; {rejected} rejected." if rejected else "The queue is empty.")
        return dg.SensorResult(run_requests=requests, dynamic_partitions_requests=_new_partitions(context, requests))

    return migration_requests


def _new_partitions(
    context: dg.SensorEvaluationContext, requests: list[dg.RunRequest]
) -> list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest]:
    """A company's first request may come before `company_partitions` has seen the company."""
    known = set(context.instance.get_dynamic_partitions("company"))
    missing = {request.partition_key for request in requests if request.partition_key} - known
    return [COMPANY_PARTITIONS.build_add_request(sorted(missing))] if missing else []


def _take_in(
    context: dg.SensorEvaluationContext,
    by_kind: Mapping[str, MigrationServices],
    document: Document,
    measuring: Budget,
) -> dg.RunRequest | Rejected | None:
    anyone = next(iter(by_kind.values()))
    if not anyone.requests.claim(document["_id"], uuid.uuid4().hex, now=anyone.now()):
        return None
    taken = anyone.requests.take_in(document["_id"], now=anyone.now())
    if isinstance(taken, Rejected):
        return taken if reject(anyone, document, taken) else None
    if taken is None:
        return None
    document = taken
    kind = document.get("kind")
    services = by_kind.get(kind) if isinstance(kind, str) else None
    answer: Admitted[MigrationRequest] | Rejected
    if services is None:
        services, answer = anyone, _invalid("kind", f"must be one of {', '.join(by_kind)}")
    elif document.get("status") != STATUS_QUEUED and document.get("status") not in OPEN_STATUSES:
        answer = _invalid("status", 'must be "queued" to put the request into the queue')
    else:
        seconds = min(COVERAGE_SECONDS, measuring.left())
        answer, _ = judge(services, document, instance=context.instance, coverage_seconds=seconds)
    if isinstance(answer, Rejected):
        return answer if reject(services, document, answer) else None
    if document.get("cancel_requested") is True:
        services.requests.end(document["_id"], answer.request.company_sso_id, "canceled", now=services.now())
        return None
    return _launch(context, services, document, answer.request)


def _launch(
    context: dg.SensorEvaluationContext, services: MigrationServices, document: Document, request: MigrationRequest
) -> dg.RunRequest | None:
    request_id = str(document["_id"])
    attempt = int(document.get("attempt", 0))
    # An earlier claim ran out. If its run exists, it waits or works, or the sweeper ends it; if not, the tick died
    # between claiming and launching, and its run key may be spent, so the next attempt gets a key of its own.
    of_request = runs_of(context.instance, services.kind, request_id, request.company_sso_id) if attempt else []
    if of_request and not was_put_back(document):
        return None
    attempt += 1
    services.requests.note_attempt(document["_id"], attempt)
    return dg.RunRequest(
        job_name=services.kind.job_name(request),
        run_key=run_key(services.kind.kind, request_id, attempt),
        partition_key=request.company_sso_id,
        run_config=services.kind.run_config(document["_id"], request),
        tags={
            TAG_COMPANY: request.company_sso_id,
            TAG_REQUEST: request_id,
            TAG_REQUESTED_BY: request.requested_by,
        },
    )


def _invalid(field: str, problem: str) -> Rejected:
    return Rejected(
        "MIGRATION_REQUEST_INVALID",
        422,
        f"The request cannot be read: {field} {problem}.",
        {"problems": [{"field": field, "problem": problem}]},
    )


def migration_run_failures_sensor(kinds: Mapping[str, MigrationKind]) -> dg.SensorDefinition:
    """The sweeper over the jobs and requests of these kinds."""

    @dg.sensor(
        name="migration_run_failures",
        minimum_interval_seconds=15,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Ends the migrations and requests whose run failed, was canceled or died before it could; their "
        "cursors stay, so that starting again goes on. Alerts when the queue stands still.",
    )
    def migration_run_failures(context: dg.SensorEvaluationContext, migrations: MigrationResource) -> dg.SkipReason:
        """One bounded look at what is open; see `sweep.py`."""
        summaries, budget = [], Budget()
        before = _positions(context.cursor)
        after: dict[str, str] = {}
        for kind in kinds.values():
            position = before.get(kind.kind, "")
            try:
                services = migrations.services(kind)
                report = sweep_migrations(services, context.instance, after=position, budget=budget)
            except CdpError as exc:
                summaries.append(f"{kind.kind}: {exc.code}")
                after.update({kind.kind: position} if position else {})
                continue
            after.update({kind.kind: report.cursor} if report.cursor else {})
            for line in report.lines:
                context.log.info(line)
            summaries.append(f"{kind.kind}: {report.summary}")
        context.update_cursor(json.dumps(after))
        try:
            for line in repeat_alerts(migrations.shared_services(), budget):
                context.log.info(line)
        except CdpError as exc:
            summaries.append(f"alerts: {exc.code}")
        return dg.SkipReason("; ".join(summaries))

    return migration_run_failures


def _positions(cursor: str | None) -> dict[str, str]:
    """Where each kind's sweep goes on; a cursor that cannot be read starts the rounds again."""
    try:
        positions = json.loads(cursor or "{}")
    except ValueError:
        return {}
    if not isinstance(positions, dict):
        return {}
    return {kind: position for kind, position in positions.items() if isinstance(position, str)}
