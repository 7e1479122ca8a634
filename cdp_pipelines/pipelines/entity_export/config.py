"""What ops and operators can set on an entity export's run, and the names that others know it by."""

from typing import Final

import dagster as dg
from pydantic import Field

JOB_NAME: Final = "entity_export"
ASSET_NAME: Final = "entity_exports"
NOTICES_UNSENT_SECONDS: Final = 60
"""A run sends its notices itself; only later does the sweeper look for those that were not sent."""
MOST_NOTICE_TRIES: Final = 10
FIRST_NOTICE_WAIT_SECONDS: Final = 60
LONGEST_NOTICE_WAIT_SECONDS: Final = 3_600
"""Between two tries, doubling from the first to the longest: ten tries take some four hours, not two minutes."""
NOTICE_SECONDS_A_SWEEP: Final = 15
"""A sweep begins no further notice after this; receivers that hang must not keep it from sweeping."""


class LoadExportConfig(dg.Config):
    """Which request the run works on."""

    request_id: str = Field(
        default="",
        description="id of the document in exports. The sensor sets it; in the launchpad, set it to run one request by "
        "hand. Empty: taken from the run's tag request_id.",
    )


def run_config(request_id: str) -> dg.RunConfig:
    """The config that points a run at its request."""
    return dg.RunConfig(ops={ASSET_NAME: {"ops": {"load_export": {"config": {"request_id": request_id}}}}})
