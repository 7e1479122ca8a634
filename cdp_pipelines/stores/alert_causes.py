"""`alert_causes`: one alert a cause, not one a tick; and the alerts that nobody has been told of yet.

    {_id: cause, state, text, request_id, tries, try_at, begun_by, at, expires_at}

`state` is `telling` (its first sender is at it, or has died at it), `untold` (it was not delivered) or `told`, when
text and request are gone; a document without it is one of an earlier version, and told. A cause that is not told is
tried again from `try_at` on, for as long as it is remembered. Texts hold ids and counts, nothing personal.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from pymongo import ReturnDocument
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from cdp_pipelines.stores.errors import this_call, translating, waiting_out_outages

Document = dict[str, Any]

REMEMBERED_DAYS: Final = 7
SENDING_SECONDS: Final = 60
"""Longer than one sending can take: until then nobody else sends the same alert."""

TOLD: Final = "told"
_TELLING: Final = "telling"
_UNTOLD: Final = "untold"


class AlertCauses:
    """Remembers which causes were alerted, and which are to be."""

    def __init__(self, database: Database[Document]) -> None:
        self._causes = database["alert_causes"]

    @waiting_out_outages
    def first_time(self, cause: str, *, now: datetime, text: str = "", request_id: str = "") -> bool:
        """Keep an alert before it is sent; True for exactly one caller a cause within a week, who then sends it."""
        document: Document = {
            "_id": cause,
            "state": _TELLING,
            "text": text,
            "request_id": request_id,
            "tries": 1,
            "try_at": now + timedelta(seconds=SENDING_SECONDS),
            "begun_by": this_call(),
            "at": now,
            "expires_at": _forgotten(now),
        }
        with translating("remembering an alert"):
            try:
                self._causes.insert_one(document)
            except DuplicateKeyError:
                # Or by an earlier try of this call, whose answer was lost: nothing was sent then.
                mine = {"_id": cause, "begun_by": document["begun_by"]}
                return self._causes.find_one(mine, {"_id": 1}) is not None
        return True

    @waiting_out_outages
    def told(self, cause: str, *, now: datetime) -> None:
        """It was delivered, or there is nobody to deliver it to."""
        gone = dict.fromkeys(("text", "request_id", "try_at", "begun_by"), "")
        with translating("remembering an alert"):
            self._causes.update_one(
                {"_id": cause}, {"$set": {"state": TOLD, "at": now, "expires_at": _forgotten(now)}, "$unset": gone}
            )

    @waiting_out_outages
    def not_told(self, cause: str, *, now: datetime) -> None:
        """It was not delivered; whoever sweeps next may try."""
        with translating("remembering an alert"):
            self._causes.update_one({"_id": cause, "state": {"$ne": TOLD}}, {"$set": {"state": _UNTOLD, "try_at": now}})

    @waiting_out_outages
    def take_untold(self, *, now: datetime) -> Document | None:
        """Take the alert that has waited longest for its next try; nobody else is given it for `SENDING_SECONDS`."""
        token = this_call()
        with translating("looking for untold alerts"):
            taken = self._causes.find_one_and_update(
                {"try_at": {"$lte": now}, "state": {"$ne": TOLD}},
                {
                    "$set": {"begun_by": token, "try_at": now + timedelta(seconds=SENDING_SECONDS)},
                    "$inc": {"tries": 1},
                },
                sort=[("try_at", 1)],
                return_document=ReturnDocument.AFTER,
            )
            # Or taken by an earlier try of this call, whose answer was lost.
            return taken or self._causes.find_one({"try_at": {"$gt": now}, "begun_by": token})


def _forgotten(now: datetime) -> datetime:
    return now + timedelta(days=REMEMBERED_DAYS)
