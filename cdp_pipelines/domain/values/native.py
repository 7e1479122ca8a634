"""Any stored value as JSON has it: texts, numbers, true, false, null, lists and objects. Nothing is rounded.

BSON values are known by what they can do (`to_decimal`, `as_datetime`), so that no driver is imported.
"""

import math
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from cdp_pipelines.domain.values.moments import IsoOf, far_instant, to_instant
from cdp_pipelines.domain.values.numbers import plain, to_decimal
from cdp_pipelines.domain.values.others import other_text, reference

_MAX_DEPTH: Final = 100


class NativeWriter:
    """Instants become ISO-8601 text, decimals numbers if a double holds them exactly and texts if not, bytes base64.

    What else there is becomes its text, and so does what is nested deeper than anybody can have meant.
    """

    def __init__(self, iso: IsoOf) -> None:
        self._iso = iso

    def native(self, value: Any, depth: int = 0) -> Any:
        """The value as JSON has it."""
        kind = type(value)
        if kind is str or kind is int or kind is bool or value is None:
            return value
        if kind is float:
            return value + 0.0 if math.isfinite(value) else plain(value)  # -0.0 becomes 0.0
        if isinstance(value, Mapping | list | tuple):
            return self._nested(value, depth + 1) if depth < _MAX_DEPTH else str(value)
        referred = reference(value)
        return self.native(referred, depth) if referred is not None else self._scalar(value)

    def _nested(self, value: Any, depth: int) -> Any:
        if isinstance(value, Mapping):
            return {str(key): self.native(part, depth) for key, part in value.items()}
        return [self.native(part, depth) for part in value]

    def _scalar(self, value: Any) -> Any:
        # The driver's own kinds of texts and whole numbers.
        if isinstance(value, str):
            return str(value)
        if isinstance(value, int) and not callable(getattr(value, "as_datetime", None)):
            return int(value)
        if isinstance(value, date) and not isinstance(value, datetime):
            return value.isoformat()
        decimal = to_decimal(value)
        if decimal is not None:
            return _exact(decimal)
        instant = to_instant(value)
        return self._iso(instant) if instant is not None else far_instant(value) or other_text(value)


def _exact(decimal: Decimal) -> int | float | str:
    if not decimal.is_finite():
        return plain(decimal)
    if decimal == decimal.to_integral_value() and abs(decimal) < 2**63:
        return int(decimal)
    double = float(decimal)
    return double if math.isfinite(double) and Decimal(repr(double)) == decimal else plain(decimal)
