"""From contact documents to cells: every column gets its rule once, and a batch is rendered column by column.

Belongs here: which rule a field type has (SPEC 3.3). Not here: the rules themselves (`numbers.py`, `moments.py`,
`texts.py`), where values are read from (`extraction.py`), quoting and styles of files (`formats/`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Generic, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

from cdp_pipelines.domain.cells import CellStyle, SheetColumn, XlsxCell, styled
from cdp_pipelines.domain.contact_export.extraction import Contact, Extractor
from cdp_pipelines.domain.contact_export.fields import Column, FieldProperty
from cdp_pipelines.domain.formula_guard import guard_beside_numbers, guard_csv, guard_text, guard_xlsx
from cdp_pipelines.domain.values import moments, numbers
from cdp_pipelines.domain.values.columns import CellsOf, cells_of, csv_texts, xlsx_texts
from cdp_pipelines.domain.values.texts import place_writer, text_writer

CellT = TypeVar("CellT")
MoneyOf: TypeAlias = Callable[[Any, Any], CellT]
Rule: TypeAlias = Callable[[list[Sequence[Any]]], list[CellT]]

TIMESTAMP_NAMES: Final = frozenset({"created_at", "updated_at"})
TIMESTAMP_TYPES: Final = frozenset({"datetime", "date_time", "date-time", "timestamp", "time"})

_WRAP: Final = CellStyle(None, wrap=True)
_WIDTHS: Final = {"number": 14.0, "percentage": 12.0, "currency": 18.0, "date": 12.0, "timestamp": 24.0, "gps": 24.0}
_TEXT_WIDTHS: Final = {"text_area": 40.0, "url": 32.0, "upload": 32.0, "email": 28.0, "multiple_select": 28.0}
_MAX_WIDTH: Final = 50.0


class ContactRenderer(Generic[CellT]):
    """Renders contacts for one file. Called with a contact it gives its row; `columns` renders a batch, and is faster.

    Money styles are counted per file: make a new renderer for each.
    """

    def __init__(
        self, columns: Sequence[Column], kinds: Mapping[str, CellsOf[CellT]], money: MoneyOf[CellT], empty: CellT
    ) -> None:
        fields = [column.field for column in columns]
        self._extractor = Extractor(
            top_level=[field.name for field in fields if field.is_default],
            custom=[field.name for field in fields if not field.is_default],
            coded=[field.name for field in fields if not field.is_default and field_kind(field) == "currency"],
            missing=empty,
        )
        self._rules: list[Rule[CellT]] = []
        for field in fields:
            place = self._extractor.place(field.name, custom=not field.is_default)
            kind = field_kind(field)
            if kind == "currency":
                code = None if field.is_default else self._extractor.place_of_code(field.name)
                self._rules.append(_money_rule(money, place, code, empty))
            else:
                self._rules.append(_rule(kinds[kind], place))

    def __call__(self, contact: Contact) -> list[CellT]:
        """The row of one contact."""
        return [cells[0] for cells in self.columns([contact])]

    def columns(self, contacts: Sequence[Contact]) -> list[list[CellT]]:
        """The cells of a batch, column by column: as many lists as columns, each as long as the batch."""
        values = self._extractor.columns(contacts)
        return [rule(values) for rule in self._rules]


class _CsvRenderer(ContactRenderer[str]):
    def columns(self, contacts: Sequence[Contact]) -> list[list[str]]:
        columns = super().columns(contacts)
        if len(columns) > 1:
            columns[1] = guard_beside_numbers(columns[0], columns[1])
        return columns


def csv_renderer(columns: Sequence[Column], zone: ZoneInfo) -> ContactRenderer[str]:
    """Cells of a CSV file: texts, guarded, not yet quoted; `""` for what is missing or null."""
    iso = moments.iso_writer(zone)
    text_of = text_writer(guard_csv, iso)
    texts = csv_texts(text_of)
    kinds: dict[str, CellsOf[str]] = {
        "text": texts,
        "text_area": texts,
        "number": cells_of(numbers.number_csv(text_of), ""),
        "percentage": cells_of(numbers.percentage_csv(text_of), ""),
        "date": cells_of(moments.date_csv(text_of), ""),
        "timestamp": cells_of(moments.instant_csv(text_of, iso), ""),
        "gps": cells_of(place_writer(text_of), ""),
    }
    return _CsvRenderer(columns, kinds, numbers.currency_csv(text_of), "")


def xlsx_renderer(columns: Sequence[Column], zone: ZoneInfo) -> ContactRenderer[XlsxCell]:
    """Cells of a sheet: guarded texts, numbers, dates with their styles; None for what is missing or null."""
    offsets = moments.OffsetsByDay(zone)
    iso = moments.iso_writer(zone, offsets)
    text_of = text_writer(guard_xlsx, iso)
    kinds: dict[str, CellsOf[XlsxCell]] = {
        "text": xlsx_texts(text_of),
        "text_area": cells_of(lambda value: styled((text_of(value), _WRAP)), None),
        "number": cells_of(numbers.number_xlsx(text_of), None),
        "percentage": cells_of(numbers.percentage_xlsx(text_of), None),
        "date": cells_of(moments.date_xlsx(text_of), None),
        "timestamp": cells_of(moments.instant_xlsx(text_of, iso, zone, offsets), None),
        "gps": cells_of(place_writer(text_of), None),
    }
    return ContactRenderer(columns, kinds, numbers.currency_xlsx(text_of), None)


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


def _rule(cells: CellsOf[CellT], place: int) -> Rule[CellT]:
    return lambda values: cells(values[place])


def _money_rule(money: MoneyOf[CellT], place: int, code: int | None, empty: CellT) -> Rule[CellT]:
    def rule(values: list[Sequence[Any]]) -> list[CellT]:
        amounts = values[place]
        codes = [None] * len(amounts) if code is None else values[code]
        return [empty if amount is None else money(amount, code) for amount, code in zip(amounts, codes, strict=True)]

    return rule
