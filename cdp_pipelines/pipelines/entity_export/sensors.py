"""`entity_export_requests`: queued requests in, one run each out; schedules that are due ask first."""

import dagster as dg

from cdp_pipelines.pipelines.entity_export.jobs import entity_export_job
from cdp_pipelines.pipelines.entity_export.kind import ENTITY_EXPORT
from cdp_pipelines.pipelines.entity_export.services import EntityExportResource
from cdp_pipelines.pipelines.exports.launching import launch_waiting


@dg.sensor(
    name=ENTITY_EXPORT.sensor,
    job=entity_export_job,
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Claims scheduled export requests in exports, checks admission, launches one run for each admitted one "
    "and ends the others as ERROR.",
)
def entity_export_requests(
    context: dg.SensorEvaluationContext, entity_export: EntityExportResource
) -> dg.SensorResult | dg.SkipReason:
    """One bounded read of the queue, one claim and one judgement a request."""
    return launch_waiting(context, ENTITY_EXPORT, entity_export.services())
