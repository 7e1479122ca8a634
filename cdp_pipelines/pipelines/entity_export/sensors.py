"""`entity_export_requests`: queued requests in, one run each out; schedules that are due ask first."""

from collections.abc import Callable
from typing import Any

import dagster as dg

from cdp_pipelines.domain.errors import PermanentFailure
from cdp_pipelines.pipelines.alerting import alert_once
from cdp_pipelines.pipelines.blame import alert_of, is_documents_doing, said, shown
from cdp_pipelines.pipelines.budget import Budget
from cdp_pipelines.pipelines.entity_export.jobs import entity_export_job
from cdp_pipelines.pipelines.entity_export.kind import ENTITY_EXPORT
from cdp_pipelines.pipelines.entity_export.services import EntityExportResource, EntityServices
from cdp_pipelines.pipelines.exports.config import MOST_LAUNCHES_A_TICK
from cdp_pipelines.pipelines.exports.launching import launch_waiting
from cdp_pipelines.stores.migrations.runner import Migrator


@dg.sensor(
    name=ENTITY_EXPORT.sensor,
    job=entity_export_job,
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Has schedules that are due ask for their exports, then claims scheduled requests in exports, checks "
    "admission, launches one run for each admitted one and ends the others as ERROR.",
)
def entity_export_requests(
    context: dg.SensorEvaluationContext, entity_export: EntityExportResource
) -> dg.SensorResult | dg.SkipReason:
    """Fire what is due, then one bounded read of the queue, one claim and one judgement a request."""
    services, budget = entity_export.services(), Budget()
    Migrator(services.database).require_current()
    due = services.schedules.due(services.now(), MOST_LAUNCHES_A_TICK)
    for unreadable in due.unreadable:
        services.schedules.set_aside(unreadable, now=services.now())
        alert_once(services, *alert_of("export_schedules", unreadable.shown, "DOCUMENT_UNREADABLE: it cannot be read"))
    for schedule in due:
        if budget.spent():
            break
        context.log.info("schedule %s: %s", shown(schedule), _fired(services, schedule))
    for schedule in services.schedules.waiting_for_nothing(services.now(), MOST_LAUNCHES_A_TICK):
        if budget.spent():
            break
        context.log.info("schedule %s: %s", shown(schedule), _mended(services, schedule))
    return launch_waiting(context, ENTITY_EXPORT, services, budget)


def _fired(services: EntityServices, schedule: dict[str, Any]) -> str:
    """Have a schedule ask for its export, for the log."""

    def fire() -> str:
        export_id = services.schedules.fire(schedule, now=services.now())
        return f"asked for {export_id}" if export_id else "switched off"

    return _alone(services, schedule, fire)


def _mended(services: EntityServices, schedule: dict[str, Any]) -> str:
    """Have a schedule that waits for nothing wait for its next time, for the log."""

    def mend() -> str:
        is_mended = services.schedules.mend(schedule, now=services.now())
        return "waits for its next time" if is_mended else "switched off"

    return _alone(services, schedule, mend)


def _alone(services: EntityServices, schedule: dict[str, Any], do: Callable[[], str]) -> str:
    """Do it; a schedule that makes the program fail is switched off."""
    try:
        done = do()
        if done == "switched off":
            alert_once(services, *alert_of("export_schedules", shown(schedule), "switched off; its error says why"))
        return done
    except Exception as exc:
        if not is_documents_doing(exc, services.jobs.intake.still_answers):
            raise
        message = "The schedule could not be worked on because of an error in the program; we were told of it."
        services.schedules.switch_off(schedule, PermanentFailure("INTERNAL_ERROR", message), now=services.now())
        alert_once(services, *alert_of("export_schedules", shown(schedule), f"INTERNAL_ERROR: {said(exc)}"))
        return f"switched off: {said(exc)}"
