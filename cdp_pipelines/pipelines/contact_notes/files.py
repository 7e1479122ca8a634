"""The files of notes, from the CRM's servers into the CDP's bucket: several at once, none of them whole in memory.

A file that cannot be had is recorded with its code and never holds its note back. The bucket's own failure does: it is
ours to mend, and starting again goes on.
"""

import hashlib
import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import Any, Final, TypeAlias

from cdp_pipelines.domain.contact_notes.attachments import (
    ATTACHMENT_ADDRESS_INVALID,
    ATTACHMENT_DOWNLOAD_FAILED,
    ATTACHMENT_EMPTY,
    ATTACHMENT_SSRF_BLOCKED,
    ATTACHMENT_TOO_LARGE,
    ATTACHMENT_TYPE_MISMATCH,
    ATTACHMENT_TYPES,
    AttachmentType,
    CrmAttachment,
    asset_name,
    attachment_key,
    attachment_type,
    company_folder,
    file_name_of,
    is_attachment_key,
    mismatch,
    stored_content_type,
)
from cdp_pipelines.domain.contact_notes.notes import CrmNote
from cdp_pipelines.domain.contact_notes.transform import attachment_entry, stored_keys
from cdp_pipelines.domain.errors import ConfigurationError
from cdp_pipelines.domain.failures import RowFailure, excerpt
from cdp_pipelines.pipelines.contact_notes.config import ATTACHMENTS_FAILED
from cdp_pipelines.pipelines.migrations.hold import Hold
from cdp_pipelines.pipelines.migrations.services import MigrationServices
from cdp_pipelines.pipelines.migrations.source import Parts
from cdp_pipelines.resources.object_store import ObjectStore
from cdp_pipelines.resources.safe_http import SafeFetcher
from cdp_pipelines.resources.safe_http_errors import AddressInvalid, FetchBlocked, FetchFailed, FetchTooLarge
from cdp_pipelines.stores.contact_notes import ContactNotes

FILES_AT_ONCE: Final = 8
BEAT_SECONDS: Final = 5.0
"""Between two looks at the job while files are on their way: the lease is renewed, and a cancel heeded."""

SWEPT_KEYS: Final = 1_000
STORED: Final = "attachments_stored"
UNCHANGED: Final = "attachments_unchanged"
FAILED: Final = ATTACHMENTS_FAILED
GONE: Final = "attachments_gone"
SIZE_DIFFERS: Final = "attachments_size_differs"
"""Stored, though they have not the size that the CRM says, nor had it when they were asked for again."""

_SOURCE_TAG: Final = "source"
_TYPE: Final = "type"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Carried:
    """A file that is in the bucket, its size in bytes, what it is shown as, and whether it was there before.

    `size_differs`: the CRM says another size, and so it was asked again, to the same effect.
    """

    size_bytes: int
    shown_as: AttachmentType
    unchanged: bool
    size_differs: bool = False


Result: TypeAlias = Carried | RowFailure
Wanted: TypeAlias = tuple[CrmNote, CrmAttachment]


