"""Drives migrations on real servers without a daemon: a small CRM, runs, and what came of them.

`Migrations` is about activity logs; what notes need besides is in `notes_harness.py`.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import psycopg
from bson import ObjectId
from pymongo import monitoring
from pymongo.database import Database

from cdp_pipelines.definitions import build_defs, default_resources
from cdp_pipelines.local.crm_schema import create_crm_schema
from cdp_pipelines.pipelines.activity_logs.config import ACTIVITY_LOGS
from cdp_pipelines.pipelines.activity_logs.jobs import activity_logs_migration_job, activity_logs_rollback_job
from cdp_pipelines.pipelines.contact_notes.config import CONTACT_NOTES
from cdp_pipelines.pipelines.contact_notes.jobs import contact_notes_migration_job, contact_notes_rollback_job
from cdp_pipelines.pipelines.migrations.kinds import MigrationKind
from cdp_pipelines.pipelines.migrations.sensors import migration_requests_sensor
from cdp_pipelines.pipelines.migrations.services import MigrationResource, MigrationServices
from cdp_pipelines.pipelines.migrations.sweep import SweepReport, sweep_migrations
from cdp_pipelines.resources.alerts import AlertsResource
from cdp_pipelines.resources.attachment_fetcher import AttachmentFetcherResource
from cdp_pipelines.resources.cdp_mongo import CdpMongoResource
from cdp_pipelines.resources.crm_notes import CrmNotesResource
from cdp_pipelines.resources.crm_postgres import CrmPostgresResource
from cdp_pipelines.resources.launchpad import LaunchpadResource
from cdp_pipelines.resources.object_store import ObjectStoreResource
from cdp_pipelines.stores.migrations.runner import Migrator
from cdp_pipelines_tests.support import crm_databases

Document = dict[str, Any]
SYNCED = datetime(2024, 6, 1, tzinfo=UTC)
"""When the contacts of these tests were made, so their watermark."""
BEFORE = datetime(2024, 3, 1, 12, 0, 0)  # noqa: DTZ001 - as Rails stores it
AFTER = datetime(2024, 6, 2)  # noqa: DTZ001
FILES_ROOT_URL = "https://files.cdp.example"


def migration_resource(env: Mapping[str, str], database: str, **overrides: Any) -> MigrationResource:
    """The pipeline's resources pointed at the stack by value, so that tests change no environment."""
    settings: dict[str, Any] = {
        "cdp_mongo": CdpMongoResource(uri=env["CDP_MONGO_URI"], database_name=database),
        "crm": CrmPostgresResource(dsn=env["CRM_AUDIT_DATABASE_URL"]),
        "launchpad": LaunchpadResource(
            root_url=env["LAUNCHPAD_API_ROOT_URL"], authorization=env.get("LAUNCHPAD_API_AUTH", "")
        ),
        "crm_notes": CrmNotesResource(source="postgres"),
        "attachments": AttachmentFetcherResource(hosts="files.crm.example"),
        "object_store": ObjectStoreResource(
            bucket=env["CDP_S3_BUCKET"], endpoint_url=env["CDP_S3_ENDPOINT_URL"], region=env["AWS_REGION"]
        ),
        "alerts": AlertsResource(webhook_url=env.get("CDP_ALERT_WEBHOOK_URL", "")),
        "files_root_url": FILES_ROOT_URL,
        # What is away is not waited for longer than its own retries take, unless a test is about that.
        "patience_seconds": 0,
    }
    return MigrationResource(**{**settings, **overrides})


class Watcher(monitoring.CommandListener):
    """The driver's public command listener: acts before certain commands are sent; nothing of ours is replaced."""

    def __init__(self, command: str, collection: str, number: int, act: Callable[[int], None]) -> None:
        self.command, self.collection, self.number, self.act = command, collection, number, act
        self.seen = 0

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name == self.command and event.command.get(self.command) == self.collection:
            self.seen += 1
            if self.seen >= self.number:
                self.act(self.seen)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Not needed."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Not needed."""


