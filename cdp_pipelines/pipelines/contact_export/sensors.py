"""`contact_export_requests`: queued requests in, one run each out."""

import dagster as dg

from cdp_pipelines.pipelines.contact_export.jobs import contact_export_job
from cdp_pipelines.pipelines.contact_export.kind import CONTACT_EXPORT
from cdp_pipelines.pipelines.contact_export.services import ContactExportResource
from cdp_pipelines.pipelines.exports.launching import launch_waiting


@dg.sensor(
    name=CONTACT_EXPORT.sensor,
    job=contact_export_job,
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Claims queued export requests in bulk_upload_jobs, checks admission, launches one run for each "
    "admitted one and ends the others as rejected.",
)
def contact_export_requests(
    context: dg.SensorEvaluationContext, contact_export: ContactExportResource
) -> dg.SensorResult | dg.SkipReason:
    """One bounded read of the queue, one claim and one judgement a request."""
    return launch_waiting(context, CONTACT_EXPORT, contact_export.services())
