"""One organization's notes over the CRM's HTTP API, page by page (SPEC 6, decided OQ-7).

    GET /api/v1/organizations/{cid}/person_notes?page=&per_page=
    -> {data: [note], pagination: {page, per_page, total}}

Pages must come in the order of the notes' ids, which is checked: with it, an id is a place to go on from. Notes that
are deleted while we read move all later ones towards the beginning, some of them onto a page that was read already. So
a page is trusted only if it begins at or before the place that was reached, or if the last note of the page before is
seen at its place again afterwards. Notes that are added come at the end and move nothing.

Belongs here: finding one's way through the pages. Not here: asking (`crm_api.py`) and reading (`crm_notes_json.py`).
"""

from collections.abc import Generator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from cdp_pipelines.domain.contact_notes.notes import CrmNote
from cdp_pipelines.resources.crm_notes import NotesOverview
from cdp_pipelines.resources.crm_notes_json import NotesPage, read_page, unlike_a_page

PAGE_ROWS: Final = 500
MOST_PAGE_ROWS: Final = 1_000
ASKS_FOR_A_PAGE: Final = 3
"""A CRM that counts and reads one after the other may tell a page and its total of two moments, but not each time."""
MOST_STANDSTILLS: Final = 20
"""Pages in a row that bring nothing new because notes keep moving."""


class AnswersWithJson(Protocol):
    """What pages are asked of: `crm_api.CrmApi`."""

    def get(self, path: str, parameters: Mapping[str, str | int]) -> Any:
        """The JSON at a path."""

    def close(self) -> None:
        """Give the connections back."""


class HttpNotes:
    """See `crm_notes.CrmNotesExtractor`."""

    def __init__(self, api: AnswersWithJson, cid: int) -> None:
        self._api = api
        self._path = f"/api/v1/organizations/{cid}/person_notes"

    def overview(self, cutoff: datetime | None, *, after: int = 0) -> NotesOverview:
        """See the protocol. The API cannot count a part, so with `cutoff` or `after` its pages are looked through."""
        first = self._page(1, PAGE_ROWS)
        if not first.notes:
            return NotesOverview(0, 0, 0)
        last_id = self._last_id(first)
        if cutoff is None and after <= 0:
            return NotesOverview(first.total, first.notes[0].id, last_id)
        total, lowest, highest = 0, 0, 0
        for page in self.notes(after=after, to=last_id, cutoff=cutoff, page_rows=PAGE_ROWS):
            total, lowest, highest = total + len(page), lowest or page[0].id, page[-1].id
        return NotesOverview(total, lowest, highest)

    def edges(self, cutoff: datetime | None, *, first: int, last: int, parts: int) -> Sequence[int] | None:  # noqa: ARG002 - the protocol's
        """See the protocol. One page for each edge: pages have as many notes, in the order of their ids."""
        if cutoff is not None:
            return None
        pages = self._page(1, PAGE_ROWS).pages
        return [
            self._page(number, PAGE_ROWS).last_id
            for number in sorted({max(1, round(pages * part / parts)) for part in range(1, parts)})
        ]

    def notes(
        self, *, after: int, to: int, cutoff: datetime | None, page_rows: int
    ) -> Generator[list[CrmNote], None, None]:
        """See the protocol. At most 1,000 notes a page, however large `page_rows` is."""
        per_page = min(page_rows, MOST_PAGE_ROWS)
        page = self._page_at(after, per_page)
        position, standstills = after, 0
        while True:
            wanted = [note for note in page.notes if position < note.id <= to and _is_recent(note, cutoff)]
            reached = max(position, page.last_id)
            standstills = 0 if reached > position else standstills + 1
            position = reached
            if wanted:
                yield wanted
            if position >= to or page.page >= page.pages:
                return
            if standstills > MOST_STANDSTILLS:
                raise unlike_a_page("is not where it was a moment ago, time and again")
            page = self._next(page, position, per_page)

    def notes_by_id(self, ids: Sequence[int]) -> list[CrmNote]:
        """See the protocol. The API has no question for single notes, so the pages between them are read."""
        wanted = set(ids)
        if not wanted:
            return []
        pages = self.notes(after=min(wanted) - 1, to=max(wanted), cutoff=None, page_rows=MOST_PAGE_ROWS)
        return [note for page in pages for note in page if note.id in wanted]

    def noticed(self) -> Mapping[str, int]:
        """See the protocol."""
        return {}

    def close(self) -> None:
        """See the protocol."""
        self._api.close()

    def _page(self, page: int, per_page: int) -> NotesPage:
        for _ in range(ASKS_FOR_A_PAGE):
            found = read_page(self._api.get(self._path, {"page": page, "per_page": per_page}), page, per_page)
            if found.is_whole:
                return found
        raise unlike_a_page("has more or fewer notes than its total says")

    def _last_id(self, first: NotesPage) -> int:
        """The id of the last note; pages that emptied meanwhile are gone back over."""
        page = first if first.pages == 1 else self._page(first.pages, PAGE_ROWS)
        while not page.notes and page.page > 1:
            page = self._page(min(page.page - 1, page.pages), PAGE_ROWS)
        return page.last_id

    def _page_at(self, position: int, per_page: int) -> NotesPage:
        """A page, found by halving, that begins at or before a position and before which nothing above it is."""
        page = self._page(1, per_page)
        if position <= 0 or page.last_id > position:
            return page
        low, high = 2, page.pages
        while low <= high:
            middle = (low + high) // 2
            page = self._page(middle, per_page)
            if not page.notes or page.notes[0].id > position:
                # Empty: the notes became fewer meanwhile, so the page that is sought lies before it.
                high = middle - 1
            elif page.last_id <= position:
                low = middle + 1
            else:
                return page
        return self._back_to(position, low - 1, per_page)

    def _back_to(self, position: int, page: int, per_page: int) -> NotesPage:
        """The first page, going back from this one, that begins at or before a position."""
        found = self._page(page, per_page)
        while found.page > 1 and not (found.notes and found.notes[0].id <= position):
            found = self._page(min(found.page - 1, found.pages), per_page)
        return found

    def _next(self, page: NotesPage, position: int, per_page: int) -> NotesPage:
        """The page after this one; where notes were deleted meanwhile, the earlier one that they moved to."""
        following = self._page(page.page + 1, per_page)
        if following.per_page != page.per_page:
            raise unlike_a_page("has another per_page than the one before it, so that notes between them are missed")
        if following.notes and (following.notes[0].id <= position + 1 or self._ends_as_before(page)):
            return following
        return self._back_to(position, page.page, per_page)

    def _ends_as_before(self, page: NotesPage) -> bool:
        """Whether the last note of a page is still at its place, so that none moved onto the page meanwhile."""
        there = self._page(page.page * page.per_page, 1)
        return bool(there.notes) and there.last_id == page.last_id


def _is_recent(note: CrmNote, cutoff: datetime | None) -> bool:
    # A note whose time is unknown cannot be said to be too old, so it is read and reported.
    return cutoff is None or note.created_at is None or note.created_at >= cutoff
