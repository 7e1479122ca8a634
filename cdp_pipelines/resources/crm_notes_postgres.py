"""One organization's notes in the CRM's PostgreSQL, with their files and check-ins.

Belongs here: reading notes and what hangs on them side by side. Not here: connections (`crm_session.py`) and SQL
(`crm_note_rows.py`).
"""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from cdp_pipelines.domain.contact_notes.attachments import AttachmentSource, CrmAttachment
from cdp_pipelines.domain.contact_notes.notes import CrmNote
from cdp_pipelines.domain.errors import ConfigurationError
from cdp_pipelines.resources.crm_mapping import MAPPING_SETTING, CrmMapping
from cdp_pipelines.resources.crm_note_fields import read_count, read_id, with_read_ids
from cdp_pipelines.resources.crm_note_rows import CHECKIN, NoteStatements
from cdp_pipelines.resources.crm_notes import NotesOverview
from cdp_pipelines.resources.crm_rows import edges_in, shares_of
from cdp_pipelines.resources.crm_session import WINDOW_PAGES, CrmSession, translating

_PLAIN_ID: Final = frozenset({int, type(None)})
_PLAIN_TEXT: Final = frozenset({str, type(None)})
PARTS_BATCH: Final = 1_000
_TABLES: Final = ("image", "audio", "document")
"""The order in which a note shows its files, whichever source they come from."""


class PostgresNotes:
    """See `crm_notes.CrmNotesExtractor`.

    Raises:
        ConfigurationError: `CRM_MAPPING_INVALID`, the mapping file names no tables of notes.
    """

    def __init__(self, session: CrmSession, mapping: CrmMapping) -> None:
        if mapping.notes is None:
            raise ConfigurationError(
                "CRM_MAPPING_INVALID",
                f"{MAPPING_SETTING} names no tables of notes. See docs/contact-notes.md for their form.",
            )
        self._session = session
        self._statements = NoteStatements(mapping.notes)

    def overview(self, cutoff: datetime | None, *, after: int = 0) -> NotesOverview:
        """See the protocol."""
        values = {"cutoff": cutoff, "after": after}
        ((total, first, last),) = self._session.fetch(self._statements.overview(), values)
        return NotesOverview(total, first or 0, last or 0)

    def edges(self, cutoff: datetime | None, *, first: int, last: int, parts: int) -> list[int]:
        """See the protocol."""
        values = {"cutoff": cutoff, "first": first, "last": last, "shares": shares_of(parts)}
        return edges_in(self._session.fetch(self._statements.edges(), values))

    def notes(
        self, *, after: int, to: int, cutoff: datetime | None, page_rows: int, window_pages: int = WINDOW_PAGES
    ) -> Generator[list[CrmNote], None, None]:
        """See the protocol."""
        window_rows = page_rows * window_pages

        def window(position: int) -> Generator[list[CrmNote], None, None]:
            values = {"after": position, "to": to, "cutoff": cutoff, "limit": window_rows, "cid": self._session.cid}
            return self._window(values, page_rows)

        return self._session.stream(window, after=after, window_rows=window_rows, what="notes")

    def _window(self, values: dict[str, Any], page_rows: int) -> Generator[list[CrmNote], None, None]:
        """Two cursors of one snapshot, both in the order of the notes."""
        with (
            translating("reading notes"),
            # A note that came between two snapshots would shift one window, and a note at its end lose its files.
            self._session.connect(one_snapshot=True) as connection,
            connection.cursor(name="cdp_notes") as notes,
            connection.cursor(name="cdp_note_parts") as parts,
        ):
            parts.itersize = PARTS_BATCH
            notes.execute(self._statements.page(), values, binary=True)
            # Planned as one whose first rows are wanted soonest, it compares every part with every note where the CRM
            # has no statistics yet: half a minute a window instead of a tenth of a second.
            connection.execute("SET LOCAL cursor_tuple_fraction = 1")
            parts.execute(self._statements.parts(), values)
            reading = _Parts(iter(parts))
            while rows := notes.fetchmany(page_rows):
                yield [_note(row, *reading.of(row[0])) for row in rows]

    def notes_by_id(self, ids: Sequence[int]) -> list[CrmNote]:
        """See the protocol."""
        values = {"ids": list(ids)}
        rows = self._session.fetch(self._statements.by_id(), values)
        reading = _Parts(self._session.fetch(self._statements.parts_by_id(), values))
        return [_note(row, *reading.of(row[0])) for row in rows]

    def noticed(self) -> Mapping[str, int]:
        """See the protocol."""
        return self._session.new_latin1()

    def close(self) -> None:
        """See the protocol."""
        self._session.close()


class _Parts:
    """What hangs on notes, taken note by note from rows in the order of the notes."""

    def __init__(self, rows: Iterable[tuple[Any, ...]]) -> None:
        self._rows: Iterator[tuple[Any, ...]] = iter(rows)
        self._next = next(self._rows, None)

    def of(self, note_id: int) -> tuple[tuple[CrmAttachment, ...], bool]:
        """The files of a note, and whether a check-in hangs on it; notes are asked for in ascending order."""
        if self._next is None or self._next[2] > note_id:
            return (), False
        files: list[CrmAttachment] = []
        has_checkin = False
        while self._next is not None and self._next[2] <= note_id:
            kind, part_id, note, url, name, content_type, size = self._next
            self._next = next(self._rows, None)
            if note != note_id:
                continue
            if kind == CHECKIN:
                has_checkin = True
            else:
                files.append(_file(kind, part_id, url, name, content_type, size))
        files.sort(key=lambda file: (_TABLES.index(file.source), file.id))
        return tuple(files), has_checkin


def _note(row: tuple[Any, ...], attachments: tuple[CrmAttachment, ...], has_checkin: bool) -> CrmNote:  # noqa: FBT001 - always given by position from the same pair
    note = CrmNote._make((*row, attachments, has_checkin, ()))
    # Nearly always so; anything else comes of columns of another type than Rails gives them.
    if (
        type(note.id) is int
        and type(note.creator_id) in _PLAIN_ID
        and type(note.person_id) in _PLAIN_ID
        and type(note.type_id) in _PLAIN_ID
        and type(note.content) in _PLAIN_TEXT
    ):
        return note
    return with_read_ids(note)


def _file(kind: AttachmentSource, part_id: Any, url: Any, name: Any, content_type: Any, size: Any) -> CrmAttachment:
    return CrmAttachment(read_id(part_id) or part_id, kind, url or "", name, content_type, read_count(size))
