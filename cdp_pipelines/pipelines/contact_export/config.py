"""What ops and operators can set on a contact export's run, and the names that others know it by."""

from typing import Final

import dagster as dg
from pydantic import Field

JOB_NAME: Final = "contact_export"
ASSET_NAME: Final = "contact_exports"


class LoadRequestConfig(dg.Config):
    """Which request the run works on."""

    request_id: str = Field(
        default="",
        description="job_id of the document in bulk_upload_jobs. The sensor sets it; in the launchpad, set it to run "
        "one request by hand. Empty: taken from the run's tag request_id.",
    )


def run_config(request_id: str) -> dg.RunConfig:
    """The config that points a run at its request."""
    return dg.RunConfig(ops={ASSET_NAME: {"ops": {"load_request": {"config": {"request_id": request_id}}}}})
