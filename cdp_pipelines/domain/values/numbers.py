"""Numbers of an export: which values are numbers, and how they read as plain, percent and money.

Belongs here: number fields and every number that ends up in a text. A number that a double cannot hold exactly is not
rounded: its callers write it as text, unchanged. Not here: dates (`moments.py`), other texts (`texts.py`).
"""

import math
import re
from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import Any, Final, TypeAlias

from cdp_pipelines.domain.cells import CellStyle, XlsxCell, styled
from cdp_pipelines.domain.formula_guard import SUSPECT_FIRST, guard_csv, guard_xlsx

Number: TypeAlias = int | float | Decimal
TextOf: TypeAlias = Callable[[Any], str]

EXACT_INTEGER: Final = 2**53
"""Every integer up to here is a double exactly."""

# From here on a spreadsheet shows a number without a format as 1E+11: identifiers would be unreadable.
_SHOWN_WITH_EXPONENT: Final = 10**11
_LONGEST_SHOWN: Final = 10**21
_PLAIN_INTEGER_STYLE: Final = CellStyle("0")

# A spreadsheet shows 15 significant digits; more decimals would only make more formats.
_MAX_DECIMALS: Final = 15
# Spreadsheets refuse files with more than some 200 number formats, and a currency code is free text of the contact.
_MAX_MONEY_STYLES: Final = 120
# A double reaches 308; a BSON decimal reaches 6,144, which nobody wants to read digit by digit.
_MAX_PLAIN_EXPONENT: Final = 330

# A decimal has 34 digits; with a double beside it a sum may need some more.
_SUM_DIGITS: Final = 400

_PLAIN_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_CURRENCY_CODE: Final = re.compile(r"[A-Za-z]{2,5}")


def to_number(value: Any) -> Number | None:
    """The number a value is, if a double holds it exactly; a bool, NaN, infinity or untidy text is none.

    A BSON decimal is known by its `to_decimal()`; a text counts if it is written plainly (`-12.50`).
    """
    kind = type(value)
    if kind is int:
        return value if -EXACT_INTEGER <= value <= EXACT_INTEGER or _fits(value) else None
    if kind is float:
        return value if math.isfinite(value) else None
    if kind is str:
        return _exact(Decimal(value)) if _PLAIN_NUMBER.fullmatch(value) else None
    if kind is bool:
        return None
    if isinstance(value, int):
        return to_number(int(value))
    if isinstance(value, float):
        return to_number(float(value))
    decimal = to_decimal(value)
    return None if decimal is None else _exact(decimal)


def to_decimal(value: Any) -> Decimal | None:
    """The value of a Decimal or of a BSON decimal; None for anything else."""
    convert = getattr(value, "to_decimal", None)
    found = convert() if callable(convert) else value
    return found if isinstance(found, Decimal) else None


def exact_sum(number: Any, of_decimals: Any) -> Any:
    """The sum of integers and doubles and of decimals, each added up apart, by the digits that each is written with.

    Without decimals it is what it was, and without a finite number on either side nothing is gained by digits.
    """
    decimals = to_decimal(of_decimals)
    if decimals is None:
        return number
    if not decimals.is_finite() or not math.isfinite(number):
        return float(number) + float(decimals) if not decimals.is_snan() else float("nan")
    with localcontext(prec=_SUM_DIGITS):
        return decimals + Decimal(plain(number))


def plain(number: Number) -> str:
    """Digits only: no grouping, no exponent, no `.0` (`-0` is `0`); else `NaN`, `Infinity` or `-Infinity`."""
    if isinstance(number, float):
        if number - number != 0.0:
            return _nameless(number)
        text = repr(number)
        if "e" not in text:
            if text[-2:] != ".0":
                return text
            return "0" if text == "-0.0" else text[:-2]
        number = Decimal(text)
    elif isinstance(number, int):
        return str(number)
    if not number.is_finite():
        return _nameless(number)
    if abs(number.adjusted()) > _MAX_PLAIN_EXPONENT:
        return str(number)
    return _trimmed(f"{number:f}")


def number_csv(text_of: TextOf) -> Callable[[Any], str]:
    """Cells of a plain number column in a CSV file."""

    def cell(value: Any) -> str:
        kind = type(value)
        if kind is int:
            return str(value)
        if kind is float:
            return plain(value)
        number = to_number(value)
        if number is None:
            return text_of(value)
        # A text that is a number already keeps the digits its owner wrote: 1.50 stays 1.50.
        return value if isinstance(value, str) else plain(number)

    return cell


