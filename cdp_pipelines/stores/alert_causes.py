"""`alert_causes`: one alert a cause, not one a tick."""

from datetime import datetime, timedelta
from typing import Any, Final

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from cdp_pipelines.stores.errors import translating

REMEMBERED_DAYS: Final = 7


class AlertCauses:
    """Remembers which causes were alerted."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._causes = database["alert_causes"]

    def first_time(self, cause: str, *, now: datetime) -> bool:
        """True for exactly one caller a cause within a week."""
        with translating("remembering an alert"):
            try:
                self._causes.insert_one({"_id": cause, "at": now, "expires_at": now + timedelta(days=REMEMBERED_DAYS)})
            except DuplicateKeyError:
                return False
        return True
