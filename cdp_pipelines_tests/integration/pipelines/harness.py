"""Drives the contact export on real servers without a daemon: queue, tick, run, sweep, and look at what came of it."""

import io
import mailbox
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default as email_policy
from pathlib import Path
from typing import Any

import dagster as dg
from bson import ObjectId
from pymongo.database import Database

from cdp_pipelines.definitions import build_defs, default_resources
from cdp_pipelines.pipelines.contact_export.kind import CONTACT_EXPORT
from cdp_pipelines.pipelines.contact_export.sensors import contact_export_requests
from cdp_pipelines.pipelines.contact_export.services import ContactExportResource, ExportServices
from cdp_pipelines.pipelines.exports.sweep import SweepReport, sweep_exports
from cdp_pipelines.resources.alerts import AlertsResource
from cdp_pipelines.resources.cdp_mongo import CdpMongoResource
from cdp_pipelines.resources.export_history import ExportHistoryResource
from cdp_pipelines.resources.export_limits import ExportLimitsResource
from cdp_pipelines.resources.mailer import MailerResource
from cdp_pipelines.resources.notifications import NotificationsResource
from cdp_pipelines.resources.object_store import ObjectStoreResource
from cdp_pipelines.resources.work_directory import WorkDirectoryResource
from cdp_pipelines.stores.migrations.runner import Migrator

Db = Database[dict[str, Any]]
Document = dict[str, Any]

FIELDS: list[Document] = [
    {"name": "name", "name_alias": "Full name", "field_type": "single_line_text", "is_default": True},
    {"name": "created_at", "name_alias": "Created", "field_type": "date", "is_default": True},
    {"name": "salary", "name_alias": "Salary", "field_type": "number", "is_default": False, "is_hidden": True},
    {"name": "value", "name_alias": "Deal value", "field_type": "number", "is_default": False,
     "validation": {"number": {"number_type": "currency"}}},
]  # fmt: skip


def contact_id(number: int) -> str:
    return f"{number:024x}"


def export_resource(
    env: Mapping[str, str], database: str, cdp_mongo: CdpMongoResource | None = None, **limits: Any
) -> ContactExportResource:
    """The pipeline's resources pointed at the stack by value, so that tests change no environment but AWS's."""
    return ContactExportResource(
        cdp_mongo=cdp_mongo or CdpMongoResource(uri=env["CDP_MONGO_URI"], database_name=database),
        object_store=ObjectStoreResource(bucket=env["CDP_S3_BUCKET"], endpoint_url=env["CDP_S3_ENDPOINT_URL"]),
        mailer=MailerResource(
            host=env["CDP_SMTP_HOST"], port=int(env["CDP_SMTP_PORT"]), tls="none", sender=env["CDP_EMAIL_FROM"]
        ),
        notifications=NotificationsResource(
            root_url=env["NOTIFICATION_API_ROOT_URL"],
            client_id=env["NOTIFICATION_API_CLIENT_ID"],
            secret=env["NOTIFICATION_API_SECRET"],
        ),
        export_history=ExportHistoryResource(),
        alerts=AlertsResource(webhook_url=env["CDP_ALERT_WEBHOOK_URL"]),
        export_limits=ExportLimitsResource(**{"max_per_window": 1_000, **limits}),
    )