class NoteFiles:
    """Carries the files of one company's notes, on behalf of one request."""

    def __init__(self, services: MigrationServices, documents: ContactNotes, *, request_id: str) -> None:
        self._services = services
        self._documents = documents
        self._request_id = request_id
        self._opened: tuple[SafeFetcher, ObjectStore, ThreadPoolExecutor] | None = None

    def carry(
        self, hold: Hold, notes: Sequence[CrmNote], files_root_url: str, *, dry_run: bool
    ) -> tuple[dict[int, list[dict[str, Any]]], Parts]:
        """Bring all files of these notes into the bucket; the entries of each note, and what became of the files.

        A dry run fetches and checks them, and stores none.

        Raises:
            OwnershipLost, CancelRequested: see `Hold.beat`.
            CdpError: the bucket failed, or a setting is missing.
        """
        wanted = [(note, attachment) for note in notes for attachment in note.attachments]
        entries: dict[int, list[dict[str, Any]]] = {note.id: [] for note in notes}
        parts = Parts()
        if not wanted:
            return entries, parts
        counts: Counter[str] = Counter()
        for (note, attachment), result in zip(wanted, self._all(hold, wanted, dry_run=dry_run), strict=True):
            if isinstance(result, RowFailure):
                counts[FAILED] += 1
                parts.failed.append((result, _evidence(attachment)))
                continue
            counts[UNCHANGED if result.unchanged else STORED] += 1
            if result.size_differs:
                counts[SIZE_DIFFERS] += 1
            entries[note.id].append(self._entry(note, attachment, result, files_root_url))
        parts.counts = dict(counts)
        return entries, parts

    def carry_again(
        self, hold: Hold, parts: Sequence[Mapping[str, Any]], notes: Sequence[CrmNote], files_root_url: str
    ) -> Parts:
        """Bring quarantined files into the bucket and add them to their notes.

        A file that the CRM has no more leaves the quarantine; one whose note is not in the CDP stays in it.
        """
        by_part = {_part_id(note, attachment): (note, attachment) for note in notes for attachment in note.attachments}
        known = {str(part["source_id"]): by_part.get(str(part["source_id"])) for part in parts}
        there = self._documents.present([note.id for note in notes])
        wanted = [found for found in known.values() if found is not None and found[0].id in there]
        again = Parts()
        counts: Counter[str] = Counter({GONE: sum(1 for found in known.values() if found is None)})
        counts[FAILED] -= counts[GONE]
        added = []
        for (note, attachment), result in zip(wanted, self._all(hold, wanted, dry_run=False), strict=True):
            if isinstance(result, RowFailure):
                again.failed.append((result, _evidence(attachment)))
                continue
            counts[STORED] += 1
            counts[FAILED] -= 1
            if result.size_differs:
                counts[SIZE_DIFFERS] += 1
            added.append((note.id, self._entry(note, attachment, result, files_root_url)))
        for part in parts:
            found = known[str(part["source_id"])]
            if found is not None and found[0].id not in there:
                kept = RowFailure(str(part["source_id"]), str(part["reason_code"]), "its note is not in the CDP")
                again.failed.append((kept, _evidence(found[1])))
        self._documents.add_attachments(added)
        again.counts = dict(counts)
        return again

    def close(self) -> None:
        """End the threads; files on their way are waited for. Connections are the resources' to close."""
        if self._opened is not None:
            self._opened[2].shutdown(cancel_futures=True)
            self._opened = None

    def _all(self, hold: Hold, wanted: Sequence[Wanted], *, dry_run: bool) -> list[Result]:
        """What became of each file, in their order."""
        if not wanted:
            return []
        fetcher, store, threads = self._open()

        def carry(note: CrmNote, attachment: CrmAttachment) -> Result:
            return self._one(fetcher, None if dry_run else store, note, attachment)

        return _awaited(hold, [threads.submit(carry, note, attachment) for note, attachment in wanted])

    def _one(self, fetcher: SafeFetcher, store: ObjectStore | None, note: CrmNote, attachment: CrmAttachment) -> Result:
        key = attachment_key(self._documents.company_sso_id, str(note.id), attachment)
        tag = _tag(attachment)
        there = None if store is None else store.facts(key)
        if there is not None and there.metadata.get(_SOURCE_TAG) == tag:
            return Carried(there.size_bytes, _stored_type(there.metadata, attachment), unchanged=True)
        # A CRM that does not know says 0, or less.
        expected = attachment.file_size if attachment.file_size and attachment.file_size > 0 else None
        # Without a name on the disk: a run that is killed leaves nothing behind.
        with TemporaryFile() as file:
            try:
                fetched = fetcher.fetch(attachment.url, file, request_id=self._request_id, expected_bytes=expected)
            except (FetchBlocked, FetchTooLarge, FetchFailed) as exc:
                return RowFailure(_part_id(note, attachment), _CODES[type(exc)], exc.message)
            if not fetched.size_bytes:
                return RowFailure(_part_id(note, attachment), ATTACHMENT_EMPTY, "the file has no bytes")
            problem = mismatch(fetched.head, attachment, fetched.content_type)
            if problem is not None:
                return RowFailure(_part_id(note, attachment), ATTACHMENT_TYPE_MISMATCH, problem)
            shown_as = attachment_type(attachment, fetched.head)
            if store is not None:
                store.put_stream(
                    body=file,
                    key=key,
                    content_type=stored_content_type(attachment, fetched.head),
                    download_name=file_name_of(attachment),
                    request_id=self._request_id,
                    metadata={_SOURCE_TAG: tag, "sha256": fetched.sha256, _TYPE: shown_as},
                )
        differs = expected is not None and not fetched.has_size(expected)
        if differs:
            _log.warning(
                "%s has %d bytes, but %d in the CRM; request_id=%s", key, fetched.size_bytes, expected, self._request_id
            )
        return Carried(fetched.size_bytes, shown_as, unchanged=False, size_differs=differs)

    def _entry(self, note: CrmNote, attachment: CrmAttachment, carried: Carried, files_root_url: str) -> dict[str, Any]:
        company = self._documents.company_sso_id
        return attachment_entry(company, note.id, attachment, carried.size_bytes, files_root_url, carried.shown_as)

    def _open(self) -> tuple[SafeFetcher, ObjectStore, ThreadPoolExecutor]:
        if self._opened is None:
            fetcher, store = self._services.attachment_fetcher(), self._services.object_store()
            threads = ThreadPoolExecutor(max_workers=FILES_AT_ONCE, thread_name_prefix="note-files")
            self._opened = fetcher, store, threads
        return self._opened


