"""What an audit changed: `{field, from, to}` for every attribute, under its label (SPEC 5.2, changes)."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final, TypeGuard

UPDATE: Final = "update"
DESTROY: Final = "destroy"
_INT64: Final = range(-(2**63), 2**63)
_PAIR: Final = 2
_AS_IT_IS: Final = frozenset({str, bool, type(None)})


def is_pair(value: object) -> TypeGuard[list[Any]]:
    """Whether a value of an update is `[old, new]`; audits combined by `max_audits` mix in plain values."""
    return isinstance(value, list) and len(value) == _PAIR


def latest_value(value: Any, action: str | None) -> Any:
    """What the attribute was after the audit; for a pair whose new value is empty, what it was before."""
    if action == UPDATE and is_pair(value):
        return value[1] if value[1] is not None else value[0]
    return value


def field_changes(changes: Mapping[str, Any], action: str | None, labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """The changes in the order of the source, each `{field, from, to}` with values that BSON can hold.

    An attribute without a label keeps its column's name.
    """
    found = []
    for column, value in changes.items():
        before: Any = None
        after: Any = None
        if action == UPDATE and is_pair(value):
            before, after = value
        elif action == DESTROY:
            before = value
        else:
            # In an update, a plain value is the snapshot of a create that `max_audits` merged into it.
            after = value
        found.append(
            {
                "field": labels.get(column, column),
                # Asked here already, for most values are text: this runs for every value of every audit.
                "from": before if type(before) in _AS_IT_IS else storable(before),
                "to": after if type(after) in _AS_IT_IS else storable(after),
            }
        )
    return found


def storable(value: Any) -> Any:
    """The value in BSON's types: whole numbers beyond 64 bits and dates as text, keys as text without NUL."""
    kind = type(value)
    if kind in _AS_IT_IS:
        return value
    if kind is int:
        return value if value in _INT64 else str(value)
    if kind is float:
        return value if value - value == 0 else str(value)
    if kind is list:
        return [storable(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key).replace("\0", ""): storable(item) for key, item in value.items()}
    return value.isoformat() if isinstance(value, date | datetime) else str(value)
