"""`export_schedules`: the recurring entity exports of each company, and putting their requests into the queue (SPEC 4).

{_id, company_sso_id, name, exported_object, parameters, template?, cron, timezone, user_sso_id, email?, locale?,
 webhook?, enabled, next_run_at, last_run_at, last_slot, last_export_id, missed, error, created_at, updated_at}

`missed` counts slots that were left out because nothing looked in time; `error` says why a schedule was switched off.
`refused` counts the exports that were refused in a row, `refused_id` is the last of them. Whoever a schedule that was
switched off would have told of its exports is told of that: it asks for one more, which is refused for it.
A slot makes one request however many look and whoever is killed: the request's id is derived from schedule and slot,
so inserting it again changes nothing, and only then `next_run_at` moves on, if it is still what was read.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, cast

from bson import ObjectId
from pymongo import ReturnDocument
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from cdp_pipelines.domain.entity_export.schedules import (
    MOST_REFUSALS,
    SCHEDULE_INVALID,
    DueSlot,
    ScheduleDraft,
    due_slot,
    export_id,
    faulty_request,
    next_slot,
    read_cadence,
    refused_too_often,
    request_of,
)
from cdp_pipelines.domain.entity_export.templates import name_problem
from cdp_pipelines.domain.errors import PermanentFailure
from cdp_pipelines.stores.documents import Found, Unreadable, as_bytes, read_each, readable_options
from cdp_pipelines.stores.errors import translating, waiting_out_outages

Document = dict[str, Any]
Documents = list[Document]

MOST_IDS_OF_A_SLOT: Final = 5
FARTHEST_DAYS: Final = 366
"""Whoever waits longer is asked whether the expression says so."""


class ExportSchedules:
    """The schedules of one company for people, those of all for the sensor that fires them."""

    def __init__(self, database: Database[Document]) -> None:
        self._schedules = database["export_schedules"]
        self._exports = database["exports"]

    @waiting_out_outages
    def save(self, company_sso_id: str, draft: ScheduleDraft, *, now: datetime) -> Document:
        """Keep a schedule; one of the same name is replaced.

        It first runs at its next time after now. A slot that is due already stays due where cron and zone are the same.

        Raises:
            PermanentFailure: `invalid_export_schedule` or `schedule_too_frequent`.
        """
        problem = name_problem(draft.name)
        if problem is not None:
            raise PermanentFailure(SCHEDULE_INVALID, problem, details={"field": "name"})
        cadence = read_cadence(draft.cron, draft.timezone)
        with translating("saving an export schedule"):
            before = self._schedules.find_one({"company_sso_id": company_sso_id, "name": draft.name})
            values = _values(draft) | {"cron": cadence.cron, "timezone": cadence.zone.key, "updated_at": now}
            if before is None or any(before.get(key) != values[key] for key in ("cron", "timezone", "enabled")):
                values |= {"next_run_at": next_slot(cadence, now), "error": None, "refused": 0}
            try:
                return self._upsert(company_sso_id, draft.name, values, now)
            except DuplicateKeyError:
                # Another made it in between, so now there is one to change.
                return self._upsert(company_sso_id, draft.name, values, now)

    def _upsert(self, company_sso_id: str, name: str, values: Document, now: datetime) -> Document:
        kept = {key: value for key, value in values.items() if value is not None or key == "error"}
        gone = {key: "" for key in values if key not in kept}
        first = {
            "_id": schedule_id(company_sso_id, name),
            "created_at": now,
            **dict.fromkeys(("last_run_at", "last_slot", "last_export_id")),
            "missed": 0,
        }
        saved = self._schedules.find_one_and_update(
            {"company_sso_id": company_sso_id, "name": name},
            {"$set": kept, "$setOnInsert": first, **({"$unset": gone} if gone else {})},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        return cast(Document, saved)

    @waiting_out_outages
    def find(self, company_sso_id: str, name: str) -> Document | None:
        """The company's schedule of this name."""
        with translating("reading an export schedule"):
            return self._schedules.find_one({"company_sso_id": company_sso_id, "name": name})

    @waiting_out_outages
    def list(self, company_sso_id: str) -> Documents:
        """The company's schedules by name."""
        with translating("reading export schedules"):
            found = as_bytes(self._schedules).find({"company_sso_id": company_sso_id}).sort([("name", 1)])
            return read_each(found, readable_options(self._schedules))

    def remove(self, company_sso_id: str, name: str) -> bool:
        """Remove a schedule; False when there was none. Exports that it made go on."""
        # Looked for first: a delete that is tried again after a lost answer finds nothing any more.
        if self.find(company_sso_id, name) is None:
            return False
        self._remove(company_sso_id, name)
        return True

    @waiting_out_outages
    def _remove(self, company_sso_id: str, name: str) -> None:
        with translating("removing an export schedule"):
            self._schedules.delete_one({"company_sso_id": company_sso_id, "name": name})

    @waiting_out_outages
    def set_enabled(self, company_sso_id: str, name: str, *, enabled: bool, now: datetime) -> bool:
        """Switch a schedule on or off; False when there is none. Switched on, it runs at its next time after now.

        Raises:
            PermanentFailure: as `save`, if what stands in the document is wrong.
        """
        with translating("switching an export schedule"):
            schedule = self._schedules.find_one({"company_sso_id": company_sso_id, "name": name})
            if schedule is None:
                return False
            changes: Document = {"enabled": enabled, "updated_at": now}
            if enabled and schedule.get("enabled") is not True:
                cadence = read_cadence(schedule.get("cron"), schedule.get("timezone"))
                changes |= {"next_run_at": next_slot(cadence, now), "error": None, "refused": 0}
            scope = {"_id": schedule["_id"], "company_sso_id": company_sso_id}
            return self._schedules.update_one(scope, {"$set": changes}).matched_count == 1

    @waiting_out_outages
    def due(self, now: datetime, limit: int) -> Found:
        """Schedules of all companies whose time has come, the longest overdue first."""
        with translating("looking for due export schedules"):
            due = as_bytes(self._schedules).find({"enabled": True, "next_run_at": {"$lte": now}})
            found = due.sort([("next_run_at", 1), ("_id", 1)]).limit(limit)
            return read_each(found, readable_options(self._schedules))

    def fire(self, schedule: Document, *, now: datetime) -> str | None:
        """Put the request of a due schedule's newest slot into the queue, and have it wait for the next one.

        Returns the export's id; None when this schedule cannot run and was switched off, with the reason on it.
        """
        try:
            if not isinstance(schedule.get("company_sso_id"), str):
                raise PermanentFailure(SCHEDULE_INVALID, "The schedule is no company's.", details={})
            cadence = read_cadence(schedule.get("cron"), schedule.get("timezone"))
            due = due_slot(cadence, schedule["next_run_at"], now=now)
        except PermanentFailure as exc:
            self.give_up(schedule, exc, now=now)
            return None
        request = self._enqueued(schedule, due, now=now)
        self.advance(schedule, due, request["id"], now=now)
        return str(request["id"])

    def _enqueued(self, schedule: Document, due: DueSlot, *, now: datetime) -> Document:
        """The slot's request, which is in the queue now.

        Its id can be foretold, so another's document may have it; then the next one of the slot is taken.
        """
        for again in range(MOST_IDS_OF_A_SLOT):
            request = request_of(schedule, due.slot, now=now, again=again)
            if self.enqueue(request) or self._is_there(request):
                return request
        raise PermanentFailure(SCHEDULE_INVALID, "Others hold the ids of this schedule's exports.", details={})

    @waiting_out_outages
    def _is_there(self, request: Document) -> bool:
        """Whether the request that is in the queue under this id is the schedule's own."""
        own = {name: request[name] for name in ("id", "company_sso_id", "schedule_id")}
        with translating("looking for a scheduled export"):
            return self._exports.find_one(own, {"_id": 1}) is not None

    @waiting_out_outages
    def set_aside(self, found: Unreadable, *, now: datetime) -> None:
        """Switch off a schedule that cannot be read, by the bytes of its `_id`."""
        message = "The schedule cannot be read: it holds bytes that are no text. Remove it, and add it again."
        error = {"code": "DOCUMENT_UNREADABLE", "message": message, "details": {}}
        with translating("switching off an export schedule"):
            self._schedules.update_one(
                {"$and": [found.identity, {"enabled": True}]},
                {"$set": {"enabled": False, "error": error, "updated_at": now}},
            )

    @waiting_out_outages
    def waiting_for_nothing(self, now: datetime, limit: int) -> Found:
        """Schedules that `due` never finds though nobody switched them off: what they wait for is no time, or beyond
        all that a schedule waits for, or whether they are on is not said."""
        never: Documents = [
            {"enabled": True, "next_run_at": {"$not": {"$type": "date"}}},
            {"enabled": True, "next_run_at": {"$gt": now + timedelta(days=FARTHEST_DAYS)}},
            {"enabled": {"$not": {"$type": "bool"}}},
        ]
        with translating("looking for export schedules that wait for nothing"):
            found = as_bytes(self._schedules).find({"$or": never}).sort([("_id", 1)]).limit(limit)
            return read_each(found, readable_options(self._schedules))

    def mend(self, schedule: Document, *, now: datetime) -> bool:
        """Have such a schedule wait for its next time; False when it cannot run and was switched off for it."""
        try:
            if schedule.get("enabled") is not True:
                raise PermanentFailure(SCHEDULE_INVALID, "enabled must be true or false.", details={"field": "enabled"})
            upcoming = next_slot(read_cadence(schedule.get("cron"), schedule.get("timezone")), now)
        except PermanentFailure as exc:
            self.give_up(schedule, exc, now=now)
            return False
        waits_for = schedule.get("next_run_at")
        # Some expressions come true in years alone, and then that is what it waits for.
        if not isinstance(waits_for, datetime) or waits_for > upcoming:
            self._wait_for(schedule, upcoming)
        return True

    @waiting_out_outages
    def _wait_for(self, schedule: Document, upcoming: datetime) -> None:
        with translating("mending an export schedule"):
            self._schedules.update_one(_as_read(schedule), {"$set": {"next_run_at": upcoming}})

    def give_up(self, schedule: Document, failure: PermanentFailure, *, now: datetime) -> None:
        """Switch a schedule off that cannot run, and ask for an export that is refused for it: so its owner is told."""
        if isinstance(schedule.get("company_sso_id"), str) and (schedule.get("email") or schedule.get("webhook")):
            # Before it is switched off, and under an id that says of which state: once, whoever is killed.
            slot = schedule.get("next_run_at")
            state = f"{schedule['_id']}:{schedule.get('updated_at')}:{slot!r}"
            request = request_of(schedule, slot if isinstance(slot, datetime) else now, now=now)
            self.enqueue(request | faulty_request(state, failure))
        self.switch_off(schedule, failure, now=now)

    @waiting_out_outages
    def note_refusal(self, request: Document, *, now: datetime) -> bool:
        """Count a refused request of a schedule; True when by this one the schedule is switched off.

        Asked again about the same request, it answers the same.
        """
        slot, request_id = request.get("scheduled_for"), request.get("id")
        if not isinstance(slot, datetime) or request_id not in _ids_of(request.get("schedule_id"), slot):
            return False  # Not made by the schedule that it names.
        scope = {"_id": request["schedule_id"], "company_sso_id": request.get("company_sso_id")}
        with translating("counting a refused export"):
            schedule = self._schedules.find_one(scope)
            if schedule is None:
                return False
            count = schedule.get("refused")
            count = count if isinstance(count, int) and not isinstance(count, bool) else 0
            if schedule.get("refused_id") != request_id:
                count += 1
                self._schedules.update_one(scope, {"$set": {"refused": count, "refused_id": request_id}})
            if count >= MOST_REFUSALS:
                failure = refused_too_often()
                self._schedules.update_one(
                    {**scope, "enabled": True},
                    {"$set": {"enabled": False, "error": _error(failure), "updated_at": now}},
                )
            return count == MOST_REFUSALS

    @waiting_out_outages
    def note_admission(self, request: Document) -> None:
        """A request of a schedule may run: what was refused before it does not count any more."""
        scope = {"_id": request.get("schedule_id"), "company_sso_id": request.get("company_sso_id")}
        with translating("counting refused exports"):
            self._schedules.update_one({**scope, "refused": {"$exists": True, "$ne": 0}}, {"$set": {"refused": 0}})

    @waiting_out_outages
    def enqueue(self, request: Document) -> bool:
        """Put a schedule's request into `exports`; False when it is there already, in whatever state."""
        # `_id` too is derived, so it is unique whatever indexes there are.
        document = {"_id": ObjectId(str(request["id"]).removeprefix("exp_")), **request}
        with translating("queueing a scheduled export"):
            try:
                self._exports.insert_one(document)
            except DuplicateKeyError:
                return False
        return True

    @waiting_out_outages
    def advance(self, schedule: Document, due: DueSlot, export_id: str, *, now: datetime) -> bool:
        """Have the schedule, as it was read, wait for its next slot; False when another did, or it was changed."""
        with translating("moving an export schedule on"):
            moved = self._schedules.update_one(
                _as_read(schedule),
                {
                    "$set": {
                        "next_run_at": due.next_run_at,
                        "last_run_at": now,
                        "last_slot": due.slot,
                        "last_export_id": export_id,
                    },
                    "$inc": {"missed": due.skipped},
                },
            )
        return moved.modified_count == 1

    @waiting_out_outages
    def switch_off(self, schedule: Document, failure: PermanentFailure, *, now: datetime) -> bool:
        """Switch off a schedule that cannot run, with the reason; False when it was changed since it was read."""
        with translating("switching off an export schedule"):
            off = self._schedules.update_one(
                _as_read(schedule), {"$set": {"enabled": False, "error": _error(failure), "updated_at": now}}
            )
        return off.modified_count == 1


