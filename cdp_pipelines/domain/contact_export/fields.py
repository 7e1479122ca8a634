"""Which columns an export has: the company's field properties, and the user's choice among them.

A hidden field never leaves, whatever was asked. Not here: what a value looks like in its cell (`values.py`).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cdp_pipelines.domain.people_words import Words

CUSTOM_FIELDS: Final = "custom_fields"

_NAME_SHOWN: Final = 80
_FALSE_WORDS: Final = frozenset({"", "0", "false", "no", "off", "null", "none"})


@dataclass(frozen=True, slots=True)
class FieldProperty:
    """One field of a layout; `kind` is the document's `type`, `alias` is never empty, `position` may be infinite."""

    name: str
    alias: str
    field_type: str = ""
    kind: str = ""
    is_default: bool = False
    is_hidden: bool = False
    position: float = math.inf
    number_type: str = ""

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "FieldProperty | None":
        """Read a `field_properties` document, however untidy; None if it names no field."""
        name = document.get("name")
        if not isinstance(name, str) or not name.strip():
            return None
        alias = document.get("name_alias")
        kind = _word(document.get("type"))
        default = document.get("is_default")
        return cls(
            name=name,
            alias=alias if isinstance(alias, str) and alias.strip() else name,
            field_type=_word(document.get("field_type")),
            kind=kind,
            is_default=kind == "default" if default is None else _truth(default),
            is_hidden=_truth(document.get("is_hidden")),
            position=_position(document.get("position")),
            number_type=_number_type(document.get("validation")),
        )


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the file: its field, and its header as the user named it (not yet guarded)."""

    field: FieldProperty
    header: str


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """The columns in their order, and what was asked for but is not there. No columns: nothing can be exported."""

    columns: tuple[Column, ...]
    warnings: tuple[str, ...]


def choose_columns(fields: Sequence[FieldProperty], selected: Sequence[str] | None) -> ColumnChoice:
    """The columns asked for, in the order asked, each once; all visible ones by position if none is named."""
    visible = _visible(fields)
    asked = dict.fromkeys(selected) if selected else visible
    columns: list[Column] = []
    warnings: list[str] = []
    for name in asked:
        field = visible.get(name)
        if field is None:
            # A hidden field reads exactly like an unknown one: the warning must not tell that it exists.
            warnings.append(_left_out(name, "is not a field of this layout", "bukan kolom dari tata letak ini"))
        elif field.is_default and not is_safe_top_level_name(name):
            warnings.append(
                _left_out(name, "has a name that cannot be exported", "memiliki nama yang tidak dapat diekspor")
            )
        else:
            columns.append(Column(field, field.alias))
    return ColumnChoice(tuple(columns), tuple(warnings))


def projection(columns: Iterable[Column]) -> list[str]:
    """The top-level names of a contact that these columns need, each once; `custom_fields` last, if any needs it."""
    columns = tuple(columns)
    names = dict.fromkeys(column.field.name for column in columns if column.field.is_default)
    if any(not column.field.is_default for column in columns):
        names[CUSTOM_FIELDS] = None
    return list(names)


def is_safe_top_level_name(name: str) -> bool:
    """False for a name that would reach into documents (dot, dollar, NUL) or take every custom field at once."""
    return not ("." in name or name.startswith("$") or "\0" in name or name == CUSTOM_FIELDS)


def _visible(fields: Sequence[FieldProperty]) -> dict[str, FieldProperty]:
    """Field by name, in the order of the layout; a name that any of its fields hides is not there."""
    hidden = {field.name for field in fields if field.is_hidden}
    visible: dict[str, FieldProperty] = {}
    for field in sorted(fields, key=lambda field: (field.position, field.name)):
        if field.name not in hidden:
            visible.setdefault(field.name, field)
    return visible


def _left_out(name: str, reason: str, in_indonesian: str) -> Words:
    shown = name if len(name) <= _NAME_SHOWN else name[:_NAME_SHOWN] + "…"
    return Words(f'"{shown}" {reason}; it was left out.', f'"{shown}" {in_indonesian}, sehingga tidak disertakan.')


def _word(value: object) -> str:
    return value.strip().lower() if isinstance(value, str) else ""


def _truth(value: object) -> bool:
    """Any doubtful value counts as true, so that a field marked hidden in an odd way stays hidden."""
    return value.strip().lower() not in _FALSE_WORDS if isinstance(value, str) else bool(value)


def _position(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return math.inf
    return value


def _number_type(validation: object) -> str:
    number = validation.get("number") if isinstance(validation, Mapping) else None
    return _word(number.get("number_type")) if isinstance(number, Mapping) else ""