class Crm:
    """A CRM database of the test's own: the tables of SPEC 5.1, filled row by row."""

    def __init__(self, admin_dsn: str) -> None:
        self._admin_dsn = admin_dsn
        self.name = crm_databases.take(admin_dsn)
        self.dsn = admin_dsn.rsplit("/", 1)[0] + f"/{self.name}"
        self.connection = psycopg.connect(self.dsn, autocommit=True)
        create_crm_schema(self.connection)
        self._next_audit = 1

    def person(self, cid: int, number: int, *, name: str = "Person", deleted: bool = False) -> None:
        self._entity("crm_people", cid, number, name, deleted=deleted)

    def entity(self, table: str, cid: int, number: int, name: str, *, deleted: bool = False) -> None:
        self._entity(table, cid, number, name, deleted=deleted)

    def _entity(self, table: str, cid: int, number: int, name: str, *, deleted: bool) -> None:
        at = BEFORE if deleted else None
        self.connection.execute(
            f"INSERT INTO {table} (id, organization_id, name, deleted_at) VALUES (%s, %s, %s, %s)",
            (number, cid, name, at),
        )

    def user(self, cid: int, number: int, email: str, name: str, *, deleted: bool = False) -> None:
        self.connection.execute(
            "INSERT INTO users (id, organization_id, email, full_name, deleted_at) VALUES (%s, %s, %s, %s, %s)",
            (number, cid, email, name, BEFORE if deleted else None),
        )

    def audit(self, cid: int, **columns: Any) -> int:
        """One audit; returns its id. Without columns: an update of deal 5 about person 1 by nobody."""
        number = columns.pop("id", self._next_audit)
        self._next_audit = max(self._next_audit, number) + 1
        row: Document = {
            "id": number,
            "organization_id": cid,
            "auditable_id": 5,
            "auditable_type": "Crm::Deal",
            "action": "update",
            "audited_changes": "---\nname:\n- Old\n- New\n",
            "comment": '{"crm_person_id": 1}',
            "created_at": BEFORE + timedelta(seconds=number),
            "version": 1,
            **columns,
        }
        names = ", ".join(row)
        marks = ", ".join(["%s"] * len(row))
        self.connection.execute(
            f"INSERT INTO audits ({names}) VALUES ({marks})",
            list(row.values()),
        )
        return int(number)

    def close(self) -> None:
        self.connection.close()
        crm_databases.give_back(self._admin_dsn, self.name)