class Exports:
    """One company with contacts, its queue, and everything that a test does with them."""

    def __init__(self, env: Mapping[str, str], database: Db, tmp_path: Path, contacts: int = 3, **limits: Any) -> None:
        self.env, self.db, self.tmp_path = env, database, tmp_path
        self.company = f"company-{uuid.uuid4().hex[:12]}"
        self.resource = export_resource(env, database.name, **limits)
        self._stack = ExitStack()
        self.instance = self._stack.enter_context(dg.DagsterInstance.ephemeral())
        Migrator(database).up()
        database["companies"].insert_one(
            {"_id": self.company, "cid": 1, "name": "T", "features": {"cdp_export_customer_enabled": True}}
        )
        layout = f"{self.company}-layout"
        database["layouts"].insert_one({"_id": layout, "company_sso_id": self.company, "is_default": True})
        database["field_properties"].insert_many(
            [
                {"_id": f"{layout}-{i}", "company_sso_id": self.company, "layout_id": layout, "position": i, **field}
                for i, field in enumerate(FIELDS)
            ]
        )
        self.add_contacts(self.company, contacts)

    def add_contacts(self, company: str, count: int, first: int = 1) -> None:
        for start in range(first, first + count, 1_000):
            self.db["contacts"].insert_many(
                [
                    {
                        "_id": ObjectId(contact_id(number)),
                        "company_sso_id": company,
                        "name": f"Customer {number}",
                        "source": "web",
                        "custom_fields": [
                            {"key": "value", "value": number * 1_000_000, "currency_code": "IDR"},
                            {"key": "salary", "value": 5},
                        ],
                        "created_at": datetime(2024, 5, 1, tzinfo=UTC) + timedelta(minutes=number),
                        "updated_at": datetime(2024, 5, 1, tzinfo=UTC) + timedelta(minutes=number),
                    }
                    for number in range(start, min(start + 1_000, first + count))
                ]
            )

    def close(self) -> None:
        self.resource.cdp_mongo.close()
        self._stack.close()

    def services(self, *, ahead: timedelta = timedelta(0)) -> ExportServices:
        """The services, with a clock that may run ahead of the real one."""
        return ExportServices(self.resource, now=lambda: datetime.now(UTC).replace(microsecond=0) + ahead)

    def queue(self, **changes: Any) -> str:
        """Put a request into the queue as another service would; `...` leaves a key out."""
        job_id = str(uuid.uuid4())
        document: Document = {
            "job_id": job_id,
            "job_type": "export",
            "status": "queued",
            "company_sso_id": self.company,
            "user_sso_id": "user-1",
            "email": f"{job_id}@example.com",
            "permissions": ["customers_customers_export"],
            "contact_ids": [contact_id(1), contact_id(2)],
            "format": "csv",
            "timezone": "Asia/Jakarta",
            "locale": "en",
            "created_at": datetime.now(UTC),
            **changes,
        }
        self.db["bulk_upload_jobs"].insert_one({key: value for key, value in document.items() if value is not ...})
        return document["job_id"] if isinstance(document["job_id"], str) else job_id

    def tick(self) -> list[dg.RunRequest]:
        """One tick of `contact_export_requests`; partitions it asks for are added as the daemon does."""
        resources = {"contact_export": self.resource}
        with dg.build_sensor_context(instance=self.instance, resources=resources) as context:
            result = contact_export_requests(context)
        if isinstance(result, dg.SkipReason):
            return []
        assert isinstance(result, dg.SensorResult)
        for request in result.dynamic_partitions_requests or []:
            self.instance.add_dynamic_partitions("company", list(request.partition_keys))
        return list(result.run_requests or [])

    def run(self, request: dg.RunRequest, **overrides: Any) -> dg.ExecuteInProcessResult:
        """Execute one run request to its end, here."""
        defs = build_defs(resources={**self.run_resources(), **overrides})
        return defs.resolve_job_def("contact_export").execute_in_process(
            instance=self.instance,
            partition_key=request.partition_key,
            run_config=request.run_config,
            tags=dict(request.tags),
            raise_on_error=False,
        )

    def run_resources(self) -> dict[str, Any]:
        return {
            **default_resources(),
            "cdp_mongo": self.resource.cdp_mongo,
            "contact_export": self.resource,
            "work_directory": WorkDirectoryResource(root=str(self.tmp_path / "work")),
        }

    def export(self, **changes: Any) -> Document:
        """Queue, tick, run, and return the job document as it ended."""
        job_id = self.queue(**changes)
        for request in self.tick():
            self.run(request)
        return self.job(job_id)

    def sweep(self, *, ahead: timedelta = timedelta(minutes=30)) -> SweepReport:
        return sweep_exports(CONTACT_EXPORT, self.services(ahead=ahead), self.instance)

    def job(self, job_id: str) -> Document:
        document = self.db["bulk_upload_jobs"].find_one({"job_id": job_id})
        assert document is not None
        return document

    def emails(self, job_id: str) -> list[EmailMessage]:
        """The emails of one job, by its own recipient address."""
        folder = mailbox.Maildir(self.env["CDP_MAILDIR"], create=False)
        found = []
        for key in folder.keys():  # noqa: SIM118 - a Maildir is no dict
            message = BytesParser(policy=email_policy).parse(io.BytesIO(folder.get_bytes(key)))
            assert isinstance(message, EmailMessage)
            if f"{job_id}@example.com" in str(message["To"]):
                found.append(message)
        return found

    def objects(self) -> list[str]:
        """The keys of the company's files in the bucket."""
        return self.resource.object_store.open().list_keys(f"private/exports/{self.company}/")

    def content(self, document: Document) -> bytes:
        store = self.resource.object_store.open()
        return b"".join(store.iter_bytes(document["result"]["key"]))

    def leftovers(self) -> list[Path]:
        """Temporary files of runs."""
        folder = self.tmp_path / "work"
        return list(folder.rglob("*")) if folder.exists() else []
