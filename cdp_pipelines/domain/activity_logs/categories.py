"""Category and action of an audit, from a table that is data (SPEC 5.2, OQ-12).

Belongs here: reading that table and looking an audit up in it. Not here: the table itself (`categories.yaml` in
`resources/data`, and the company overrides in `crm_category_overrides`).

    kinds:       {Crm::Deal: {category: deal, entity: deal}, ...}
    joins:       {Crm::PeopleDeal: {category: deal, entity: deal, attribute: crm_deal_id}, ...}
    refinements: {deal: [{attribute: crm_stage_id, action: won, ids: [90]}, ...], ...}
    labels:      {crm_stage_id: Stage, ...}
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from cdp_pipelines.domain.activity_logs.changes import UPDATE, is_pair
from cdp_pipelines.domain.errors import ConfigurationError

LINK: Final = "link"
UNLINK: Final = "unlink"
ASSOCIATION_ACTIONS: Final = frozenset({LINK, UNLINK, "resolved"})
"""The actions whose documents enrichment may complete."""

_ACTIONS: Final[Mapping[str, str]] = {"create": "create", "update": "update", "destroy": "delete"}
_JOIN_ACTIONS: Final[Mapping[str, str]] = {"create": LINK, "destroy": UNLINK, "update": "update"}
AUDITED_ACTIONS: Final = frozenset(_ACTIONS)
"""What the `audited` gem writes; a row with another action is outside the table."""


@dataclass(frozen=True, slots=True)
class AuditKind:
    """What an `auditable_type` stands for. `link_attribute` names a join model's column of the linked entity's id."""

    category: str
    entity_type: str
    is_person: bool = False
    link_attribute: str | None = None


@dataclass(frozen=True, slots=True)
class Refinement:
    """`action` for an update that moves `attribute` into the set `ids`. `named`: what any set of the category's for
    that attribute names.
    """

    attribute: str
    action: str
    ids: frozenset[str]
    named: frozenset[str]


class Classified(NamedTuple):
    """`unmapped_refinement`: a status or stage moved to an id that no set names, so the action stayed `update`."""

    category: str
    action: str
    unmapped_refinement: bool = False


@dataclass(frozen=True, slots=True)
class CategoryTable:
    """The table of one company: its own overrides over the global one."""

    kinds: Mapping[str, AuditKind]
    refinements: Mapping[str, Sequence[Refinement]]
    labels: Mapping[str, str]

    def kind_of(self, auditable_type: str | None) -> AuditKind | None:
        """None: outside the table (`unmapped_action_type`)."""
        return self.kinds.get(auditable_type) if auditable_type is not None else None

    def classify(self, kind: AuditKind, action: str, changes: Mapping[str, Any]) -> Classified:
        """Category and action, for an action of `AUDITED_ACTIONS`."""
        plain = (_JOIN_ACTIONS if kind.link_attribute else _ACTIONS)[action]
        if action != UPDATE or kind.link_attribute:
            return Classified(kind.category, plain)
        return self._refine(kind, plain, changes)

    def may_associate(self, auditable_type: str) -> bool:
        """Whether audits of this type can become link, unlink or resolved."""
        kind = self.kinds.get(auditable_type)
        if kind is None:
            return False
        refined = {refinement.action for refinement in self.refinements.get(kind.category, ())}
        return kind.link_attribute is not None or bool(refined & ASSOCIATION_ACTIONS)

    def _refine(self, kind: AuditKind, plain: str, changes: Mapping[str, Any]) -> Classified:
        unmapped = False
        for refinement in self.refinements.get(kind.category, ()):
            value = changes.get(refinement.attribute)
            if not is_pair(value):
                continue
            before, after = (str(side) for side in value)
            if after in refinement.ids and before not in refinement.ids:
                return Classified(kind.category, refinement.action)
            unmapped = unmapped or after not in refinement.named
        return Classified(kind.category, plain, unmapped_refinement=unmapped)


def read_category_table(document: Mapping[str, Any], override: Mapping[str, Any] | None = None) -> CategoryTable:
    """The global table with a company's override laid over it.

    In an override a kind or join replaces that of its name (null removes it), a category's refinements replace all of
    that category, and labels are added.

    Raises:
        ConfigurationError: `CATEGORIES_INVALID`, the document is not of the shape above.
    """
    override = override or {}
    parts = {name: _overlaid(document, override, name) for name in ("kinds", "joins", "refinements", "labels")}
    kinds = {name: _kind(name, entry) for name, entry in parts["kinds"].items()}
    kinds |= {name: _join(name, entry) for name, entry in parts["joins"].items()}
    refinements = {
        category: _refinements(category, _list(category, entries)) for category, entries in parts["refinements"].items()
    }
    labels = {str(column): str(label) for column, label in parts["labels"].items()}
    return CategoryTable(kinds, refinements, labels)


def _overlaid(document: Mapping[str, Any], override: Mapping[str, Any], name: str) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for part in (document.get(name), override.get(name)):
        if part is None:
            continue
        if not isinstance(part, Mapping):
            raise _invalid(f"{name} must be a mapping")
        merged |= part
    return {str(key): value for key, value in merged.items() if value is not None}


def _kind(name: str, entry: Any) -> AuditKind:
    return AuditKind(
        category=_text(name, entry, "category"),
        entity_type=_text(name, entry, "entity"),
        is_person=entry.get("person") is True,
    )


def _join(name: str, entry: Any) -> AuditKind:
    return AuditKind(
        category=_text(name, entry, "category"),
        entity_type=_text(name, entry, "entity"),
        link_attribute=_text(name, entry, "attribute"),
    )


def _refinements(category: str, entries: Sequence[Any]) -> tuple[Refinement, ...]:
    found = [
        (
            _text(category, entry, "attribute"),
            _text(category, entry, "action"),
            frozenset(str(value) for value in _list(category, entry.get("ids"))),
        )
        for entry in entries
    ]
    named: dict[str, frozenset[str]] = {}
    for attribute, _, ids in found:
        named[attribute] = named.get(attribute, frozenset()) | ids
    return tuple(Refinement(attribute, action, ids, named[attribute]) for attribute, action, ids in found)


def _text(name: str, entry: Any, key: str) -> str:
    value = entry.get(key) if isinstance(entry, Mapping) else None
    if not isinstance(value, str) or not value:
        raise _invalid(f"{name} needs a text under {key}")
    return value


def _list(name: str, value: Any) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise _invalid(f"{name} needs a list")
    return value


def _invalid(problem: str) -> ConfigurationError:
    return ConfigurationError(
        "CATEGORIES_INVALID",
        f"The table of categories cannot be used: {problem}. See docs/activity-logs.md for its form.",
    )
