"""What happens to the demo CRM's records, one event after the other: created, linked, changed, brought to an end.

Belongs here: kinds of events, their weights, and where each person's story stands. Not here: when it happens and who
did it (`demo_crm_audits.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Final, Literal, NamedTuple, TypeAlias

from cdp_pipelines.local import demo_crm_values as columns
from cdp_pipelines.local.demo_crm_texts import EMPTY_CHANGES, Template, Templates, TextMaker
from cdp_pipelines.local.demo_pools import locale_pool

Group = Literal["person", "deal", "company", "ticket", "task", "note"]
PersonNamedBy = Literal["itself", "changes", "comment"]

_GROUPS: Final[tuple[tuple[Group, int], ...]] = (
    ("person", 30), ("deal", 24), ("ticket", 17), ("task", 12), ("company", 8), ("note", 9),
)  # fmt: skip
ENTITY_SHARES: Final[dict[Group, float]] = {"deal": 0.4, "company": 0.15, "ticket": 0.3, "task": 0.5}
"""Records a person; people and notes are made with their owners."""
_STEPS: Final = 8


class EventKind(NamedTuple):
    """One kind of audit. A join has `linked`, the column of the linked id, and no texts."""

    group: str
    auditable_type: str
    action: str
    category: str
    cdp_action: str
    named_by: PersonNamedBy
    texts: Templates
    linked: str | None = None


class Stages(NamedTuple):
    """The kinds of a group's events by where the story stands, each as often as it is likely."""

    opening: tuple[EventKind, ...]
    linking: tuple[EventKind, ...]
    middle: tuple[EventKind, ...]
    closing: tuple[EventKind, ...]


class Catalogue(NamedTuple):
    """Everything that can happen in a company of some locales."""

    stages: dict[Group, Stages]
    unmapped: tuple[EventKind, ...]
    unreadable: Templates
    about_nobody: tuple[EventKind, ...]


Event: TypeAlias = tuple[EventKind, int, int]
"""What happens, to which record number, and its version, from 1 in each record. No class: a million are made."""


@cache
def catalogue(locales: tuple[str, ...], seed: int) -> Catalogue:
    """The catalogue of a locale mix, made once: some 4,000 texts."""
    pools = [locale_pool(locale, seed) for locale in locales]
    maker = TextMaker(pools, f"{seed}:{','.join(locales)}")
    stages = {group: _BUILDERS[group](maker) for group, _ in _GROUPS}
    other = maker.creates(columns.OTHER, "position", 40)
    return Catalogue(
        stages=stages,
        unmapped=tuple(
            EventKind("other", auditable_type, action, "", "", "comment", other)
            for auditable_type in ("Crm::Pipeline", "Product", "Crm::Quotation")
            for action in ("create", "destroy")
        ),
        unreadable=maker.unreadable(),
        about_nobody=(
            EventKind("company", "Crm::Company", "create", "company", "create", "changes", _texts(stages, "company")),
            EventKind("deal", "Crm::Deal", "create", "deal", "create", "changes", _texts(stages, "deal")),
        ),
    )


def _texts(stages: dict[Group, Stages], group: Group) -> Templates:
    return stages[group].opening[0].texts


class Story:
    """Where each person's stories stand; a story has eight steps, then the next record's begins."""

    def __init__(self, known: Catalogue, people: int, rnd: Callable[[], float], *, whole: bool) -> None:
        self._rnd = rnd
        self._groups: list[tuple[Group, bytearray, tuple[tuple[EventKind, ...], ...], int]] = []
        for group, weight in _GROUPS:
            stages = known.stages[group]
            steps = (stages.opening, stages.linking, *[stages.middle] * (_STEPS - 3), stages.closing)
            begun = bytes(people) if whole else bytes(int(rnd() * _STEPS) for _ in range(people))
            count = max(1, round(people * ENTITY_SHARES.get(group, 1.0)))
            self._groups += [(group, bytearray(begun), steps, count)] * weight

    def next(self, person: int) -> Event:
        """Go one step on in one of the person's stories."""
        rnd = self._rnd
        group, progress, steps, count = self._groups[int(rnd() * len(self._groups))]
        stands = progress[person]
        progress[person] = (stands + 1) & 0xFF
        kinds = steps[stands % _STEPS]
        kind = kinds[int(rnd() * len(kinds))]
        number = stands // _STEPS
        entity = person if group == "person" else (person + number * 13) % count
        if group == "note":
            entity = person * 32 + number
        return kind, entity, stands % _STEPS + 1

    def any_event(self) -> Event:
        """Something in the middle of somebody's story, which does not go on by it."""
        rnd = self._rnd
        _, _, steps, count = self._groups[int(rnd() * len(self._groups))]
        kinds = steps[2]
        return kinds[int(rnd() * len(kinds))], int(rnd() * count), 2 + int(rnd() * 6)


def _kinds(group: str, auditable_type: str, action: str, named_by: PersonNamedBy, texts: Templates) -> EventKind:
    category = "contact" if group == "person" else group
    return EventKind(group, auditable_type, action, category, _CDP_ACTIONS[action], named_by, texts)


_CDP_ACTIONS: Final = {"create": "create", "update": "update", "destroy": "delete"}
_EMPTY: Final = (Template(EMPTY_CHANGES, None),)


def _joins(group: str, auditable_type: str, linked: str) -> tuple[EventKind, EventKind]:
    def join(action: str, cdp_action: str) -> EventKind:
        return EventKind(group, auditable_type, action, group, cdp_action, "changes", (), linked)

    return join("create", "link"), join("destroy", "unlink")


