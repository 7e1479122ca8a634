"""What the shared pieces need of a pipeline's services; each pipeline's own class has more."""

from datetime import datetime
from typing import Any, Protocol

from pymongo.database import Database

from cdp_pipelines.resources.alerts import AlertSender
from cdp_pipelines.resources.object_store import ObjectStore
from cdp_pipelines.stores.alert_causes import AlertCauses
from cdp_pipelines.stores.deliveries import Deliveries
from cdp_pipelines.stores.export_queue import ExportQueue


class SharedServices(Protocol):
    """Stores and outside systems of one kind of export, opened when they are used, and the clock."""

    @property
    def database(self) -> Database[dict[str, Any]]:
        """The CDP's database."""

    @property
    def jobs(self) -> ExportQueue:
        """The kind's queue."""

    @property
    def deliveries(self) -> Deliveries:
        """What was sent."""

    @property
    def alert_causes(self) -> AlertCauses:
        """What operators were told of."""

    def now(self) -> datetime:
        """The time, in UTC."""

    def object_store(self) -> ObjectStore:
        """The bucket that files go to."""

    def alerts(self) -> AlertSender:
        """Where operators are alerted."""
