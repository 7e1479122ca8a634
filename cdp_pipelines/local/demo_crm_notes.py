"""Rows of the demo CRM's `crm_notes` and `crm_checkins`, in the order of their ids.

Belongs here: putting a row together, and which notes fail or have files. Not here: the texts
(`demo_crm_note_texts.py`), the files (`demo_crm_note_files.py`), which people there are (`demo_crm_rosters.py`) and
writing to the server (`demo_crm_notes_load.py`).
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, cycle
from typing import Final, NamedTuple, TypeAlias

from cdp_pipelines.local.demo_crm_audits import INFINITY
from cdp_pipelines.local.demo_crm_clock import instant_of, postgres_timestamp
from cdp_pipelines.local.demo_crm_note_shapes import Failing, NotesShape
from cdp_pipelines.local.demo_crm_note_texts import NoteTexts, User, note_texts
from cdp_pipelines.local.demo_crm_people import DemoUsers, Row, entity_count, entity_id, pools_of
from cdp_pipelines.local.demo_crm_stories import Group
from cdp_pipelines.local.demo_crm_texts import Templates

NoteRow: TypeAlias = tuple[int | str | None, ...]
"""The columns of `crm_notes_schema.NOTE_COLUMNS`; instants in microseconds since 2000, as PostgreSQL holds them."""

IN_SCOPE_TYPES: Final = (1, 1, 1, 6)
OTHER_TYPES: Final = (2, 3, 4, None)
MOST_FILES_ON_A_NOTE: Final = 3

_DAY: Final = 86_400_000_000
_MENTIONED: Final = 20
_KINDS: Final = {"short": 6, "plain": 14, "editor": 30, "lists": 10, "mentions": 12, "mails": 28}
_WITH_PERSON: Final = 0.10
"""Share of a person's notes that belong to a deal, a company or a ticket as well."""
_LINKS: Final[tuple[Group, ...]] = ("deal", "deal", "company", "ticket")
_UNTOUCHED: Final = 0.70
_TURNED_BACK: Final = 0.002
"""Share of the notes whose clocks disagreed: updated before they were made."""
_EMPTY: Final = (None, "", "<div><br></div>")
_FILES_ON_NOTES: Final = (1, 1, 2, 1, MOST_FILES_ON_A_NOTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotesPlan:
    """The notes of one organization.

    people: ids of those with a contact. strangers: of those without one. foreign_people: of other organizations.
    locales: the languages, frequent ones more than once, in the order in which the users' names are made. creators: who
    writes, drawn from evenly. span: first and last moment, in microseconds since 1970. Note number k has the id
    `first_note_id + k * spread // notes * id_step`, as in `AuditPlan`.
    """

    organization_id: int
    people: Sequence[int]
    notes: int
    shape: NotesShape
    locales: tuple[str, ...]
    users: DemoUsers
    creators: Sequence[int | None]
    span: tuple[int, int]
    strangers: Sequence[int] = ()
    foreign_people: Sequence[int] = ()
    first_note_id: int = 1
    id_step: int = 1
    spread: int | None = None

    def note_id(self, number: int) -> int:
        """The id of note `number`."""
        place = number if self.spread is None else number * self.spread // self.notes
        return self.first_note_id + place * self.id_step


class NotesLayout(NamedTuple):
    """By the note's number: why those that fail do, and how many files hang on those that have some."""

    failing: Mapping[int, Failing]
    files: Mapping[int, int]


def lay_out(plan: NotesPlan) -> NotesLayout:
    """Spread the failing notes over their part of the ids, and the files over the others."""
    shape, notes = plan.shape, plan.notes
    until = round(notes * shape.failing_until)
    count = min(max(int(until * shape.failing), shape.failing_at_least), until)
    reasons = chain(shape.first_failing, cycle(shape.usual_failing))
    failing = {(2 * place + 1) * until // (2 * count): next(reasons) for place in range(count)}
    return NotesLayout(failing, _spread_files(min(shape.attachments, notes // 3), notes, failing))


def iter_note_rows(plan: NotesPlan, *, checkins: list[Row] | None = None) -> Iterator[NoteRow]:
    """The organization's notes, ready for binary COPY, in the order of their ids; the same plan gives the same rows.

    Memory is constant. `checkins` gets the rows of `crm_checkins` that belong to them.
    """
    if plan.notes:
        rows = _Rows(plan, checkins)
        for number in range(plan.notes):
            yield rows.row(number)


def _spread_files(files: int, notes: int, failing: Mapping[int, Failing]) -> dict[int, int]:
    sizes: list[int] = []
    for size in cycle(_FILES_ON_NOTES):
        if sum(sizes) >= files:
            break
        sizes.append(min(size, files - sum(sizes)))
    found: dict[int, int] = {}
    for place, size in enumerate(sizes):
        number = (2 * place + 1) * notes // (2 * len(sizes))
        while number in failing or number in found:
            number = (number + 1) % notes
        found[number] = size
    return found


class _Times(NamedTuple):
    created: int
    updated: int
    deleted: int | None


class _Rows:
    """The state that goes on from row to row."""

    def __init__(self, plan: NotesPlan, checkins: list[Row] | None) -> None:
        self._plan = plan
        self._checkins = checkins
        self._layout = lay_out(plan)
        seed = f"notes:{plan.shape.seed}:{plan.organization_id}"
        self._rnd = random.Random(seed).random  # noqa: S311 made-up notes, not a secret
        self._pools = pools_of(plan.locales)
        by_language = pools_of(tuple(dict.fromkeys(plan.locales)))
        names: list[User] = [
            (plan.users.user_id(number), plan.users.name(by_language, number))
            for number in range(min(plan.users.count, _MENTIONED))
        ]
        self._texts = note_texts(self._pools, names, seed)
        self._kinds = _by_share(self._texts)
        self._linked: dict[Group, int] = {group: entity_count(group, len(plan.people)) for group in _LINKS}

    def row(self, number: int) -> NoteRow:
        plan, rnd = self._plan, self._rnd
        failing = self._layout.failing.get(number)
        files = self._layout.files.get(number, 0)
        # Notes that are to fail, or to show their files, must be in scope for it.
        certain = failing is not None or files > 0
        times = self._times(number, certain=certain)
        note_type = self._pick(OTHER_TYPES if rnd() < plan.shape.out_of_scope and not certain else IN_SCOPE_TYPES)
        text = self._text(failing, number, files=files)
        person, links = self._about(failing, certain=certain)
        creator = self._pick(plan.creators)
        note_id = plan.note_id(number)
        if rnd() < plan.shape.checkins:
            self._check_in(note_id, times.created)
        created = INFINITY if failing == "infinity" else postgres_timestamp(times.created)
        deleted = None if times.deleted is None else postgres_timestamp(times.deleted)
        return (
            *(note_id, plan.organization_id, text, creator, person),
            *(links.get("company"), links.get("deal"), links.get("ticket")),
            *(note_type, created, postgres_timestamp(times.updated), deleted),
        )

    def _pick(self, values: Sequence[int | None]) -> int | None:
        return values[int(self._rnd() * len(values))]

    def _times(self, number: int, *, certain: bool) -> _Times:
        """About in the order of the numbers, within the span."""
        rnd, shape, (first, last) = self._rnd, self._plan.shape, self._plan.span
        even = first + (last - first) * number // self._plan.notes
        created = min(max(even + int((rnd() - 0.5) * 4 * _DAY), first), last)
        fate, later = rnd(), rnd()
        updated = min(created + int(later**2 * 200 * _DAY), last)
        if fate < _UNTOUCHED:
            updated = created
        elif fate > 1 - _TURNED_BACK:
            updated = created - int(later * _DAY / 24)
        is_deleted = rnd() < shape.deleted and not certain
        return _Times(created, updated, min(max(created, updated) + int(later * _DAY), last) if is_deleted else None)

    def _text(self, failing: Failing | None, number: int, *, files: int) -> str | None:
        rnd = self._rnd
        fate, kind, place = rnd(), rnd(), rnd()
        if failing == "long":
            texts = self._texts.long
        elif files and number % 4 == 1:
            return _EMPTY[int(place * len(_EMPTY))]
        elif fate < self._plan.shape.hostile:
            texts = self._texts.hostile
        else:
            texts = self._kinds[int(kind * len(self._kinds))]
        return texts[int(place * len(texts))].filled(self._plan.organization_id * 1_000 + number)

    def _about(self, failing: Failing | None, *, certain: bool) -> tuple[int | None, dict[Group, int]]:
        """The person, and by group the other record the note belongs to."""
        plan, rnd = self._plan, self._rnd
        fate, who, group = rnd(), rnd(), _LINKS[int(rnd() * len(_LINKS))]
        link = {group: entity_id(plan.organization_id, int(rnd() * max(self._linked[group], 1)))}
        if failing in ("stranger", "foreign"):
            others = (plan.strangers if failing == "stranger" else ()) or plan.foreign_people
            return others[int(who * len(others))], {}
        if fate < plan.shape.elsewhere and not certain:
            return None, link
        # Some have many more notes than others.
        person = plan.people[int(who**1.3 * len(plan.people))]
        return person, link if fate > 1 - _WITH_PERSON else {}

    def _check_in(self, note_id: int, created: int) -> None:
        rnd = self._rnd
        latitude, longitude, where = -7.9 + rnd() * 2, 106.7 + rnd() * 6, rnd()
        if self._checkins is not None:
            pool = self._pools[int(where * len(self._pools))]
            address = f"{pool.streets[int(where * 997) % 60]}, {pool.cities[int(where * 499) % 60]}"
            at = instant_of(created).isoformat()
            self._checkins.append((note_id, note_id, f"{latitude:.6f}", f"{longitude:.6f}", address, at))


def _by_share(texts: NoteTexts) -> list[Templates]:
    """Each kind as often as its share, so that one draw picks by share."""
    by_kind = texts._asdict()
    return [by_kind[kind] for kind, share in _KINDS.items() for _ in range(share)]
