"""Drives the entity export on real servers without a daemon: queue, tick, run, sweep, and look at what came of it."""

import hashlib
import secrets
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from pymongo import monitoring
from pymongo.database import Database

from cdp_pipelines.definitions import build_defs, default_resources
from cdp_pipelines.local.mailbox_reader import ReceivedMail, read_mailbox
from cdp_pipelines.pipelines.entity_export.kind import ENTITY_EXPORT
from cdp_pipelines.pipelines.entity_export.sensors import entity_export_requests
from cdp_pipelines.pipelines.entity_export.services import EntityExportResource, EntityServices
from cdp_pipelines.pipelines.exports.sweep import SweepReport, sweep_exports
from cdp_pipelines.resources.alerts import AlertsResource
from cdp_pipelines.resources.cdp_mongo import CdpMongoResource
from cdp_pipelines.resources.entity_export_limits import EntityExportLimitsResource
from cdp_pipelines.resources.mailer import MailerResource
from cdp_pipelines.resources.object_store import ObjectStore, ObjectStoreResource
from cdp_pipelines.resources.webhooks import WebhooksResource
from cdp_pipelines.resources.work_directory import WorkDirectoryResource
from cdp_pipelines.stores.migrations.runner import Migrator

Db = Database[dict[str, Any]]
Document = dict[str, Any]

SIGNING_KEY = "a key for tests that is long enough to be one"
START = datetime(2024, 5, 1, tzinfo=UTC)


def entity_resource(
    env: Mapping[str, str], database: str, *, trusted_hosts: str = "", webhooks: WebhooksResource | None = None,
    cdp_mongo: CdpMongoResource | None = None, object_store: ObjectStoreResource | None = None, **limits: Any,
) -> EntityExportResource:  # fmt: skip
    """The pipeline's resources pointed at the stack by value, so that tests change no environment but AWS's."""
    return EntityExportResource(
        cdp_mongo=cdp_mongo or CdpMongoResource(uri=env["CDP_MONGO_URI"], database_name=database),
        object_store=object_store
        or ObjectStoreResource(bucket=env["CDP_S3_BUCKET"], endpoint_url=env["CDP_S3_ENDPOINT_URL"]),
        mailer=MailerResource(
            host=env["CDP_SMTP_HOST"], port=int(env["CDP_SMTP_PORT"]), tls="none", sender=env["CDP_EMAIL_FROM"]
        ),
        webhooks=webhooks or WebhooksResource(signing_key=SIGNING_KEY, trusted_hosts=trusted_hosts or "none.example:1"),
        alerts=AlertsResource(webhook_url=env["CDP_ALERT_WEBHOOK_URL"]),
        limits=EntityExportLimitsResource(**limits),
    )


class Watcher(monitoring.CommandListener):
    """The driver's public listener: acts before commands are sent; nothing of ours is replaced. "" is any."""

    def __init__(self, command: str, collection: str, number: int, act: Callable[[int], None]) -> None:
        self.command, self.collection, self.number, self.act = command, collection, number, act
        self.seen = 0

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name != self.command:
            return
        if self.collection in ("", event.command.get("collection"), event.command.get(self.command)):
            self.seen += 1
            if self.seen >= self.number:
                self.act(self.seen)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Not needed."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Not needed."""


def watched_mongo(uri: str, database: str, watchers: Sequence[Watcher]) -> CdpMongoResource:
    """MongoDB under listeners; a class of its own, since Dagster makes resources anew from their settings."""

    class WatchedMongo(CdpMongoResource):
        def client_options(self) -> dict[str, Any]:
            return {"event_listeners": list(watchers)}

    return WatchedMongo(uri=uri, database_name=database)


def watched_store(
    env: Mapping[str, str], asked: Callable[[str], None], answered: Callable[[str], None] = lambda _: None
) -> ObjectStoreResource:
    """The object store under the driver's public events: before a request is sent, and when it was answered."""

    class WatchedStore(ObjectStoreResource):
        def open(self) -> ObjectStore:
            is_new = self._store is None
            store = super().open()
            if is_new:
                events = store._client.meta.events
                events.register("request-created.s3", lambda operation_name, **_: asked(operation_name))
                events.register("after-call.s3", lambda model, **_: answered(model.name))
            return store

    return WatchedStore(bucket=env["CDP_S3_BUCKET"], endpoint_url=env["CDP_S3_ENDPOINT_URL"])


