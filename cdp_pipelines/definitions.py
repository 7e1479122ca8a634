"""What Dagster loads: `build_defs()` composes the pipelines; `defs` is the code location.

Loading reads no environment and contacts nothing; settings are read by the work that needs them.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from cdp_pipelines.pipelines.companies.sensors import company_partitions
from cdp_pipelines.pipelines.contact_export.assets import contact_exports
from cdp_pipelines.pipelines.contact_export.jobs import contact_export_job
from cdp_pipelines.pipelines.contact_export.sensors import contact_export_requests, export_run_failures
from cdp_pipelines.pipelines.contact_export.services import from_environment
from cdp_pipelines.resources.cdp_mongo import CdpMongoResource
from cdp_pipelines.resources.work_directory import WorkDirectoryResource


def default_resources() -> dict[str, Any]:
    """Fresh resources that take every setting from the environment when they need it."""
    cdp_mongo = CdpMongoResource()
    return {
        "cdp_mongo": cdp_mongo,
        "contact_export": from_environment(cdp_mongo),
        "work_directory": WorkDirectoryResource(),
        # Ids and paths pass between the steps of one process; nothing of them is to outlive it.
        "io_manager": dg.mem_io_manager,
    }


def build_defs(*, resources: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Fresh definitions; `resources` replace the default ones by key, so tests and tools never patch anything."""
    return dg.Definitions(
        assets=[contact_exports],
        jobs=[contact_export_job],
        sensors=[company_partitions, contact_export_requests, export_run_failures],
        resources={**default_resources(), **(resources or {})},
    )


defs = build_defs()
