"""Rows as JSON objects, in bytes: valid JSON whatever the values are, and no digit lost.

Values come as plain Python: text, int, float, bool, None, list, dict, dates as text already. Numbers that JSON or 64
bits do not hold (NaN, infinities, larger integers, decimals) become texts, since many readers refuse a whole file for
one of them. Not here: what stands between the objects (`row_stream`), which value a field has (`domain`).
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from cdp_pipelines.domain.values.numbers import plain, to_decimal
from cdp_pipelines.domain.values.others import other_text, reference
from cdp_pipelines.formats.characters import whole_characters

_WRITTEN_AS_THEY_ARE: Final = frozenset({str, int, bool, type(None)})
_LEAST_INTEGER: Final = -(2**63)
_MOST_INTEGER: Final = 2**64 - 1


def json_rows(fields: Sequence[str], columns: Sequence[Sequence[Any]]) -> list[bytes]:
    """One object a row, on one line, with the fields in the order given. Lone surrogates become U+FFFD.

    Raises:
        ValueError: the columns are not as many as the fields, or not of one length.
    """
    from orjson import dumps

    try:
        rows = zip(*map(_quick, columns), strict=True)
        return [dumps(dict(zip(fields, row, strict=True))) for row in rows]
    except TypeError:
        # What it refuses is rare, so that nothing but a batch with such a value pays for looking at each.
        rows = zip(*([_writable(value) for value in column] for column in columns), strict=True)
        return [dumps(dict(zip(map(whole_characters, fields), row, strict=True))) for row in rows]


def _quick(column: Sequence[Any]) -> Sequence[Any]:
    """The column without NaN and infinities, which the library would write as null."""
    if _WRITTEN_AS_THEY_ARE.issuperset(map(type, column)):
        return column
    from orjson import Fragment, dumps

    cells: list[Any] = []
    for value in column:
        kind = type(value)
        if kind is float:
            cells.append(value if value - value == 0.0 else plain(value))
        elif kind is dict or kind is list:
            encoded = dumps(value)
            cells.append(_writable(value) if b"null" in encoded else Fragment(encoded))
        else:
            cells.append(value if kind in _WRITTEN_AS_THEY_ARE else _writable(value))
    return cells


def _writable(value: Any) -> Any:
    """The value made of nothing but what the library writes as it should."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return whole_characters(value)
    if isinstance(value, int):
        return int(value) if _LEAST_INTEGER <= value <= _MOST_INTEGER else str(int(value))
    if isinstance(value, float):
        return float(value) if value - value == 0.0 else plain(float(value))
    if isinstance(value, Mapping):
        return {whole_characters(str(key)): _writable(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_writable(part) for part in value]
    referred = reference(value)
    return _as_text(value) if referred is None else _writable(referred)


def _as_text(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    decimal = to_decimal(value)
    return whole_characters(other_text(value)) if decimal is None else plain(decimal)
