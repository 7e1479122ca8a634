"""One organization's notes over the CRM's HTTP API, page by page (SPEC 6, decided OQ-7).

    GET /api/v1/organizations/{cid}/person_notes?page=&per_page=
    -> {data: [note], pagination: {page, per_page, total}}

Pages must come in the order of the notes' ids, which is checked: with it, an id is a place to go on from, and notes
that move to an earlier page because others were deleted meanwhile are not missed.

Belongs here: finding one's way through the pages. Not here: asking (`crm_api.py`) and reading (`crm_notes_json.py`).
"""

from collections.abc import Generator, Sequence
from datetime import datetime
from typing import Final

from cdp_pipelines.domain.contact_notes.notes import CrmNote
from cdp_pipelines.resources.crm_api import CrmApi
from cdp_pipelines.resources.crm_notes import NotesOverview
from cdp_pipelines.resources.crm_notes_json import NotesPage, read_page

PAGE_ROWS: Final = 500
MOST_PAGE_ROWS: Final = 1_000


class HttpNotes:
    """See `crm_notes.CrmNotesExtractor`."""

    def __init__(self, api: CrmApi, cid: int) -> None:
        self._api = api
        self._path = f"/api/v1/organizations/{cid}/person_notes"

    def overview(self, cutoff: datetime | None) -> NotesOverview:
        """See the protocol. The API cannot count since an instant, so with `cutoff` all pages are looked through."""
        first = self._page(1, PAGE_ROWS)
        if not first.notes:
            return NotesOverview(0, 0, 0)
        last_id = self._last_id(first)
        if cutoff is None:
            return NotesOverview(first.total, first.notes[0].id, last_id)
        total, lowest, highest = 0, 0, 0
        for page in self.notes(after=0, to=last_id, cutoff=cutoff, page_rows=PAGE_ROWS):
            total, lowest, highest = total + len(page), lowest or page[0].id, page[-1].id
        return NotesOverview(total, lowest, highest)

    def notes(
        self, *, after: int, to: int, cutoff: datetime | None, page_rows: int
    ) -> Generator[list[CrmNote], None, None]:
        """See the protocol. At most 1,000 notes a page, however large `page_rows` is."""
        per_page = min(page_rows, MOST_PAGE_ROWS)
        page = self._first_page_above(after, per_page)
        position = after
        while page.notes:
            wanted = [note for note in page.notes if position < note.id <= to and _is_recent(note, cutoff)]
            position = max(position, page.notes[-1].id)
            if wanted:
                yield wanted
            if position >= to or page.page >= page.pages:
                return
            page = self._next(page, position, per_page)

    def notes_by_id(self, ids: Sequence[int]) -> list[CrmNote]:
        """See the protocol. The API has no question for single notes, so the pages between them are read."""
        wanted = set(ids)
        if not wanted:
            return []
        pages = self.notes(after=min(wanted) - 1, to=max(wanted), cutoff=None, page_rows=MOST_PAGE_ROWS)
        return [note for page in pages for note in page if note.id in wanted]

    def close(self) -> None:
        """See the protocol."""
        self._api.close()

    def _page(self, page: int, per_page: int) -> NotesPage:
        answer = self._api.get(self._path, {"page": page, "per_page": per_page})
        return read_page(answer, page, per_page)

    def _last_id(self, first: NotesPage) -> int:
        """The id of the last note; pages that emptied meanwhile are gone back over."""
        page = first if first.pages == 1 else self._page(first.pages, PAGE_ROWS)
        while not page.notes and page.page > 1:
            page = self._page(page.page - 1, PAGE_ROWS)
        return page.notes[-1].id if page.notes else 0

    def _first_page_above(self, after: int, per_page: int) -> NotesPage:
        """The page with the first note above an id, found by halving; the last page if there is none."""
        page = self._page(1, per_page)
        if after <= 0 or not page.notes or page.notes[-1].id > after:
            return page
        low, high = 2, page.pages
        while low <= high:
            middle = (low + high) // 2
            page = self._page(middle, per_page)
            if not page.notes or page.notes[0].id > after:
                # Empty: the notes became fewer meanwhile, so the page that is sought lies before it.
                high = middle - 1
            elif page.notes[-1].id <= after:
                low = middle + 1
            else:
                return page
        return self._page(max(low, 1), per_page)

    def _next(self, page: NotesPage, position: int, per_page: int) -> NotesPage:
        """The page after this one; where notes were deleted meanwhile, the earlier one that they moved to."""
        following = self._page(page.page + 1, per_page)
        if following.notes and following.total >= page.total:
            return following
        while following.page > 1 and not (following.notes and following.notes[0].id <= position):
            following = self._page(following.page - 1, per_page)
        return following


def _is_recent(note: CrmNote, cutoff: datetime | None) -> bool:
    # A note whose time is unknown cannot be said to be too old, so it is read and reported.
    return cutoff is None or note.created_at is None or note.created_at >= cutoff
