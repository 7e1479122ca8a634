"""What ops and operators can set on a contact export's run, and the limits that its sensors keep."""

from typing import Final

import dagster as dg
from pydantic import Field

JOB_NAME: Final = "contact_export"
ASSET_NAME: Final = "contact_exports"
PASSING: Final = "values_in_memory"
"""The IO manager between its steps: ids and paths of one process, nothing of which is to outlive it."""
TAG_COMPANY: Final = "company"
TAG_REQUEST: Final = "request_id"
TAG_REQUESTED_BY: Final = "requested_by"

MOST_LAUNCHES_A_TICK: Final = 25
MOST_SWEEPS_A_TICK: Final = 50
UNHEARD_SECONDS: Final = 20
"""A launched job is left alone this long before anybody asks whether its run died."""
STALLED_QUEUE_SECONDS: Final = 600
FAILURE_EMAIL_TRIES: Final = 10
FAILURE_EMAIL_RETRY_SECONDS: Final = 60


class LoadRequestConfig(dg.Config):
    """Which request the run works on."""

    request_id: str = Field(
        default="",
        description="job_id of the document in bulk_upload_jobs. The sensor sets it; in the launchpad, set it to run "
        "one request by hand. Empty: taken from the run's tag request_id.",
    )


def run_key(request_id: str, attempt: int) -> str:
    """Dagster uses a run key once for ever, even if its run failed, so the attempt is part of it."""
    return f"{JOB_NAME}:{request_id}:attempt{attempt}"


def run_config(request_id: str) -> dg.RunConfig:
    """The config that points a run at its request."""
    return dg.RunConfig(ops={ASSET_NAME: {"ops": {"load_request": {"config": {"request_id": request_id}}}}})