def _person(maker: TextMaker) -> Stages:
    def kind(action: str, texts: Templates) -> EventKind:
        return _kinds("person", "Crm::Person", action, "itself", texts)

    update = kind("update", maker.updates(columns.PERSON, "lead_score", 500))
    create = kind("create", maker.creates(columns.PERSON, "lead_score", 250))
    middle = (*[update] * 19, kind("update", _EMPTY))
    destroy = kind("destroy", maker.creates(columns.PERSON, "lead_score", 60, sparse=True))
    return Stages((create,), middle, middle, (*[update] * 59, destroy))


def _deal(maker: TextMaker) -> Stages:
    changes = maker.updates(columns.DEAL, "expected_value", 250)
    link, unlink = _joins("deal", "Crm::PeopleDeal", "crm_deal_id")
    moved = maker.moves("crm_stage_id", columns.OTHER_STAGES, columns.OTHER_STAGES, columns.DEAL)
    won = maker.moves("crm_stage_id", columns.OTHER_STAGES, (columns.WON_STAGE,), columns.DEAL)
    lost = maker.moves("crm_stage_id", columns.OTHER_STAGES, (columns.LOST_STAGE,), columns.DEAL)
    ends = (*[_end("deal", "won", won)] * 9, *[_end("deal", "lost", lost)] * 6)
    return _stages("deal", maker, columns.DEAL, "expected_value", changes, moved, (*ends, unlink, unlink), link)


def _ticket(maker: TextMaker) -> Stages:
    changes = maker.updates(columns.TICKET, "sla_minutes", 250)
    link, unlink = _joins("ticket", "Crm::PeopleTicket", "ticket_id")
    moved = maker.moves("ticket_status_id", columns.OTHER_STATUSES, columns.OTHER_STATUSES, columns.TICKET)
    solved = maker.moves("ticket_status_id", columns.OTHER_STATUSES, columns.RESOLVED_STATUSES, columns.TICKET)
    ends = (*[_end("ticket", "resolved", solved)] * 14, unlink, unlink)
    return _stages("ticket", maker, columns.TICKET, "sla_minutes", changes, moved, ends, link)


def _task(maker: TextMaker) -> Stages:
    changes = maker.updates(columns.TASK, "estimated_minutes", 150)
    link, unlink = _joins("task", "Crm::PeopleTask", "crm_task_id")
    moved = maker.moves("crm_task_status_id", columns.OTHER_TASKS, columns.OTHER_TASKS, columns.TASK)
    done = maker.moves("crm_task_status_id", columns.OTHER_TASKS, (columns.DONE_TASK,), columns.TASK)
    ends = (*[_end("task", "completed", done)] * 15, unlink)
    return _stages("task", maker, columns.TASK, "estimated_minutes", changes, moved, ends, link)


def _company(maker: TextMaker) -> Stages:
    changes = maker.updates(columns.COMPANY, "employee_count", 150)
    link, unlink = _joins("company", "Crm::PeopleCompany", "crm_company_id")
    return _stages("company", maker, columns.COMPANY, "employee_count", changes, changes, [unlink] * 9, link)


def _note(maker: TextMaker) -> Stages:
    update = _kinds("note", "Crm::Note", "update", "comment", maker.updates(columns.NOTE, "note_length", 120))
    create = _kinds("note", "Crm::Note", "create", "comment", maker.creates(columns.NOTE, "note_length", 150))
    named = _kinds("note", "Crm::Note", "create", "changes", maker.creates(columns.NOTE, "crm_person_id", 100))
    destroy = _kinds("note", "Crm::Note", "destroy", "comment", maker.creates(columns.NOTE, "note_length", 40))
    return Stages((create, named), (update,), (update,), (destroy,))


_TYPES: Final = {"deal": "Crm::Deal", "company": "Crm::Company", "ticket": "Ticket", "task": "Crm::Task"}


def _end(group: str, cdp_action: str, texts: Templates) -> EventKind:
    return EventKind(group, _TYPES[group], "update", group, cdp_action, "comment", texts)


def _stages(
    group: Group,
    maker: TextMaker,
    of_group: Mapping[str, columns.Column],
    number: str,
    changes: Templates,
    moved: Templates,
    ends: Sequence[EventKind],
    link: EventKind,
) -> Stages:
    """Of a record that people are linked to."""

    def kind(action: str, texts: Templates, named_by: PersonNamedBy = "comment") -> EventKind:
        return _kinds(group, _TYPES[group], action, named_by, texts)

    snapshots = maker.creates(of_group, number, 120)
    named = kind("create", maker.creates(of_group, "crm_person_id", 80), "changes")
    renamed = kind("update", maker.updates(of_group, "crm_person_id", 80), "changes")
    destroys = kind("destroy", maker.creates(of_group, number, 40, sparse=True))
    destroys_named = kind("destroy", maker.creates(of_group, "crm_person_id", 40, sparse=True), "changes")
    update, move = kind("update", changes), kind("update", moved)
    return Stages(
        opening=(*[kind("create", snapshots)] * 7, *[named] * 3),
        linking=(link,),
        middle=(*[update] * 11, *[move] * 6, *[renamed] * 2, kind("update", _EMPTY)),
        closing=(*ends, destroys, destroys_named),
    )


_BUILDERS: Final[dict[Group, Callable[[TextMaker], Stages]]] = {
    "person": _person,
    "deal": _deal,
    "company": _company,
    "ticket": _ticket,
    "task": _task,
    "note": _note,
}