class EntityExportsOf:
    """One company with commerce data, its queue, and everything that a test does with them."""

    def __init__(self, env: Mapping[str, str], database: Db, tmp_path: Path, **options: Any) -> None:
        self.env, self.db, self.tmp_path = env, database, tmp_path
        self.company = f"company-{uuid.uuid4().hex[:12]}"
        self._options = options
        self.resource = entity_resource(env, database.name, **options)
        self._stack = ExitStack()
        self.instance = self._stack.enter_context(dg.DagsterInstance.ephemeral())
        Migrator(database).up()
        database["companies"].insert_one(
            {"_id": self.company, "cid": 1, "name": "T", "features": {"entity_exports_enabled": True}}
        )

    def close(self) -> None:
        self.resource.cdp_mongo.close()
        self.resource.webhooks.teardown_after_execution(None)  # type: ignore[arg-type]
        self.resource.object_store.teardown_after_execution(None)  # type: ignore[arg-type]
        self._stack.close()

    def services(self, *, ahead: timedelta = timedelta(0)) -> EntityServices:
        """The services, with a clock that may run ahead of the real one."""
        return EntityServices(self.resource, now=lambda: datetime.now(UTC).replace(microsecond=0) + ahead)

    def add(self, collection: str, *documents: Document) -> None:
        self.db[collection].insert_many([{"company_sso_id": self.company, **document} for document in documents])

    def add_orders(self, count: int) -> None:
        self.add(
            "orders",
            *(
                {"id": f"ord_{n:06d}", "source_id": f"s-{n}", "status": "PAID", "amount": n * 100, "created_at": START,
                 "updated_at": START + timedelta(seconds=n)}
                for n in range(count)
            ),
        )  # fmt: skip

    def queue(self, exported_object: Any = "order", **changes: Any) -> str:
        """Put a request into the queue as another service would; `...` leaves a key out."""
        export_id = f"exp_{secrets.token_hex(12)}"
        document: Document = {
            "id": export_id,
            "company_sso_id": self.company,
            "exported_object": exported_object,
            "status": "SCHEDULED",
            "channel": "API",
            "parameters": {},
            "user_sso_id": "user-1",
            "created_at": datetime.now(UTC),
            "updated_at": datetime.now(UTC),
            **changes,
        }
        self.db["exports"].insert_one({key: value for key, value in document.items() if value is not ...})
        return str(document["id"])

    def tick(self) -> list[dg.RunRequest]:
        """One tick of `entity_export_requests`; partitions it asks for are added as the daemon does."""
        resources = {"entity_export": self.resource}
        with dg.build_sensor_context(instance=self.instance, resources=resources) as context:
            result = entity_export_requests(context)
        if isinstance(result, dg.SkipReason):
            return []
        assert isinstance(result, dg.SensorResult)
        for request in result.dynamic_partitions_requests or []:
            self.instance.add_dynamic_partitions("company", list(request.partition_keys))
        return list(result.run_requests or [])

    def run(self, request: dg.RunRequest, **overrides: Any) -> dg.ExecuteInProcessResult:
        """Execute one run request to its end, here."""
        defs = build_defs(resources={**self.run_resources(), **overrides})
        return defs.resolve_job_def("entity_export").execute_in_process(
            instance=self.instance,
            partition_key=request.partition_key,
            run_config=request.run_config,
            tags=dict(request.tags),
            raise_on_error=False,
        )

    def run_watched(self, request: dg.RunRequest, *watchers: Watcher) -> dg.ExecuteInProcessResult:
        """Execute one run request under the driver's listeners."""
        mongo = watched_mongo(self.env["CDP_MONGO_URI"], self.db.name, watchers)
        watched = entity_resource(self.env, self.db.name, cdp_mongo=mongo, **self._options)
        try:
            return self.run(request, entity_export=watched, cdp_mongo=mongo)
        finally:
            mongo.close()

    def run_resources(self) -> dict[str, Any]:
        return {
            **default_resources(),
            "cdp_mongo": self.resource.cdp_mongo,
            "entity_export": self.resource,
            "work_directory": WorkDirectoryResource(root=str(self.tmp_path / "work")),
        }

    def export(self, exported_object: Any = "order", **changes: Any) -> Document:
        """Queue, tick, run, and return the document as it ended."""
        export_id = self.queue(exported_object, **changes)
        for request in self.tick():
            self.run(request)
        return self.document(export_id)

    def sweep(self, *, ahead: timedelta = timedelta(minutes=30)) -> SweepReport:
        return sweep_exports(ENTITY_EXPORT, self.services(ahead=ahead), self.instance)

    def document(self, export_id: str) -> Document:
        document = self.db["exports"].find_one({"id": export_id})
        assert document is not None
        return document

    def objects(self) -> list[str]:
        """The keys of the company's files in the bucket."""
        return self.resource.object_store.open().list_keys(f"{self.company}/exports/")

    def uploads(self) -> list[str]:
        """Keys of multipart uploads that were begun and neither joined nor given up."""
        store = self.resource.object_store.open()
        answer = store._client.list_multipart_uploads(Bucket=store._bucket, Prefix=f"{self.company}/")
        return [upload["Key"] for upload in answer.get("Uploads", [])]

    def assert_nothing_is_left(self) -> None:
        """In the bucket is what exports that are DONE lead to, each file whole, and nothing else."""
        done = list(self.db["exports"].find({"company_sso_id": self.company, "status": "DONE"}))
        expected = sorted(key for document in done for key in document.get("object_keys", []))
        assert (sorted(self.objects()), self.uploads()) == (expected, [])
        pending = {"cleanup_pending": True, "object_keys": {"$type": "string"}}
        assert self.db["exports"].count_documents(pending) == 0
        for document in done:
            self.assert_whole(document)

    def assert_whole(self, document: Document) -> None:
        """What `result` leads to is there, all of it."""
        result = document["result"]
        for file in [result, *result.get("parts", [])]:
            content = self.content(document, file["key"])
            assert (len(content), hashlib.sha256(content).hexdigest()) == (file["size_bytes"], file["sha256"])

    def mails_to(self, address: str) -> list[ReceivedMail]:
        return read_mailbox(Path(self.env["CDP_MAILDIR"]), to=address)

    def content(self, document: Document, key: str = "") -> bytes:
        store = self.resource.object_store.open()
        return b"".join(store.iter_bytes(key or document["result"]["key"]))

    def leftovers(self) -> list[Path]:
        """Temporary files of runs."""
        folder = self.tmp_path / "work"
        return list(folder.rglob("*")) if folder.exists() else []