class Migrations:
    """One company, its CRM organization, and everything to migrate it with."""

    kind: MigrationKind = ACTIVITY_LOGS

    def __init__(
        self, env: Mapping[str, str], database: Database[Document], instance: dg.DagsterInstance, **overrides: Any
    ) -> None:
        self.env, self.db, self.instance = env, database, instance
        self.crm = Crm(env["CRM_AUDIT_DATABASE_URL"])
        self.resource = migration_resource(env, database.name, crm=CrmPostgresResource(dsn=self.crm.dsn), **overrides)
        Migrator(database).up()
        self.company, self.cid = self.add_company(people=2)

    def add_company(self, *, people: int, contacts: int | None = None, flag: bool = True) -> tuple[str, int]:
        """A company with CRM people 1… of its own and a contact for each of the first `contacts`."""
        key = f"company-{uuid.uuid4().hex[:8]}"
        cid = self.db["companies"].count_documents({}) + 1
        first = (cid - 1) * 1_000
        self.db["companies"].insert_one({"_id": key, "cid": cid, "name": "T", "features": {self.kind.flag: flag}})
        self.instance.add_dynamic_partitions("company", [key])
        for number in range(first + 1, first + people + 1):
            self.crm.person(cid, number)
        wanted = people if contacts is None else contacts
        for number in range(first + 1, first + wanted + 1):
            self.contact(key, number)
        return key, cid

    def contact(self, company: str, person: int, *, created_at: datetime = SYNCED) -> str:
        inserted = self.db["contacts"].insert_one(
            {"company_sso_id": company, "name": "C", "crm_data": {"id": str(person)}, "created_at": created_at}
        )
        return str(inserted.inserted_id)

    def customer(self, person: int, company: str | None = None) -> str:
        found = self.db["contacts"].find_one({"company_sso_id": company or self.company, "crm_data.id": str(person)})
        assert found is not None
        return str(found["_id"])

    def fill(self, rows: int, *, unreadable: Sequence[int] = ()) -> None:
        """Audits of the company, `rows` of them; those whose number is in `unreadable` cannot be read."""
        for number in range(rows):
            broken = {"audited_changes": "---\nname:\n\t- a\n"} if number in unreadable else {}
            self.crm.audit(self.cid, auditable_id=number + 1, **broken)

    def run(
        self, job: str = "", *, company: str | None = None, config: Document | None = None,
        tags: Mapping[str, str] | None = None, resource: MigrationResource | None = None,
        instance: dg.DagsterInstance | None = None,
    ) -> dg.ExecuteInProcessResult:  # fmt: skip
        """Execute one run to its end, here; `config` is that of the op `gates`, or of the rollback's only op."""
        defs = build_defs(resources={**default_resources(), "migrations": resource or self.resource})
        if job == self.kind.rollback_job:
            run_config: Document = {"ops": {self.kind.rollback_op: {"config": config or {}}}}
        elif job == self.kind.checks_job:
            run_config = {}
        else:
            run_config = {"ops": {self.kind.asset: {"ops": {"gates": {"config": config or {}}}}}}
        return defs.resolve_job_def(job or self.kind.start_job).execute_in_process(
            instance=instance or self.instance,
            partition_key=company or self.company,
            run_config=run_config,
            tags=dict(tags or {}),
            raise_on_error=False,
        )

    def at_insert(self, number: int, act: Callable[[int], None], **overrides: Any) -> MigrationResource:
        """Resources of a run that calls `act` when its `number`-th page is about to be inserted, and at later ones."""
        return self.watching(Watcher("insert", self.kind.asset, number, act), **overrides)

    def watching(self, watcher: monitoring.CommandListener, **overrides: Any) -> MigrationResource:
        """Resources of a run with a listener on MongoDB's driver."""

        class Watched(CdpMongoResource):
            def client_options(self) -> dict[str, Any]:
                return {"event_listeners": [watcher]}

        mongo = Watched(uri=self.env["CDP_MONGO_URI"], database_name=self.db.name)
        crm = CrmPostgresResource(dsn=self.crm.dsn)
        return migration_resource(self.env, self.db.name, **{"crm": crm, "cdp_mongo": mongo, **overrides})

    def rollback(self, **config: Any) -> dg.ExecuteInProcessResult:
        return self.run(self.kind.rollback_job, config={"confirm": self.company, **config})

    def request(self, **changes: Any) -> Any:
        """Put a request into the queue as another service would; returns its `_id`."""
        now = datetime.now(UTC)
        document: Document = {
            "_id": ObjectId(), "kind": self.kind.kind, "action": "start", "status": "queued",
            "company_sso_id": self.company, "requested_by": "ops-1", "options": {}, "created_at": now,
            "updated_at": now, **changes,
        }  # fmt: skip
        self.db["migration_requests"].insert_one({key: value for key, value in document.items() if value is not ...})
        return document["_id"]

    def tick(self) -> list[dg.RunRequest]:
        """One tick of `migration_requests`; partitions it asks for are added as the daemon does."""
        jobs = [
            activity_logs_migration_job,
            activity_logs_rollback_job,
            contact_notes_migration_job,
            contact_notes_rollback_job,
        ]
        sensor = migration_requests_sensor({kind.kind: kind for kind in (ACTIVITY_LOGS, CONTACT_NOTES)}, jobs)
        with dg.build_sensor_context(instance=self.instance, resources={"migrations": self.resource}) as context:
            result = sensor(context)
        if isinstance(result, dg.SkipReason):
            return []
        assert isinstance(result, dg.SensorResult)
        for request in result.dynamic_partitions_requests or []:
            self.instance.add_dynamic_partitions("company", list(request.partition_keys))
        return list(result.run_requests or [])

    def run_requested(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        """Execute one run request to its end, here."""
        defs = build_defs(resources={**default_resources(), "migrations": self.resource})
        assert request.job_name is not None
        return defs.resolve_job_def(request.job_name).execute_in_process(
            instance=self.instance,
            partition_key=request.partition_key,
            run_config=request.run_config,
            tags=dict(request.tags),
            raise_on_error=False,
        )

    def services(self, *, ahead: timedelta = timedelta(0)) -> MigrationServices:
        """The services, with a clock that may run ahead of the real one."""
        return MigrationServices(self.resource, self.kind, now=lambda: datetime.now(UTC).replace(microsecond=0) + ahead)

    def sweep(self, *, ahead: timedelta = timedelta(minutes=30)) -> SweepReport:
        return sweep_migrations(self.services(ahead=ahead), self.instance)

    def job(self, company: str | None = None, **query: Any) -> Document:
        """The company's newest job."""
        found = self.db[self.kind.jobs.collection].find_one(
            {"company_sso_id": company or self.company, **query}, sort=[("created_at", -1), ("_id", -1)]
        )
        assert found is not None
        return found

    def the_request(self, request_id: Any) -> Document:
        found = self.db["migration_requests"].find_one({"_id": request_id})
        assert found is not None
        return found

    def logs(self, company: str | None = None) -> list[Document]:
        """The company's migrated documents in the order of their audits."""
        return sorted(
            (
                document
                for document in self.db["activity_logs"].find({"company_sso_id": company or self.company})
                if document.get("source_tag") == "crm_migration"
            ),
            key=lambda document: int(document["external_id"].split(":")[1]),
        )

    def close(self) -> None:
        self.resource.cdp_mongo.close()
        self.crm.close()


def assert_adds_up(job: Mapping[str, Any]) -> None:
    skipped = sum(job["records_skipped"].values())
    assert job["records_processed"] == job["records_migrated"] + skipped + job["records_failed"]
    for shard in job["shards"].values():
        parts = shard.get("migrated", 0) + shard.get("skipped", 0) + shard.get("failed", 0)
        assert shard.get("processed", 0) == parts


def failure_text(result: dg.ExecuteInProcessResult) -> str:
    """Everything that the failed steps say."""
    return " ".join(
        str(event.step_failure_data.error.to_string()) if event.step_failure_data.error else ""
        for event in result.all_events
        if event.is_step_failure
    )


def checks_of(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    """Whether each check that was evaluated passed, by asset and name."""
    return {
        f"{check.asset_key.path[-1]}.{check.check_name}": check.passed for check in result.get_asset_check_evaluations()
    }
