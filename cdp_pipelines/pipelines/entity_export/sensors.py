"""`entity_export_requests`: queued requests in, one run each out; schedules that are due ask first."""

import dagster as dg

from cdp_pipelines.pipelines.budget import Budget
from cdp_pipelines.pipelines.entity_export.jobs import entity_export_job
from cdp_pipelines.pipelines.entity_export.kind import ENTITY_EXPORT
from cdp_pipelines.pipelines.entity_export.services import EntityExportResource
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
    for schedule in services.schedules.due(services.now(), MOST_LAUNCHES_A_TICK):
        if budget.spent():
            break
        export_id = services.schedules.fire(schedule, now=services.now())
        context.log.info("schedule %s: %s", schedule["_id"], f"asked for {export_id}" if export_id else "switched off")
    return launch_waiting(context, ENTITY_EXPORT, services, budget)
