"""Rows of the demo CRM's `audits`, as Rails and `audited` 5.8 write them, in the order of their ids.

Belongs here: putting a row together. Not here: when (`demo_crm_clock.py`), what (`demo_crm_stories.py`), the texts
(`demo_crm_texts.py`) and writing to the server (`demo_crm.py`).
"""

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias, TypeVar

from cdp_pipelines.local.demo_contacts import DEMO_SEED
from cdp_pipelines.local.demo_crm_clock import Clock, instant_of, postgres_timestamp
from cdp_pipelines.local.demo_crm_people import DemoUsers, PersonWatermark, entity_id
from cdp_pipelines.local.demo_crm_shapes import DEFAULT_SHAPE, CrmShape
from cdp_pipelines.local.demo_crm_stories import Event, Story, catalogue

T = TypeVar("T")

AuditRow: TypeAlias = tuple[int | str | None, ...]
"""The columns of `crm_schema.AUDIT_COLUMNS`; `created_at` in microseconds since 2000, as PostgreSQL itself holds it."""

INFINITY: Final = 2**63 - 1
MINUS_INFINITY: Final = -(2**63)
"""What PostgreSQL holds for the timestamps `infinity` and `-infinity`."""

DEFAULT_LOCALES: Final = ("id_ID", "ja_JP", "ar_AA", "en_US")

_JSON_COMMENTS: Final = (
    ('{"crm_person_id": ', "}"),
    ('{"crm_person_id":', "}"),
    ('{"source": "mobile", "crm_person_id": ', ', "version": 2}'),
    ('{"note": "Diperbarui lewat impor — 更新 ☕", "crm_person_id": ', "}"),
    ('{"crm_person_id": ', ', "crm_deal_id": null, "tags": ["a", {"b": 1}]}'),
)
_OTHER_COMMENTS: Final = (
    *[None] * 14,
    "Diubah oleh sistem",
    "Gabung duplikat {lihat tiket}",
    "\nThis audit is the result of multiple audits being combined.",
    '{"crm_person_id": ',
    "{'crm_person_id': 12}",
    '{"crm_person_id": null}',
    '{"source": "import"}',
    "[1, 2]",
    '"crm_person_id"',
)
_JOIN_TEXTS: Final = (
    "---\ncrm_person_id: {person}\n{column}: {linked}\n",
    "---\ncrm_person_id: {person}\n{column}: {linked}\n",
    "---\n{column}: {linked}\ncrm_person_id: {person}\nrole: :primary\n",
    '{{"crm_person_id": {person}, "{column}": {linked}}}',
)
# Changes of the other side alone; the record itself is what the join row is associated with.
_JOIN_BY_ASSOCIATION: Final = "---\ncrm_person_id: {person}\n"
_ASSOCIATED: Final = {"deal": "Crm::Deal", "company": "Crm::Company", "ticket": "Ticket", "task": "Crm::Task"}
_ADDRESSES: Final = (*(f"203.0.113.{number}" for number in range(1, 60)), "2001:db8::17", None, None)
_USER_DRAWS: Final = 1_000
_NO_TIMES: Final = (None, INFINITY, MINUS_INFINITY)


class LateAudit(NamedTuple):
    """An audit after its contact's watermark, as the live feed knows it too."""

    audit_id: int
    person_id: int
    category: str
    cdp_action: str
    entity_type: str
    entity_id: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPlan:
    """The audits of one organization.

    people: those with a contact, ascending by watermark. strangers: ids of people without a contact.
    foreign_people: ids of people of other organizations. Audit number k has the id
    `first_audit_id + k * spread // audits * id_step` (spread: `audits` unless given), ascending: a wider spread and
    step leave room for other organizations' ids in between.
    """

    organization_id: int
    people: Sequence[PersonWatermark]
    audits: int
    shape: CrmShape = DEFAULT_SHAPE
    strangers: Sequence[int] = ()
    foreign_people: Sequence[int] = ()
    locales: tuple[str, ...] = DEFAULT_LOCALES
    first_audit_id: int = 1
    id_step: int = 1
    spread: int | None = None
    users: DemoUsers = field(init=False)

    def __post_init__(self) -> None:
        if self.audits and not self.people:
            raise ValueError("audits need people to be about")
        if self.spread is not None and self.spread < self.audits:
            raise ValueError("the spread is too narrow for so many audits")
        object.__setattr__(self, "users", DemoUsers(self.organization_id, self.shape.users))

    def audit_id(self, number: int) -> int:
        """The id of audit `number`."""
        place = number if self.spread is None else number * self.spread // self.audits
        return self.first_audit_id + place * self.id_step


