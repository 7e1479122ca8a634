"""What tests of outages share: cutting connections to the CRM, what a run said, MongoDB stopped and started in time."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dagster as dg
from pymongo import MongoClient
from pymongo.database import Database

from cdp_pipelines.local.stack import LocalStack
from cdp_pipelines.pipelines.migrations.services import MigrationResource
from cdp_pipelines.resources.cdp_mongo import CdpMongoResource
from cdp_pipelines.resources.crm_postgres import CrmPostgresResource
from cdp_pipelines.resources.crm_session import APPLICATION_NAME
from cdp_pipelines_tests.integration.pipelines.migration_harness import (
    Document,
    Migrations,
    Watcher,
    migration_resource,
)


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


class MongoBlink:
    """Stops MongoDB at the second insert, and starts it a second later."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        self._starter: threading.Timer | None = None

    def __call__(self, number: int) -> None:
        if number == 2 and self._starter is None:
            self._stack.stop_one("mongo")
            self._starter = threading.Timer(1, self._stack.start_one, args=("mongo",))
            self._starter.start()

    def waited_for(self) -> bool:
        """Whether MongoDB was stopped at all; it is there again."""
        if self._starter is None:
            return False
        self._starter.join()
        return True


def losing_mongo(m: Migrations, stack: LocalStack, collection: str) -> MigrationResource:
    """A run's resources under which MongoDB stops for good at the second insert into the collection."""
    stopped: list[int] = []

    def act(number: int) -> None:
        if not stopped:
            stack.stop_one("mongo")
            stopped.append(number)

    watcher = Watcher("insert", collection, 2, act)

    class Impatient(CdpMongoResource):
        """Waits for a server for a moment only, so that five attempts take seconds."""

        def database(self) -> Database[Document]:
            if self._client is None:
                self._client = MongoClient(
                    self.uri, tz_aware=True, serverSelectionTimeoutMS=100, event_listeners=[watcher]
                )
            client: MongoClient[Document] = self._client
            return client[self.database_name]

    mongo = Impatient(uri=m.env["CDP_MONGO_URI"], database_name=m.db.name)
    return migration_resource(m.env, m.db.name, crm=CrmPostgresResource(dsn=m.crm.dsn), cdp_mongo=mongo)


@contextmanager
def started_again(stack: LocalStack) -> Iterator["StartsAgain"]:
    """MongoDB comes back when a run has said that it could not end its job, and at the end in any case."""
    starter = StartsAgain(lambda: stack.start_one("mongo"))
    logger = logging.getLogger("cdp_pipelines.pipelines.migrations.conclude")
    logger.addHandler(starter)
    try:
        yield starter
    finally:
        logger.removeHandler(starter)
        stack.start_one("mongo")


class StartsAgain(logging.Handler):
    """Starts MongoDB again once the run has said that it could not end its job."""

    def __init__(self, start: Callable[[], None]) -> None:
        super().__init__()
        self.start, self.heard = start, 0

    def emit(self, record: logging.LogRecord) -> None:
        if "could not be ended" in record.getMessage():
            self.heard += 1
            self.start()
