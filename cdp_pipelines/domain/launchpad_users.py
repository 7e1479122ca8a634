"""Whether a user of the launchpad is deactivated there, by rules that are configuration (SPEC 5.2, actor).

Belongs here: the rules, how they are written, and reading one user. Not here: asking the launchpad
(`resources/launchpad.py`) and what becomes of a record (`activity_logs/actors.py`, `contact_notes/owners.py`).

    status=deactivated|suspended, is_active=false, deactivated_at

One field after another: with values, those that say so; without, any value but null, an empty text and false.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

DEACTIVATED: Final = ""
"""Stands for the SSO id of a user who is known but deactivated: nothing new may be written in their name."""

DEFAULT_RULES: Final = (
    "status=deactivated|inactive|suspended|disabled|blocked|banned|archived|terminated|deleted|removed, "
    "state=deactivated|inactive|suspended|disabled|blocked|banned|archived|terminated|deleted|removed, "
    "is_active=false, active=false, enabled=false, is_enabled=false, "
    "deactivated, is_deactivated, suspended, is_suspended, disabled, is_disabled, deleted, is_deleted, "
    "deactivated_at, suspended_at, disabled_at, deleted_at"
)
_NOTHING: Final = frozenset({"", "false", "0", "no", "null", "none"})


@dataclass(frozen=True, slots=True)
class DeactivationRule:
    """A field, and the values in it that mean deactivated; without values, any that is not nothing."""

    field: str
    values: frozenset[str]

    def holds(self, user: Mapping[str, Any]) -> bool:
        """Whether this field says that the user is deactivated; one that is missing or null says nothing."""
        value = user.get(self.field)
        if value is None or isinstance(value, Mapping | list):
            return False
        text = _folded(value)
        return text in self.values if self.values else text not in _NOTHING


def read_rules(text: str) -> tuple[DeactivationRule, ...]:
    """The rules of a setting.

    Raises:
        ValueError: it is not such a list; the message says what is wrong with it.
    """
    rules = []
    for part in text.split(","):
        field, equals, values = (side.strip() for side in part.partition("="))
        found = frozenset(_spellings(values)) if equals else frozenset()
        if not field or (equals and not found):
            raise ValueError("each rule is a field, or a field with values such as status=deactivated|suspended")
        rules.append(DeactivationRule(field, found))
    return tuple(rules)


def is_deactivated(user: Mapping[str, Any], rules: Sequence[DeactivationRule]) -> bool:
    """Whether any of the rules holds."""
    return any(rule.holds(user) for rule in rules)


def _spellings(values: str) -> set[str]:
    """The values as they are compared: JSON's booleans may come as numbers or words."""
    found = {_folded(value) for value in values.split("|") if value.strip()}
    for same in (frozenset({"false", "0", "no"}), frozenset({"true", "1", "yes"})):
        if found & same:
            found |= same
    return found


def _folded(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip().casefold()