def number_xlsx(text_of: TextOf) -> Callable[[Any], XlsxCell]:
    """Cells of a plain number column in a sheet."""

    def cell(value: Any) -> XlsxCell:
        number = to_number(value)
        if number is None:
            return text_of(value)
        number = _double(number)
        if _SHOWN_WITH_EXPONENT <= abs(number) < _LONGEST_SHOWN and number == int(number):
            return styled((number, _PLAIN_INTEGER_STYLE))
        return number

    return cell


def percentage_csv(text_of: TextOf) -> Callable[[Any], str]:
    """`12.5%` for 12.5."""

    def cell(value: Any) -> str:
        number = value if type(value) is float and value - value == 0.0 else to_number(value)
        return text_of(value) if number is None else plain(number) + "%"

    return cell


def percentage_xlsx(text_of: TextOf) -> Callable[[Any], XlsxCell]:
    """0.125 shown as `12.5%` for 12.5, with as many decimals as the value has."""
    styles = [CellStyle(f"0.{'0' * decimals}%" if decimals else "0%") for decimals in range(_MAX_DECIMALS + 1)]

    def cell(value: Any) -> XlsxCell:
        number = to_number(value)
        if number is None:
            return text_of(value)
        digits = plain(number)
        # Moving the point in the digits is exact; dividing the double by 100 is not.
        return styled((float(digits + "e-2"), styles[_decimals(digits)]))

    return cell


def currency_csv(text_of: TextOf) -> Callable[[Any, Any], str]:
    """`IDR 1,000,000`, `IDR -1,000`; without a code only the grouped number. Takes the value and its code."""

    def cell(value: Any, code: Any) -> str:
        if type(value) is int and type(code) is str and code.isalpha() and -EXACT_INTEGER <= value <= EXACT_INTEGER:
            text = f"{code} {value:,}"
            return text if text[0] not in SUSPECT_FIRST else guard_csv(text)
        number = to_number(value)
        if number is None:
            return text_of(value)
        label = _label(code)
        return guard_csv(f"{label} {_grouped(number)}") if label else _grouped(number)

    return cell


def currency_xlsx(text_of: TextOf) -> Callable[[Any, Any], XlsxCell]:
    """A number shown as `IDR 1,000,000`; takes the value and its code. One call serves one file: it counts styles."""
    styles: dict[tuple[str, int], CellStyle] = {}

    def cell(value: Any, code: Any) -> XlsxCell:
        number = value if type(value) is int and -EXACT_INTEGER <= value <= EXACT_INTEGER else to_number(value)
        if number is None:
            return text_of(value)
        label = code if type(code) is str and code.isalpha() else _label(code)
        decimals = 0 if type(number) is int else _decimals(plain(number))
        style = styles.get((label, decimals))
        if style is None:
            usable = not label or _CURRENCY_CODE.fullmatch(label)
            if not usable or len(styles) >= _MAX_MONEY_STYLES:
                return guard_xlsx(f"{label} {_grouped(number)}".lstrip())
            style = styles[label, decimals] = CellStyle(_money_format(label, decimals))
        return styled((_double(number), style))

    return cell


def _money_format(label: str, decimals: int) -> str:
    digits = f"#,##0.{'0' * decimals}" if decimals else "#,##0"
    # Without a negative section the sign would come before the code: -IDR 1,000.
    return f'"{label} "{digits};"{label} "-{digits}' if label else digits


def _grouped(number: Number) -> str:
    if isinstance(number, int):
        return f"{number:,}"
    return _trimmed(f"{number if isinstance(number, Decimal) else Decimal(repr(number)):,f}")


def _nameless(number: float | Decimal) -> str:
    """One word whatever type it was: a double says `nan`, a decimal `sNaN` or `NaN123`."""
    if (isinstance(number, Decimal) and number.is_nan()) or number != number:
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"


def _trimmed(digits: str) -> str:
    """Without zeros after the last decimal; done on the digits, since Decimal's own way rounds to 28 of them."""
    if "." in digits:
        digits = digits.rstrip("0").rstrip(".")
    return "0" if digits == "-0" else digits


def _label(code: Any) -> str:
    return "" if code is None else str(code).strip()


def _decimals(digits: str) -> int:
    point = digits.find(".")
    return 0 if point < 0 else min(len(digits) - point - 1, _MAX_DECIMALS)


def _double(number: Number) -> int | float:
    if isinstance(number, int) and -EXACT_INTEGER <= number <= EXACT_INTEGER:
        return number
    return float(number) + 0.0  # -0.0 becomes 0.0


def _exact(number: Decimal) -> Number | None:
    return number if number.is_finite() and _fits(number) else None


def _fits(number: int | Decimal) -> bool:
    try:
        double = float(number)
    except OverflowError:
        return False
    return math.isfinite(double) and Decimal(repr(double)) == number