_CODES: Final[Mapping[type, str]] = {
    AddressInvalid: ATTACHMENT_ADDRESS_INVALID,
    FetchBlocked: ATTACHMENT_SSRF_BLOCKED,
    FetchTooLarge: ATTACHMENT_TOO_LARGE,
    FetchFailed: ATTACHMENT_DOWNLOAD_FAILED,
}


def delete_files(services: MigrationServices, company_sso_id: str, documents: Sequence[Mapping[str, Any]]) -> None:
    """Remove the files of some notes from the bucket; the bucket is not opened for notes without any."""
    keys = stored_keys(company_sso_id, documents)
    if keys:
        services.object_store().delete_many(keys)


def sweep_files(services: MigrationServices, company_sso_id: str) -> None:
    """Remove what a run stored for notes that it did not come to write. Told by key and by what it was stored with."""
    try:
        store = services.object_store()
    except ConfigurationError:
        # Without a bucket nothing was stored.
        return
    after = ""
    while keys := store.list_keys(company_folder(company_sso_id), limit=SWEPT_KEYS, after=after):
        ours = [key for key in keys if is_attachment_key(company_sso_id, key)]
        facts = {key: store.facts(key) for key in ours}
        store.delete_many([key for key, each in facts.items() if each is not None and _SOURCE_TAG in each.metadata])
        after = keys[-1]


def _awaited(hold: Hold, futures: Sequence[Future[Result]]) -> list[Result]:
    """The results in order; the job is looked at meanwhile, and what has not begun is dropped when it must stop."""
    results: list[Result] = []
    looked = time.monotonic()
    try:
        for future in futures:
            while not wait([future], timeout=BEAT_SECONDS).done or time.monotonic() - looked >= BEAT_SECONDS:
                hold.beat()
                looked = time.monotonic()
            results.append(future.result())
    except BaseException:
        for future in futures:
            future.cancel()
        raise
    return results


def _part_id(note: CrmNote, attachment: CrmAttachment) -> str:
    return f"{note.id}/{asset_name(attachment)}"


def _stored_type(metadata: Mapping[str, str], attachment: CrmAttachment) -> AttachmentType:
    """As it was when the file was at hand; files that were stored before that was kept go by what is declared."""
    return next((each for each in ATTACHMENT_TYPES if each == metadata.get(_TYPE)), attachment_type(attachment))


def _tag(attachment: CrmAttachment) -> str:
    """Says what a stored file was made from: the CRM never changes what stands at an address."""
    facts = (attachment.url, attachment.content_type, attachment.file_size)
    return hashlib.blake2b(repr(facts).encode("utf-8", "replace"), digest_size=16).hexdigest()


def _evidence(attachment: CrmAttachment) -> Mapping[str, Any]:
    return {
        "table": attachment.source,
        "attachment_id": attachment.id,
        "url": excerpt(attachment.url),
        "content_type": excerpt(attachment.content_type),
        "file_size": attachment.file_size,
    }
