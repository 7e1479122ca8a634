"""Everything outside that a contact export touches, opened only when it is used.

Built from Dagster's resources in ops and sensors, and from the same resources by the command line, so that one piece
of code serves every way in.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import dagster as dg
from pymongo.database import Database

from cdp_pipelines.pipelines.clock import utc_now
from cdp_pipelines.resources.alerts import AlertSender, AlertsResource
from cdp_pipelines.resources.cdp_mongo import CdpMongoResource
from cdp_pipelines.resources.export_history import ExportHistoryRegistrar, ExportHistoryResource
from cdp_pipelines.resources.export_limits import ExportLimitsResource
from cdp_pipelines.resources.mailer import Mailer, MailerResource
from cdp_pipelines.resources.notifications import NotificationPublisher, NotificationsResource
from cdp_pipelines.resources.object_store import ObjectStore, ObjectStoreResource
from cdp_pipelines.stores.alert_causes import AlertCauses
from cdp_pipelines.stores.companies import CompanyStore
from cdp_pipelines.stores.deliveries import Deliveries
from cdp_pipelines.stores.export_jobs import ExportJobs
from cdp_pipelines.stores.export_records import ExportRecords
from cdp_pipelines.stores.rate_limits import RateLimits


class ContactExportResource(dg.ConfigurableResource[None]):
    """The resources of the pipeline in one: an op or a sensor asks for this and gets `services()`."""

    cdp_mongo: CdpMongoResource
    object_store: ObjectStoreResource
    mailer: MailerResource
    notifications: NotificationsResource
    export_history: ExportHistoryResource
    alerts: AlertsResource
    export_limits: ExportLimitsResource

    def services(self) -> "ExportServices":
        """Stores and outside systems; only MongoDB's settings are needed at once, and nothing is contacted yet."""
        return ExportServices(self)


def from_environment(cdp_mongo: CdpMongoResource | None = None) -> ContactExportResource:
    """The resource that takes every setting from the environment when it needs it; for runs, sensors and commands."""
    return ContactExportResource(
        cdp_mongo=cdp_mongo or CdpMongoResource(),
        object_store=ObjectStoreResource(),
        mailer=MailerResource(),
        notifications=NotificationsResource(),
        export_history=ExportHistoryResource(),
        alerts=AlertsResource(),
        export_limits=ExportLimitsResource(),
    )


class ExportServices:
    """Stores and outside systems of contact exports, and the clock."""

    def __init__(self, resources: ContactExportResource, *, now: Callable[[], datetime] = utc_now) -> None:
        self._resources = resources
        self.now = now
        self.limits = resources.export_limits
        self.database: Database[dict[str, Any]] = resources.cdp_mongo.database()
        self.companies = CompanyStore(self.database)
        self.jobs = ExportJobs(self.database)
        self.deliveries = Deliveries(self.database)
        self.records = ExportRecords(self.database)
        self.alert_causes = AlertCauses(self.database)
        self.rate_limits = RateLimits(
            self.database,
            kind="contact_export",
            limit=self.limits.rate_limit(),
            window_seconds=self.limits.rate_window_seconds(),
        )

    def object_store(self) -> ObjectStore:
        """The bucket that files go to."""
        return self._resources.object_store.open()

    def mailer(self) -> Mailer:
        """The mail server."""
        return self._resources.mailer.open()

    def notifications(self) -> NotificationPublisher:
        """In-app notifications; one that does nothing when they are switched off."""
        return self._resources.notifications.open()

    def export_history(self) -> ExportHistoryRegistrar:
        """The shared history of exports; one that does nothing when it is switched off."""
        return self._resources.export_history.open()

    def alerts(self) -> AlertSender:
        """Where operators are alerted."""
        return self._resources.alerts.open()
