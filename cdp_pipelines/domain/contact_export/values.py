"""From contact documents to cells: every column gets its renderer once, and a batch is rendered column by column.

Belongs here: where a value is read from and which rule its field type has (SPEC 3.3). Not here: the rules themselves
(`numbers.py`, `moments.py`, `texts.py`), quoting and styles of files (`formats/`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

from cdp_pipelines.domain.cells import CellStyle, SheetColumn, StyledCell, XlsxCell
from cdp_pipelines.domain.contact_export import moments, numbers
from cdp_pipelines.domain.contact_export.fields import CUSTOM_FIELDS, Column, FieldProperty
from cdp_pipelines.domain.contact_export.texts import place_writer, text_writer
from cdp_pipelines.domain.formula_guard import SUSPECT_FIRST, guard_csv, guard_text, guard_xlsx

Contact: TypeAlias = Mapping[str, Any]
CellT = TypeVar("CellT")
CellOf: TypeAlias = Callable[[Any], CellT]
MoneyOf: TypeAlias = Callable[[Any, Any], CellT]
CellsOf: TypeAlias = Callable[[list[Any]], list[CellT]]

TIMESTAMP_NAMES: Final = frozenset({"created_at", "updated_at"})
TIMESTAMP_TYPES: Final = frozenset({"datetime", "date_time", "date-time", "timestamp", "time"})

_WRAP: Final = CellStyle(None, wrap=True)
_WIDTHS: Final = {"number": 14.0, "percentage": 12.0, "currency": 18.0, "date": 12.0, "timestamp": 24.0, "gps": 24.0}
_TEXT_WIDTHS: Final = {"text_area": 40.0, "url": 32.0, "upload": 32.0, "email": 28.0, "multiple_select": 28.0}
_MAX_WIDTH: Final = 50.0


@dataclass(frozen=True, slots=True)
class ColumnRule(Generic[CellT]):
    """How one column is rendered: `cells` for a whole batch of values, or `money` for values with their codes."""

    name: str
    custom: bool
    cells: CellsOf[CellT] | None
    money: MoneyOf[CellT] | None


class ContactRenderer(Generic[CellT]):
    """Renders contacts for one file. Called with a contact it gives its row; `columns` renders a batch, and is faster.

    Money styles are counted per file: make a new renderer for each.
    """

    def __init__(self, rules: Sequence[ColumnRule[CellT]], empty: CellT) -> None:
        self._rules = tuple(rules)
        self._empty = empty
        self._any_custom = any(rule.custom for rule in rules)
        self._any_money = any(rule.custom and rule.money for rule in rules)

    def __call__(self, contact: Contact) -> list[CellT]:
        """The row of one contact."""
        return [cells[0] for cells in self.columns([contact])]

    def columns(self, contacts: Sequence[Contact]) -> list[list[CellT]]:
        """The cells of a batch, column by column: as many lists as columns, each as long as the batch."""
        custom = [custom_values(contact) for contact in contacts] if self._any_custom else []
        codes = [currency_codes(contact) for contact in contacts] if self._any_money else []
        rendered: list[list[CellT]] = []
        for rule in self._rules:
            name = rule.name
            values = [source.get(name) for source in (custom if rule.custom else contacts)]
            if rule.cells is not None:
                rendered.append(rule.cells(values))
            elif rule.money is not None:
                labels = [found.get(name) for found in codes] if rule.custom else [None] * len(values)
                rendered.append(self._priced(rule.money, values, labels))
        return rendered

    def _priced(self, money: MoneyOf[CellT], values: list[Any], labels: list[Any]) -> list[CellT]:
        empty = self._empty
        return [empty if value is None else money(value, label) for value, label in zip(values, labels, strict=True)]


def csv_renderer(columns: Sequence[Column], zone: ZoneInfo) -> ContactRenderer[str]:
    """Cells of a CSV file: texts, guarded, not yet quoted; `""` for what is missing or null."""
    iso = moments.iso_writer(zone)
    text_of = text_writer(guard_csv, iso)
    texts = _text_cells(text_of)
    kinds: dict[str, CellsOf[str]] = {
        "number": _cells(numbers.number_csv(text_of), ""),
        "percentage": _cells(numbers.percentage_csv(text_of), ""),
        "date": _cells(moments.date_csv(text_of), ""),
        "timestamp": _cells(moments.instant_csv(text_of, iso), ""),
        "gps": _cells(place_writer(text_of), ""),
    }
    money = numbers.currency_csv(text_of)
    return ContactRenderer([_rule(column.field, kinds, texts, money) for column in columns], "")


def xlsx_renderer(columns: Sequence[Column], zone: ZoneInfo) -> ContactRenderer[XlsxCell]:
    """Cells of a sheet: guarded texts, numbers, dates with their styles; None for what is missing or null."""
    iso = moments.iso_writer(zone)
    text_of = text_writer(guard_xlsx, iso)
    texts = _sheet_texts(text_of)
    kinds: dict[str, CellsOf[XlsxCell]] = {
        "number": _cells(numbers.number_xlsx(text_of), None),
        "percentage": _cells(numbers.percentage_xlsx(text_of), None),
        "date": _cells(moments.date_xlsx(text_of), None),
        "timestamp": _cells(moments.instant_xlsx(text_of, iso, zone), None),
        "gps": _cells(place_writer(text_of), None),
        "text_area": _cells(lambda value: StyledCell(text_of(value), _WRAP), None),
    }
    money = numbers.currency_xlsx(text_of)
    return ContactRenderer([_rule(column.field, kinds, texts, money) for column in columns], None)


def sheet_columns(columns: Iterable[Column], file_format: str) -> list[SheetColumn]:
    """Headers, guarded for the format (`"csv"` or `"xlsx"`), and widths that fit the field types."""
    made: list[SheetColumn] = []
    for column in columns:
        kind = field_kind(column.field)
        width = _WIDTHS.get(kind) or _TEXT_WIDTHS.get(column.field.field_type, 20.0)
        header = guard_text(column.header, file_format)
        made.append(SheetColumn(header, max(width, min(len(header) + 2.0, _MAX_WIDTH))))
    return made


def field_kind(field: FieldProperty) -> str:
    """Which rule a field has: number, percentage, currency, date, timestamp, gps, text_area or text."""
    if field.field_type in TIMESTAMP_TYPES or (field.is_default and field.name in TIMESTAMP_NAMES):
        return "timestamp"
    if field.field_type == "number":
        return field.number_type if field.number_type in {"percentage", "currency"} else "number"
    return field.field_type if field.field_type in {"date", "gps", "text_area"} else "text"


def custom_values(contact: Contact) -> Mapping[str, Any]:
    """The values of `custom_fields` by key; the first of equal keys wins, entries that are none are passed over."""
    entries = contact.get(CUSTOM_FIELDS)
    if not isinstance(entries, list) or not entries:
        return {}
    try:
        # From the end, so that the first of equal keys is the one that stays.
        return {entry["key"]: entry["value"] for entry in entries[::-1]}
    except (TypeError, KeyError, IndexError):
        return {entry["key"]: entry.get("value") for entry in _tidy_entries(entries)}


def currency_codes(contact: Contact) -> Mapping[str, Any]:
    """The currency codes of `custom_fields` by key, of the same entries whose values `custom_values` gives."""
    entries = contact.get(CUSTOM_FIELDS)
    if not isinstance(entries, list):
        return {}
    return {entry["key"]: entry.get("currency_code") for entry in _tidy_entries(entries)}


def _tidy_entries(entries: list[Any]) -> list[Mapping[str, Any]]:
    return [entry for entry in entries[::-1] if isinstance(entry, Mapping) and isinstance(entry.get("key"), str)]


def _rule(
    field: FieldProperty, kinds: Mapping[str, CellsOf[CellT]], texts: CellsOf[CellT], money: MoneyOf[CellT]
) -> ColumnRule[CellT]:
    kind = field_kind(field)
    if kind == "currency":
        return ColumnRule(field.name, not field.is_default, None, money)
    return ColumnRule(field.name, not field.is_default, kinds.get(kind, texts), None)


def _cells(cell: CellOf[CellT], empty: CellT) -> CellsOf[CellT]:
    return lambda values: [empty if value is None else cell(value) for value in values]


# The two below differ in the empty cell only. Most cells of an export are harmless texts: they pass without a call.
def _text_cells(text_of: CellOf[str]) -> CellsOf[str]:
    def cells(values: list[Any]) -> list[str]:
        return [
            ""
            if value is None
            else value
            if type(value) is str and value and value[0] not in SUSPECT_FIRST
            else text_of(value)
            for value in values
        ]

    return cells


def _sheet_texts(text_of: CellOf[str]) -> CellsOf[XlsxCell]:
    def cells(values: list[Any]) -> list[XlsxCell]:
        return [
            value
            if value is None or (type(value) is str and value and value[0] not in SUSPECT_FIRST)
            else text_of(value)
            for value in values
        ]

    return cells