def iter_audit_rows(plan: AuditPlan, *, late: list[LateAudit] | None = None) -> Iterator[AuditRow]:
    """The organization's audits, ready for binary COPY, in the order of their ids; the same plan gives the same rows.

    Memory is constant but for a few bytes a person. `late` gets the ordinary audits that are after their watermark.
    """
    if not plan.audits:
        return
    rows = _Rows(plan, late)
    for number in range(plan.audits):
        yield rows.row(number)


class _Rows:
    """The state that goes on from row to row."""

    def __init__(self, plan: AuditPlan, late: list[LateAudit] | None) -> None:
        shape = plan.shape
        self._plan = plan
        self._late = late
        generator = random.Random(f"{shape.seed}:{plan.organization_id}")  # noqa: S311 made-up records
        self._rnd = generator.random
        self._bits = generator.getrandbits
        self._known = catalogue(plan.locales, DEMO_SEED)
        self._story = Story(self._known, len(plan.people), self._rnd, whole=shape.whole_stories)
        watermarks = [person.watermark for person in plan.people]
        self._clock = Clock(watermarks, plan.audits, late_share=shape.after_watermark, rnd=self._rnd)
        # Thresholds of one draw: what is under the first is unreadable, and so on.
        self._unreadable = shape.unreadable
        self._unmapped = self._unreadable + shape.unmapped
        self._strangers = self._unmapped + (shape.strangers if plan.strangers else 0.0)
        self._nobody = self._strangers + shape.nobody
        foreign = shape.foreign if plan.foreign_people else 0
        self._foreign = _spread_evenly(foreign, plan.audits, 0.37)
        self._no_time = _spread_evenly(shape.invalid_timestamps, plan.audits, 0.71, self._foreign)
        self._request = ""
        # Looked up rather than worked out a row: at a million rows each microsecond is a second.
        self._users = [plan.users.draw(place / _USER_DRAWS) for place in range(_USER_DRAWS)]
        self._first_entity = entity_id(plan.organization_id, 0)

    def row(self, number: int) -> AuditRow:
        rank, when = self._clock.at(number)
        if number in self._foreign:
            foreign = self._plan.foreign_people
            return self._by_comment(number, when, foreign[number % len(foreign)])
        person = self._plan.people[rank]
        if number in self._no_time:
            row = self._told(number, when, self._story.next(rank), person.person_id)
            return (*row[:-1], _NO_TIMES[self._no_time[number] % len(_NO_TIMES)])
        fate = self._rnd()
        if fate < self._nobody:
            return self._special(number, when, person.person_id, fate)
        event = self._story.next(rank)
        if self._late is not None and when >= person.watermark:
            self._late.append(self._late_audit(number, when, event, person.person_id))
        return self._told(number, when, event, person.person_id)

    def _late_audit(self, number: int, when: int, event: Event, person_id: int) -> LateAudit:
        kind, entity, _ = event
        return LateAudit(
            audit_id=self._plan.audit_id(number),
            person_id=person_id,
            category=kind.category,
            cdp_action=kind.cdp_action,
            entity_type=kind.group,
            entity_id=person_id if kind.group == "person" else self._first_entity + entity,
            at=instant_of(when),
        )

    def _special(self, number: int, when: int, person_id: int, fate: float) -> AuditRow:
        if fate < self._unreadable:
            row = self._by_comment(number, when, person_id)
            return (*row[:9], "update", self._one_of(self._known.unreadable).head, *row[11:])
        if fate >= self._unmapped and fate < self._strangers:
            return self._by_comment(number, when, self._one_of(self._plan.strangers))
        unmapped = fate < self._unmapped
        kind = self._one_of(self._known.unmapped if unmapped else self._known.about_nobody)
        text = self._one_of(kind.texts).filled(int(self._rnd() * 100_000))
        event = (kind, int(self._rnd() * 500), 1)
        return self._row(number, when, event, text, None if unmapped else self._one_of(_OTHER_COMMENTS))

    def _by_comment(self, number: int, when: int, person_id: int) -> AuditRow:
        """Of whoever it is, in the middle of a story that does not go on."""
        row = self._told(number, when, self._story.any_event(), person_id)
        return (*row[:12], self._comment(person_id), *row[13:])

    def _told(self, number: int, when: int, event: Event, person_id: int) -> AuditRow:
        """An event about a person, who is named where this kind of event names one."""
        kind = event[0]
        if kind.linked is not None:
            return self._joined(number, when, event, person_id)
        rnd = self._rnd
        template = kind.texts[int(rnd() * len(kind.texts))]
        if kind.named_by == "comment":
            return self._row(number, when, event, template.filled(int(rnd() * 100_000)), self._comment(person_id))
        comment = _OTHER_COMMENTS[int(rnd() * len(_OTHER_COMMENTS))]
        if kind.named_by == "changes":
            return self._row(number, when, event, template.filled(person_id), comment)
        return self._row(number, when, event, template.filled(int(rnd() * 100_000)), comment, person_id)

    def _joined(self, number: int, when: int, event: Event, person_id: int) -> AuditRow:
        kind, entity, _ = event
        rnd = self._rnd
        linked = self._first_entity + entity
        associated = rnd() < 0.03
        template = _JOIN_BY_ASSOCIATION if associated else self._one_of(_JOIN_TEXTS)
        text = template.format(person=person_id, column=kind.linked, linked=linked)
        comment = self._comment(person_id) if rnd() < 0.3 else None
        row = self._row(number, when, event, text, comment, linked * 7 + 1)
        return (*row[:4], linked, _ASSOCIATED[kind.group], *row[6:]) if associated else row

    def _row(
        self, number: int, when: int, event: Event, text: str, comment: str | None, auditable_id: int | None = None
    ) -> AuditRow:
        kind, entity, version = event
        plan, rnd = self._plan, self._rnd
        user_id = self._users[int(rnd() * _USER_DRAWS)]
        if rnd() < 0.3 or not self._request:
            digits = f"{self._bits(128):032x}"
            self._request = f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
        by_hand = user_id is not None
        return (
            plan.audit_id(number),
            plan.organization_id,
            self._first_entity + entity if auditable_id is None else auditable_id,
            kind.auditable_type,
            None,
            None,
            user_id,
            "User" if by_hand else None,
            None if by_hand or rnd() < 0.5 else "sidekiq",
            kind.action,
            text,
            1 if kind.action == "create" else version,
            comment,
            _ADDRESSES[int(rnd() * len(_ADDRESSES))] if by_hand else None,
            self._request,
            postgres_timestamp(when),
        )

    def _comment(self, person_id: int) -> str:
        head, tail = _JSON_COMMENTS[int(self._rnd() * len(_JSON_COMMENTS))]
        return f"{head}{person_id}{tail}"

    def _one_of(self, values: Sequence[T]) -> T:
        return values[int(self._rnd() * len(values))]


def _spread_evenly(count: int, audits: int, offset: float, taken: Collection[int] = ()) -> dict[int, int]:
    """Numbers of audits that are not taken, evenly apart, each with its own place in that order."""
    free = [number for number in range(audits) if number not in taken] if taken else range(audits)
    wanted = min(count, len(free))
    return {free[int((place + offset) * len(free) / wanted)]: place for place in range(wanted)}