def schedule_id(company_sso_id: str, name: str) -> str:
    """`sch_` and 24 hex digits, always the same for a company and a name."""
    # Lengths first, so that no two pairs run together into one text.
    identity = f"{len(company_sso_id)}:{company_sso_id}:{name}"
    return "sch_" + hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _ids_of(schedule: object, slot: datetime) -> Sequence[str]:
    """The ids that the request of a slot may have."""
    return [export_id(str(schedule), slot, again=again) for again in range(MOST_IDS_OF_A_SLOT)]


def _values(draft: ScheduleDraft) -> Document:
    return {
        "exported_object": draft.exported_object,
        "parameters": dict(draft.parameters),
        "template": draft.template,
        "user_sso_id": draft.user_sso_id,
        "email": draft.email,
        "locale": draft.locale,
        "webhook": dict(draft.webhook) if draft.webhook is not None else None,
        "enabled": draft.enabled,
    }


def _as_read(schedule: Document) -> Document:
    """Leads to the schedule as long as nobody changed it; what stands in it may be of any type."""
    read = ("company_sso_id", "enabled", "next_run_at")
    same = {name: {"$eq": schedule[name]} if name in schedule else {"$exists": False} for name in read}
    return {"_id": schedule["_id"], **same}


def _error(failure: PermanentFailure) -> Document:
    return {"code": failure.code, "message": failure.message, "details": failure.details}
