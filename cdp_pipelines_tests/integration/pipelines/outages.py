"""What tests of outages share: cutting connections to the CRM, what a run said, starting MongoDB in time."""

import logging
from collections.abc import Callable

import dagster as dg

from cdp_pipelines.resources.crm_session import APPLICATION_NAME
from cdp_pipelines_tests.integration.pipelines.migration_harness import Migrations


def said(result: dg.ExecuteInProcessResult, instance: dg.DagsterInstance) -> str:
    """Everything that Dagster keeps of a run: its events and its log lines, causes of errors included."""
    return "\n".join(str(entry) for entry in instance.all_logs(result.run_id))


def cut_connections(m: Migrations) -> int:
    """Cut every connection of the migration to the CRM; how many there were."""
    cut = m.crm.connection.execute(
        "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE application_name = %s AND datname = current_database()",
        (APPLICATION_NAME,),
    ).fetchone()
    assert cut is not None
    return int(cut[0])


class StartsAgain(logging.Handler):
    """Starts MongoDB again once the run has said that it could not end its job."""

    def __init__(self, start: Callable[[], None]) -> None:
        super().__init__()
        self.start, self.heard = start, 0

    def emit(self, record: logging.LogRecord) -> None:
        if "could not be ended" in record.getMessage():
            self.heard += 1
            self.start()
