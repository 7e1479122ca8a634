"""`deliveries`: what was sent to people, recorded before it is sent, so that a crash cannot send it twice.

`{_id: "{job_id}:{channel}", kind, job_id, company_sso_id, channel, variant, state, error_code?, tries, at, expires_at}`
with one of these states. One document a job and channel, so a job has one email whatever its variant.

| state | says | may be begun again |
|---|---|---|
| `sending` | begun; if nobody ends it, it may have gone out | no |
| `sent` | the other side took it | no |
| `unknown` | the other side may have taken it | no |
| `switched_off` | nobody is told on this channel | no |
| `failed` | a channel that is tried once had no success | no |
| `not_sent` | the other side surely did not take it | yes |
| `given_up` | all tries were spent | no |
"""

from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from cdp_pipelines.stores.errors import this_call, translating, waiting_out_outages

Channel: TypeAlias = Literal["email", "notification", "history", "webhook"]
EndState: TypeAlias = Literal["sent", "switched_off", "unknown", "not_sent", "failed", "given_up"]
Document = dict[str, Any]

KEPT_DAYS: Final = 8
"""A day longer than the job it guards."""
STALE_SECONDS: Final = 300
"""Longer than all tries of one sending can take."""


class Deliveries:
    """The deliveries of any job; ids are made of the job's id, which is unique across companies.

    `kind` keeps one kind of export from repeating the emails of another; contact exports have none.
    """

    def __init__(self, database: Database[Document], kind: str | None = None) -> None:
        self._kind = kind
        self._deliveries = database["deliveries"]

    @waiting_out_outages
    def begin(self, job_id: str, company_sso_id: str, channel: Channel, variant: str, *, now: datetime) -> bool:
        """Record the intent to send; False when it was sent, or may have been. Only then may the caller not send."""
        delivery_id, begun_by = f"{job_id}:{channel}", this_call()
        document: Document = {
            "kind": self._kind,
            "job_id": job_id,
            "company_sso_id": company_sso_id,
            "channel": channel,
            "variant": variant,
            "state": "sending",
            "begun_by": begun_by,
            "at": now,
            "expires_at": now + timedelta(days=KEPT_DAYS),
        }
        with translating("recording a delivery"):
            try:
                self._deliveries.insert_one({"_id": delivery_id, "tries": 1, **document})
                return True
            except DuplicateKeyError:
                again = self._deliveries.find_one_and_update(
                    {"_id": delivery_id, "state": "not_sent"}, {"$set": document, "$inc": {"tries": 1}}
                )
                if again is not None:
                    return True
                # Or begun by an earlier try of this call, whose answer was lost: nothing was sent then.
                return self._deliveries.find_one({"_id": delivery_id, "begun_by": begun_by}, {"_id": 1}) is not None

    @waiting_out_outages
    def mark(self, job_id: str, channel: Channel, state: EndState, *, error_code: str = "") -> None:
        """Record how the sending ended."""
        with translating("recording a delivery"):
            self._deliveries.update_one(
                {"_id": f"{job_id}:{channel}"}, {"$set": {"state": state, "error_code": error_code}}
            )

    @waiting_out_outages
    def reopen(self, job_id: str, channel: Channel, *, now: datetime) -> None:
        """Let one be begun anew that was begun `STALE_SECONDS` ago and never ended; for receivers who can tell."""
        with translating("recording a delivery"):
            self._deliveries.update_one(
                {
                    "_id": f"{job_id}:{channel}",
                    "state": "sending",
                    "at": {"$lte": now - timedelta(seconds=STALE_SECONDS)},
                },
                {"$set": {"state": "not_sent"}},
            )

    @waiting_out_outages
    def find(self, job_id: str, channel: Channel) -> Document | None:
        """The delivery's record, if there is one."""
        with translating("reading a delivery"):
            return self._deliveries.find_one({"_id": f"{job_id}:{channel}"})

    @waiting_out_outages
    def unsent_failure_emails(self, *, before: datetime, most_tries: int, limit: int) -> list[Document]:
        """Failure emails that the mail server surely did not take, last tried before this instant."""
        with translating("looking for unsent emails"):
            return list(
                self._deliveries.find(
                    {
                        "kind": self._kind,
                        "channel": "email",
                        "state": "not_sent",
                        "variant": "failed",
                        "tries": {"$lt": most_tries},
                        "at": {"$lte": before},
                    }
                ).limit(limit)
            )
