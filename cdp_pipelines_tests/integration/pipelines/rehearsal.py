"""Importing this does once what every run does first, so that processes forked from here need not do it again.

Dagster, SQLAlchemy and boto3 import and build most of what they need at first use: 0.6 s of the 0.9 that a doomed
process takes. Nothing here contacts a server, and neither a thread nor a socket may stay, for both die in a fork.
"""

import gc

import dagster as dg

from cdp_pipelines.definitions import build_defs
from cdp_pipelines.resources.object_store_connection import StoreConnection


@dg.op
def _nothing() -> None:
    """Have Dagster run something."""


def _rehearse() -> None:
    job = dg.GraphDefinition("rehearsal", node_defs=[_nothing]).to_job()
    with dg.DagsterInstance.ephemeral() as instance:
        job.execute_in_process(instance=instance)
    defs = build_defs()
    for name in ("contact_export", "activity_logs_migration", "contact_notes_migration"):
        defs.resolve_job_def(name)
    StoreConnection(bucket="b", endpoint_url="http://127.0.0.1:1", access_key_id="a", secret_access_key="b").close()


_rehearse()
# A collection in a forked process would otherwise go through all that was here before, and copy its pages.
gc.collect()
gc.freeze()
