"""A page of CRM notes becomes outcomes: the pure steps of `domain/contact_notes` with their lookups between.

The same code serves migrating, reconciling and replaying, so that they cannot disagree.
"""

from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from functools import cached_property
from typing import Any

from cdp_pipelines.domain.companies import Company
from cdp_pipelines.domain.contact_notes.comparison import compare, mending
from cdp_pipelines.domain.contact_notes.notes import CrmNote
from cdp_pipelines.domain.contact_notes.owners import known_owners, owner_of
from cdp_pipelines.domain.contact_notes.transform import ALREADY_PRESENT, describe, in_scope
from cdp_pipelines.domain.failures import excerpt
from cdp_pipelines.domain.outcomes import Outcome, Ready, Skipped
from cdp_pipelines.domain.reconciliation import Tally, Verdict
from cdp_pipelines.pipelines.contact_notes.config import note_types
from cdp_pipelines.pipelines.contact_notes.files import NoteFiles
from cdp_pipelines.pipelines.migrations.hold import Hold
from cdp_pipelines.pipelines.migrations.services import MigrationServices
from cdp_pipelines.pipelines.migrations.source import MigrationSource, Overview, Parts
from cdp_pipelines.pipelines.migrations.users import UserDirectory
from cdp_pipelines.stores.contact_links import ContactLinks
from cdp_pipelines.stores.contact_notes import ContactNotes


class NoteSource(MigrationSource):
    """One company's notes and how they are read; see `migrations.source.MigrationSource`."""

    def __init__(self, services: MigrationServices, company: Company, request_id: object) -> None:
        request = str(request_id or "")
        self.company_sso_id = company.company_sso_id
        self.documents: ContactNotes = ContactNotes(services.database, company.company_sso_id)
        self.contacts = ContactLinks(services.database, company.company_sso_id)
        self._services = services
        self._types = note_types()
        self._crm = services.crm(company)
        self._notes = services.crm_notes(company, request_id=request)
        self._users = UserDirectory(
            self._crm.users,
            lambda: services.launchpad(company.company_sso_id, request_id=request),
            memory=services.user_memory,
        )
        self._files = NoteFiles(services, self.documents, request_id=request)

    def overview(self, job: Mapping[str, Any], *, after: int = 0) -> Overview:
        """See `MigrationSource.overview`. The job keeps the types that are in scope."""
        found = self._notes.overview(job["options"]["date_range_start"], after=after)
        return Overview(found.total, found.first_id, found.last_id, {"note_types": sorted(self._types)})

    def edges(self, job: Mapping[str, Any], overview: Overview, shards: int) -> Sequence[int] | None:
        """See `MigrationSource.edges`."""
        cutoff = job["options"]["date_range_start"]
        return self._notes.edges(cutoff, first=overview.first_id, last=overview.last_id, parts=shards)

    def pages(
        self, job: Mapping[str, Any], *, after: int, to: int, page_rows: int
    ) -> Generator[list[CrmNote], None, None]:
        """See `MigrationSource.pages`."""
        cutoff = job["options"]["date_range_start"]
        return self._notes.notes(after=after, to=to, cutoff=cutoff, page_rows=page_rows)

    def rows_by_id(self, ids: Sequence[int]) -> list[CrmNote]:
        """See `MigrationSource.rows_by_id`."""
        return self._notes.notes_by_id(ids)

    def outcomes(self, rows: Sequence[CrmNote]) -> list[Outcome]:
        """What each note becomes, in the order of the page."""
        skipped = [in_scope(note, self._types) for note in rows]
        kept = [note for note, reason in zip(rows, skipped, strict=True) if reason is None]
        contacts = self.contacts.find({str(note.person_id) for note in kept if note.person_id is not None})
        users = self._users.users({note.creator_id for note in kept if note.creator_id is not None})
        sso_ids = self._users.sso_ids(users.values())
        owners = known_owners(users, sso_ids, self._users.unanswered(users.values(), sso_ids))
        root = self._files_root_url if any(note.attachments for note in kept) else ""
        outcomes: list[Outcome] = []
        for note, reason in zip(rows, skipped, strict=True):
            if reason is not None:
                outcomes.append(reason)
                continue
            contact, owner = contacts.get(str(note.person_id)), owner_of(note.creator_id, owners)
            outcomes.append(describe(note, contact, owner, company_sso_id=self.company_sso_id, files_root_url=root))
        return outcomes

    def before_write(self, hold: Hold, rows: Sequence[CrmNote], outcomes: list[Outcome], *, dry_run: bool) -> Parts:
        """Bring the files of the notes that are about to be written into the bucket; notes that are there keep theirs.

        Each document then has the files that arrived, in their order.
        """
        places = [place for place, note in enumerate(rows) if note.attachments and isinstance(outcomes[place], Ready)]
        if not places:
            return Parts()
        there = self.documents.present([rows[place].id for place in places])
        wanted: dict[int, CrmNote] = {}
        for place in places:
            if rows[place].id in there:
                outcomes[place] = Skipped(ALREADY_PRESENT)
            else:
                wanted[place] = rows[place]
        carried, parts = self._files.carry(hold, list(wanted.values()), self._files_root_url, dry_run=dry_run)
        for place, note in wanted.items():
            outcome = outcomes[place]
            if isinstance(outcome, Ready):
                outcome.document["attachments"] = carried[note.id]
        return parts

    def replay_parts(self, hold: Hold, parts: Sequence[Mapping[str, Any]]) -> Parts:
        """Fetch files again that could not be fetched, for notes that were written without them."""
        ids = sorted({int(str(part["source_id"]).partition("/")[0]) for part in parts})
        return self._files.carry_again(hold, parts, self.rows_by_id(ids), self._files_root_url)

    def noticed(self) -> Mapping[str, int]:
        """The launchpad's outages, and texts of the CRM that are of no known encoding."""
        return Counter(self._users.new_outages()) + Counter(self._crm.noticed()) + Counter(self._notes.noticed())

    def evidence(self, row: CrmNote) -> Mapping[str, Any]:
        """See `MigrationSource.evidence`."""
        return {
            "crm_person_id": row.person_id,
            "creator_id": row.creator_id,
            "crm_note_type_id": row.type_id,
            "created_at": row.created_at,
            "updated_at": row.updated_at,
            "note": excerpt(row.content),
            "note_length": len(row.content or ""),
        }

    def comparing(self, kept: Mapping[str, Any] | None) -> "NoteComparing":  # noqa: ARG002 - nothing is remembered
        """See `MigrationSource.comparing`."""
        return NoteComparing()

    def close(self) -> None:
        """Give the connections back."""
        self._files.close()
        self._notes.close()
        self._crm.close()

    @cached_property
    def _files_root_url(self) -> str:
        return self._services.files_root_url()


class NoteComparing:
    """See `migrations.source.Comparing`."""

    def compare(self, expected: Mapping[str, Any], stored: Mapping[str, Any]) -> tuple[Verdict, Sequence[str]]:
        """By digest, owner and files apart."""
        return compare(expected, stored)

    def mending(self, expected: Mapping[str, Any], stored: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The owner, where an outage left it a label."""
        return mending(expected, stored)

    def there_though_skipped(self, outcome: Skipped, tally: Tally) -> None:
        """Counted by its reason, which says more than `extra` alone: deleted in the CRM since, for one."""
        tally.note(f"there_though_{outcome.reason}")

    def missed_by_the_feed(self, row_id: int) -> None:
        """No note is left to a live feed."""

    def as_document(self) -> dict[str, Any]:
        """Nothing."""
        return {}
