"""Taking requests in, for every queue of exports: nothing that a document brings is believed (SPEC 2).

Belongs here: the record of what was asked, joining it with what the pipeline has written since, whose an object key is,
and ending documents that were never taken in or cannot be read. Not here: the state machine (`export_queue.py`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pymongo.database import Database

from cdp_pipelines.domain.admission import Rejected
from cdp_pipelines.domain.object_keys import KeyOwner, request_mark
from cdp_pipelines.stores.documents import UNREADABLE, Unreadable, as_bytes, read_one, readable_options
from cdp_pipelines.stores.errors import translating, waiting_out_outages
from cdp_pipelines.stores.queue_shape import QueueShape, not_one_of
from cdp_pipelines.stores.request_intake import RequestIntake

Document = dict[str, Any]


class TakenRequests:
    """A queue's requests as they were taken in."""

    def __init__(self, database: Database[Document], shape: QueueShape) -> None:
        self.shape = shape
        self._jobs = database[shape.collection]
        self._raw = as_bytes(self._jobs)
        self._options = readable_options(self._jobs)
        self.intake = RequestIntake(database, shape.collection, kept_days=shape.kept_days)

    def take_in(self, document_id: object, *, now: datetime) -> Document | Rejected | None:
        """Take a claimed request in: wipe what it brought in fields of ours, and keep what it says as a snapshot.

        The request to work from. A request that was taken in before stands as it was then, whatever was edited since.
        None: it is gone. Refused: it cannot be read, or its id was used before, by another document or by itself.
        """
        document = self._read({"_id": document_id, **self.shape.scope})
        if document is None:
            return None
        if isinstance(document, Unreadable):
            return UNREADABLE
        request_id = document.get(self.shape.id_field)
        record = self.intake.of(document, request_id)
        if record is None:
            # First, so that a record means that it is done.
            self._wipe(document, now=now)
            record = self.intake.record(document, request_id, self.shape.fields.snapshot(document), now=now)
            document = {name: value for name, value in document.items() if name not in self.shape.fields.ours}
        if record["ref"] != self.intake.ref(document) or record.get("ended_at") is not None:
            return self._id_was_used(record)
        return self._joined(document, record)

    @waiting_out_outages
    def _wipe(self, document: Document, *, now: datetime) -> None:
        fields = self.shape.fields
        gone = [name for name in fields.brought(document) if name not in fields.neutral and name != "updated_at"]
        neutral = {name: value for name, value in fields.neutral.items() if name in document}
        changes: Document = {"$set": {**neutral, "updated_at": now}}
        with translating("taking a request in"):
            self._jobs.update_one(
                self._unbegun(document["_id"]), {**changes, **({"$unset": dict.fromkeys(gone, "")} if gone else {})}
            )

    def _id_was_used(self, record: Mapping[str, Any]) -> Rejected:
        name = self.shape.id_field
        ended = record.get("ended_as")
        what = f"it ended as {ended}" if isinstance(ended, str) else "by another document"
        return Rejected(
            "REQUEST_ID_USED",
            409,
            f"The {name} of this request was used before: {what}. Ask again with a new document and a new {name}.",
            {"field": name},
        )

    @waiting_out_outages
    def _read(self, query: Mapping[str, Any], fields: Mapping[str, int] | None = None) -> Document | Unreadable | None:
        with translating("reading an export job"):
            raw = self._raw.find_one(query, fields)
        return read_one(raw, self._options) if raw is not None else None

    def _as_it_stands(self, query: Mapping[str, Any], fields: Mapping[str, int] | None = None) -> Document | None:
        read = self._read(query, fields)
        return None if isinstance(read, Unreadable) else read

    def _joined(self, document: Document, record: Mapping[str, Any]) -> Document:
        """What was asked, with what the pipeline has written since."""
        joined = self.shape.fields.joined(document, record["request"])
        joined.pop("attempt", None)
        identity = {self.shape.id_field: record["request_id"], "company_sso_id": record["company_sso_id"]}
        attempt = {"attempt": record["attempt"]} if record["attempt"] else {}
        return {**joined, **record.get("read_as", {}), **identity, **attempt}

    def taken_in(self, documents: Sequence[Document], *, whole: bool = False) -> list[Document | None]:
        """Each of these as it was taken in, with what the pipeline has written since; None for what never was.

        Unless they are to be whole, without what is too large to read when watching many.
        """
        without = () if whole else self.shape.unwatched
        records = self.intake.of_each(documents, self.shape.id_field, without=without)
        found = [records.get(self.intake.ref(document)) for document in documents]
        return [
            self._joined(document, record) if record is not None else None
            for document, record in zip(documents, found, strict=True)
        ]

    def keep(self, document: Mapping[str, Any], **facts: object) -> None:
        """Keep what the request came to once it was read: no later edit of the document changes it."""
        self.intake.keep(self.intake.ref(document), facts)

    def key_owner(self, document: Mapping[str, Any]) -> KeyOwner:
        """For whom keys are made, when they are made for this request."""
        company = str(document["company_sso_id"])
        return KeyOwner(self.shape.folder(company), request_mark(company, self.intake.ref(document)))

    def own_files(self, document: Mapping[str, Any]) -> list[str]:
        """The object keys of the request's files, without any that was not made for it."""
        keys = self.shape.files(document)
        owner = self.key_owner(document) if keys else None
        return [key for key in keys if owner is not None and owner.owns(key)]

    @waiting_out_outages
    def set_aside(self, found: Unreadable, rejected: Rejected, *, now: datetime) -> bool:
        """End a document that cannot be read, by the bytes of its `_id`; False when it had ended."""
        begun = {"$and": [found.identity, {**self.shape.scope, "status": {"$nin": list(self.shape.terminal)}}]}
        changes = {"status": self.shape.rejected, "error": rejected.as_document(), "ended_at": now, "updated_at": now}
        with translating("setting a document aside"):
            ended = self._jobs.update_one(
                begun, {"$set": {**changes, "expires_at": now + timedelta(days=self.shape.kept_days)}}
            )
        return ended.modified_count == 1

    @waiting_out_outages
    def never_taken_in(self, document: Mapping[str, Any], rejected: Rejected, *, now: datetime) -> None:
        """End a document as refused that says it is at work, and wipe what is ours of it: nobody took it in.

        One that says it has ended stays as it is, but for what would have somebody do something about it.
        """
        fields = self.shape.fields
        gone = dict.fromkeys([name for name in fields.brought(document) if name not in {"updated_at", "error"}], "")
        scope = {"_id": document["_id"], **self.shape.scope}
        with translating("refusing a document"):
            if document.get("status") in self.shape.terminal:
                dead = {name: "" for name in gone if name in self.shape.work_left}
                if dead:
                    self._jobs.update_one(scope, {"$unset": dead})
                return
            gone.pop("ended_at", None)
            gone.pop("expires_at", None)
            ended = {"status": self.shape.rejected, "error": rejected.as_document(), "ended_at": now, "updated_at": now}
            ended["expires_at"] = now + timedelta(days=self.shape.kept_days)
            self._jobs.update_one(scope, {"$set": ended, **({"$unset": gone} if gone else {})})

    def _one(self, job_id: str, company_sso_id: str) -> Document:
        """Leads to one company's job."""
        return {**self.shape.scope, self.shape.id_field: job_id, "company_sso_id": company_sso_id}

    def _whosever(self, job_id: str, company_sso_id: str | None) -> Document:
        """Leads to one job, for commands that may act without naming its company."""
        if company_sso_id is not None:
            return self._one(job_id, company_sso_id)
        return {**self.shape.scope, self.shape.id_field: job_id}

    def _unbegun(self, document_id: object) -> Document:
        """Leads to a request that no run works on and that has not ended, also one whose status is none that exists."""
        # A list is no status, so it is unbegun whatever is in it.
        unbegun = not_one_of([*self.shape.terminal, self.shape.working])
        return {"_id": document_id, **self.shape.scope, "$and": [unbegun]}
