"""Everything outside that a migration touches, opened only when it is used; for ops, sensors and commands alike."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

import dagster as dg
from pydantic import Field
from pymongo.database import Database

from cdp_pipelines.domain.companies import Company
from cdp_pipelines.domain.errors import ConfigurationError, PermanentFailure
from cdp_pipelines.pipelines.alerting import alert_once
from cdp_pipelines.pipelines.clock import utc_now
from cdp_pipelines.pipelines.migrations.kinds import MigrationKind
from cdp_pipelines.pipelines.migrations.users import UserMemory
from cdp_pipelines.resources.alerts import AlertSender, AlertsResource
from cdp_pipelines.resources.attachment_fetcher import AttachmentFetcherResource
from cdp_pipelines.resources.cdp_mongo import CdpMongoResource
from cdp_pipelines.resources.crm_notes import CrmNotesExtractor, CrmNotesResource
from cdp_pipelines.resources.crm_postgres import CrmDatabase, CrmPostgresResource
from cdp_pipelines.resources.environment import required_setting
from cdp_pipelines.resources.launchpad import LaunchpadClient, LaunchpadResource
from cdp_pipelines.resources.number_settings import whole_number_setting
from cdp_pipelines.resources.object_store import ObjectStore, ObjectStoreResource
from cdp_pipelines.resources.safe_http import SafeFetcher
from cdp_pipelines.stores.alert_causes import AlertCauses
from cdp_pipelines.stores.companies import CompanyStore
from cdp_pipelines.stores.migration_failures import MigrationFailures
from cdp_pipelines.stores.migration_jobs import LEASE_SECONDS, MigrationJobs
from cdp_pipelines.stores.migration_requests import MigrationRequests

FILES_SETTING: Final = "CDP_FILES_ROOT_URL"
PATIENCE_SETTING: Final = "CDP_OUTAGE_PATIENCE_SECONDS"


class MigrationResource(dg.ConfigurableResource[None]):
    """The resources of migrations in one: an op or a sensor asks for this and gets `services()`."""

    cdp_mongo: CdpMongoResource
    crm: CrmPostgresResource
    crm_notes: CrmNotesResource
    launchpad: LaunchpadResource
    attachments: AttachmentFetcherResource
    object_store: ObjectStoreResource
    alerts: AlertsResource
    files_root_url: str = Field(
        default="", description="Address under which the CDP serves what is in the bucket; empty: CDP_FILES_ROOT_URL."
    )
    lease_seconds: int = Field(
        default=LEASE_SECONDS, ge=0, le=86_400, description="How long a silent run keeps its job, in seconds."
    )
    patience_seconds: int | None = Field(
        default=None, description="How long a run waits for what is away; empty: CDP_OUTAGE_PATIENCE_SECONDS, else 300."
    )

    def services(self, kind: MigrationKind) -> "MigrationServices":
        """Stores and outside systems of one migration; only MongoDB's settings are needed at once."""
        return MigrationServices(self, kind)

    def shared_services(self) -> "SharedServices":
        """What all migrations have in common."""
        return SharedServices(self)

    def close(self) -> None:
        """Give the connections back, for commands; Dagster closes those of runs."""
        self.attachments.close()
        self.object_store.close()
        self.cdp_mongo.close()


def from_environment(cdp_mongo: CdpMongoResource | None = None) -> MigrationResource:
    """The resource that takes every setting from the environment when it needs it."""
    return MigrationResource(
        cdp_mongo=cdp_mongo or CdpMongoResource(),
        crm=CrmPostgresResource(),
        crm_notes=CrmNotesResource(),
        launchpad=LaunchpadResource(),
        attachments=AttachmentFetcherResource(),
        object_store=ObjectStoreResource(),
        alerts=AlertsResource(),
    )


class SharedServices:
    """What every migration asks, whichever it is: companies, requests, the CRM. And the clock."""

    def __init__(self, resources: MigrationResource, *, now: Callable[[], datetime] = utc_now) -> None:
        self._resources = resources
        self.now = now
        self.database: Database[dict[str, Any]] = resources.cdp_mongo.database()
        self.companies = CompanyStore(self.database)
        self.requests = MigrationRequests(self.database)
        self.alert_causes = AlertCauses(self.database)

    def company(self, company_sso_id: str) -> Company:
        """The company, which must be there.

        Raises:
            PermanentFailure: `CID_NOT_FOUND`.
        """
        company = self.companies.find(company_sso_id)
        if company is None:
            raise PermanentFailure("CID_NOT_FOUND", "There is no company with this key.")
        return company

    def crm(self, company: Company, *, within_seconds: float | None = None) -> CrmDatabase:
        """The CRM's rows of one company; with a limit, no statement takes longer than so many seconds.

        Raises:
            PermanentFailure: `CID_NOT_FOUND`, its CRM organization is not known.
        """
        return self._resources.crm.open(_cid(company), within_seconds=within_seconds)

    def alert_once(self, cause: str, text: str, *, request_id: str = "") -> None:
        """Alert the people on duty, once a cause."""
        alert_once(self, cause, text, request_id=request_id)

    def patience_seconds(self) -> float:
        """How long a run waits for the CRM, MongoDB or the bucket when one is away.

        Raises:
            ConfigurationError: what is set is no such number.
        """
        return whole_number_setting(PATIENCE_SETTING, self._resources.patience_seconds)

    def alerts(self) -> AlertSender:
        """Where the people on duty are alerted."""
        return self._resources.alerts.open()


class MigrationServices(SharedServices):
    """Stores and outside systems of one migration. `user_memory` is what a run knows of users, None outside of runs."""

    def __init__(
        self, resources: MigrationResource, kind: MigrationKind, *, now: Callable[[], datetime] = utc_now
    ) -> None:
        super().__init__(resources, now=now)
        self.kind = kind
        self.jobs = MigrationJobs(self.database, kind.jobs, lease_seconds=resources.lease_seconds)
        self.failures = MigrationFailures(self.database, kind.kind)
        self.user_memory: UserMemory | None = None

    def crm_notes(self, company: Company, *, request_id: str) -> CrmNotesExtractor:
        """The CRM's notes of one company, from where they are read in this deployment.

        Raises:
            PermanentFailure: `CID_NOT_FOUND`, its CRM organization is not known.
        """
        return self._resources.crm_notes.open(_cid(company), database=self._resources.crm, request_id=request_id)

    def launchpad(self, company_sso_id: str, *, request_id: str) -> LaunchpadClient:
        """The launchpad on behalf of one company."""
        return self._resources.launchpad.open(company_sso_id, request_id=request_id)

    def attachment_fetcher(self) -> SafeFetcher:
        """What fetches files from addresses that the CRM's users chose."""
        return self._resources.attachments.open()

    def object_store(self) -> ObjectStore:
        """The bucket that files go to."""
        return self._resources.object_store.open()

    def files_root_url(self) -> str:
        """The CDP's own address of what is in the bucket.

        Raises:
            ConfigurationError: it is missing, or is none.
        """
        return read_files_root_url(self._resources.files_root_url)


def read_files_root_url(explicit: str = "") -> str:
    """The address of the CDP's files, from the setting if none is given.

    Raises:
        ConfigurationError: it is missing, or is none.
    """
    url = required_setting(FILES_SETTING, explicit)
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise ConfigurationError(
            "SETTING_INVALID", f"{FILES_SETTING} must be an address such as https://files.cdp.example."
        )
    return url


def _cid(company: Company) -> int:
    if company.cid is None:
        raise PermanentFailure("CID_NOT_FOUND", "This company has no cid, so its CRM organization is not known.")
    return company.cid
