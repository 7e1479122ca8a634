"""From stored documents to columns of cells: where each field's values are, and how its kind is written (SPEC 3.3, 4).

Belongs here: finding values and choosing their rule. Not here: the rules themselves (`domain/values/`), quoting and
bytes (`formats/`), joins and aggregates (`stores/entity_rows.py` puts what they brought under `BROUGHT`).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from operator import methodcaller
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

from cdp_pipelines.domain.cells import SheetColumn, XlsxCell
from cdp_pipelines.domain.entity_export.delivery import FileFormat
from cdp_pipelines.domain.entity_export.entities import Field, Keys, ways
from cdp_pipelines.domain.formula_guard import guard_beside_numbers, guard_csv, guard_text, guard_xlsx
from cdp_pipelines.domain.values import moments, numbers
from cdp_pipelines.domain.values.columns import CellsOf, cells_of, csv_texts, xlsx_texts
from cdp_pipelines.domain.values.native import NativeWriter
from cdp_pipelines.domain.values.texts import text_writer

Document: TypeAlias = Mapping[str, Any]
Getter: TypeAlias = Callable[[Sequence[Document]], list[Any]]
Columns: TypeAlias = list[list[Any]]

_WIDTHS: Final = {"number": 14.0, "instant": 24.0, "day": 12.0, "boolean": 10.0, "json": 40.0}


class EntityRenderer:
    """Renders the rows of one export, a batch at a time."""

    def __init__(self, fields: Sequence[Field], file_format: FileFormat, zone: ZoneInfo) -> None:
        kinds = _KINDS[file_format](zone)
        self._columns = [(_getter(each), kinds[each.kind]) for each in fields]
        self._is_csv = file_format == "CSV"

    def columns(self, documents: Sequence[Document]) -> Columns:
        """The cells of a batch: as many lists as fields, each as long as the batch."""
        columns = [cells(values(documents)) for values, cells in self._columns]
        if self._is_csv and len(columns) > 1:
            columns[1] = guard_beside_numbers(columns[0], columns[1])
        return columns


def sheet_columns(fields: Sequence[Field], file_format: FileFormat) -> list[SheetColumn]:
    """Headers, which are the fields' names (guarded where a spreadsheet reads them), and widths for sheets."""
    guarded = "xlsx" if file_format == "XLSX" else "csv"
    return [
        SheetColumn(guard_text(each.name, guarded), max(_WIDTHS.get(each.kind, 24.0), min(len(each.name) + 2.0, 50.0)))
        for each in fields
    ]


def stored_paths(fields: Sequence[Field]) -> tuple[str, ...]:
    """The places of the fields that are in the stored document, for asking the database for these alone."""
    return tuple(dict.fromkeys(path for each in fields for path in each.places if not path.startswith("@")))


def brought_names(fields: Sequence[Field]) -> frozenset[str]:
    """Names of the joins and aggregates that the fields read."""
    return frozenset(path[1:].split(".", 1)[0] for each in fields for path in each.places if path.startswith("@"))


def _csv_kinds(zone: ZoneInfo) -> dict[str, CellsOf[Any]]:
    iso = moments.iso_writer(zone)
    text_of = text_writer(guard_csv, iso)
    texts = csv_texts(text_of)
    return {
        **dict.fromkeys(("text", "boolean", "json", "any"), texts),
        "number": cells_of(numbers.number_csv(text_of), ""),
        "instant": cells_of(moments.instant_csv(text_of, iso), ""),
        "day": cells_of(moments.date_csv(text_of), ""),
    }


def _xlsx_kinds(zone: ZoneInfo) -> dict[str, CellsOf[Any]]:
    offsets = moments.OffsetsByDay(zone)
    iso = moments.iso_writer(zone, offsets)
    text_of = text_writer(guard_xlsx, iso)
    any_cell = _any_xlsx(text_of, numbers.number_xlsx(text_of))
    return {
        **dict.fromkeys(("text", "boolean", "json"), xlsx_texts(text_of)),
        "any": cells_of(any_cell, None),
        "number": cells_of(numbers.number_xlsx(text_of), None),
        "instant": cells_of(moments.instant_xlsx(text_of, iso, zone, offsets), None),
        "day": cells_of(moments.date_xlsx(text_of), None),
    }


def _any_xlsx(text_of: Callable[[Any], str], number: Callable[[Any], XlsxCell]) -> Callable[[Any], XlsxCell]:
    """Metadata: numbers are numeric cells, all else is text, texts of digits included."""

    def cell(value: Any) -> XlsxCell:
        return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else text_of(value)

    return cell


def _json_kinds(zone: ZoneInfo) -> dict[str, CellsOf[Any]]:
    iso = moments.iso_writer(zone)
    native = NativeWriter(iso).native

    def instant(value: Any) -> Any:
        at = value if type(value) is datetime else moments.to_instant(value)
        return native(value) if at is None else iso(at)

    def day(value: Any) -> Any:
        found = moments.to_date(value)
        return native(value) if found is None else found.isoformat()

    natives = cells_of(native, None)
    return {
        **dict.fromkeys(("text", "boolean", "json", "any", "number"), natives),
        "instant": cells_of(instant, None),
        "day": cells_of(day, None),
    }


_KINDS: Final[dict[FileFormat, Callable[[ZoneInfo], dict[str, CellsOf[Any]]]]] = {
    "CSV": _csv_kinds,
    "XLSX": _xlsx_kinds,
    "JSON": _json_kinds,
    "NDJSON": _json_kinds,
}


def _getter(field: Field) -> Getter:
    """Takes the column of a field out of documents; None where there is nothing."""
    return first_present(field.places)


def first_present(paths: Sequence[str]) -> Getter:
    """Takes the first value that is not null at these paths out of each of many documents."""
    first, *rest = [_finder(keys) for keys in ways(paths)]

    def column(documents: Sequence[Document]) -> list[Any]:
        # A place at a time: most fields are found in one for all rows, and then the others are not looked at.
        values = [first(document) for document in documents]
        for find in rest:
            if None not in values:
                break
            values = [
                find(document) if value is None else value for value, document in zip(values, documents, strict=True)
            ]
        return values

    return column


def _finder(keys: Keys) -> Callable[[Document], Any]:
    """Takes the value below keys out of a document; the driver's objects are dicts, and what is none has no parts."""
    if len(keys) == 1:
        return methodcaller("get", keys[0])
    *before, last = keys

    def find(document: Any) -> Any:
        for key in before:
            document = document.get(key)
            if not isinstance(document, dict):
                return None
        return document.get(last)

    return find
