"""Everything outside that an entity export touches, opened only when it is used."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import dagster as dg
from pymongo.database import Database

from cdp_pipelines.domain.entity_export.webhook import check_webhook_url
from cdp_pipelines.pipelines.clock import utc_now
from cdp_pipelines.resources.alerts import AlertSender, AlertsResource
from cdp_pipelines.resources.cdp_mongo import CdpMongoResource
from cdp_pipelines.resources.entity_export_limits import EntityExportLimitsResource
from cdp_pipelines.resources.mailer import Mailer, MailerResource
from cdp_pipelines.resources.object_store import ObjectStore, ObjectStoreResource
from cdp_pipelines.resources.webhooks import WebhookSender, WebhooksResource
from cdp_pipelines.stores.alert_causes import AlertCauses
from cdp_pipelines.stores.companies import CompanyStore
from cdp_pipelines.stores.deliveries import Deliveries
from cdp_pipelines.stores.entity_exports import EntityExports
from cdp_pipelines.stores.export_metrics import ExportMetrics
from cdp_pipelines.stores.export_records import ExportRecords
from cdp_pipelines.stores.export_schedules import ExportSchedules
from cdp_pipelines.stores.export_templates import ExportTemplates


class EntityExportResource(dg.ConfigurableResource[None]):
    """The resources of the pipeline in one: an op or a sensor asks for this and gets `services()`."""

    cdp_mongo: CdpMongoResource
    object_store: ObjectStoreResource
    mailer: MailerResource
    webhooks: WebhooksResource
    alerts: AlertsResource
    limits: EntityExportLimitsResource

    def services(self) -> "EntityServices":
        """Stores and outside systems; only MongoDB's settings are needed at once, and nothing is contacted yet."""
        return EntityServices(self)

    def close(self) -> None:
        """Give the connections back."""
        self.webhooks.close()
        self.object_store.close()
        self.cdp_mongo.close()


def from_environment(cdp_mongo: CdpMongoResource | None = None) -> EntityExportResource:
    """The resource that takes every setting from the environment when it needs it; for runs, sensors and commands."""
    return EntityExportResource(
        cdp_mongo=cdp_mongo or CdpMongoResource(),
        object_store=ObjectStoreResource(),
        mailer=MailerResource(),
        webhooks=WebhooksResource(),
        alerts=AlertsResource(),
        limits=EntityExportLimitsResource(),
    )


class EntityServices:
    """Stores and outside systems of entity exports, and the clock."""

    def __init__(self, resources: EntityExportResource, *, now: Callable[[], datetime] = utc_now) -> None:
        self._resources = resources
        self.now = now
        self.limits = resources.limits
        self.database: Database[dict[str, Any]] = resources.cdp_mongo.database()
        self.companies = CompanyStore(self.database)
        self.jobs = EntityExports(self.database)
        self.templates = ExportTemplates(self.database)
        self.schedules = ExportSchedules(self.database)
        self.deliveries = Deliveries(self.database, kind="entity_export")
        self.records = ExportRecords(self.database)
        self.metrics = ExportMetrics(self.database)
        self.alert_causes = AlertCauses(self.database)

    def object_store(self) -> ObjectStore:
        """The bucket that files go to."""
        return self._resources.object_store.open()

    def mailer(self) -> Mailer:
        """The mail server."""
        return self._resources.mailer.open()

    def webhooks(self) -> WebhookSender:
        """Where completions are posted from."""
        return self._resources.webhooks.open()

    def webhook_problem(self, url: str) -> str | None:
        """Why a webhook cannot be sent, or not to this address, as far as can be told beforehand; None if it can."""
        return self._resources.webhooks.setup_problem() or check_webhook_url(url, self._resources.webhooks.trusted())

    def alerts(self) -> AlertSender:
        """Where operators are alerted."""
        return self._resources.alerts.open()
