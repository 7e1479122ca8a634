"""The step that only the activity-log migration has: enrichment, between writing and comparing."""

import dagster as dg

from cdp_pipelines.pipelines.activity_logs.config import ACTIVITY_LOGS, EnrichConfig
from cdp_pipelines.pipelines.activity_logs.enrich import enrich
from cdp_pipelines.pipelines.activity_logs.pages import require_audits
from cdp_pipelines.pipelines.migrations.config import POOL
from cdp_pipelines.pipelines.migrations.patience import patiently
from cdp_pipelines.pipelines.migrations.services import MigrationResource
from cdp_pipelines.pipelines.migrations.steps import working


@dg.op(name="enrich", ins={"shards": dg.In(dg.Nothing)}, out=dg.Out(dg.Nothing), pool=POOL)
def enrich_associations(context: dg.OpExecutionContext, config: EnrichConfig, migrations: MigrationResource) -> None:
    """Fill missing references of link, unlink and resolved logs, the live feed's too; ambiguous ones are left alone."""
    with working(context, migrations, ACTIVITY_LOGS) as (hold, source, _):
        job = hold.beat(phase="enrich")
        audits, tolerance = require_audits(source), config.tolerance_seconds
        patiently(hold, job, lambda job: enrich(hold, audits, job, tolerance_seconds=tolerance))
