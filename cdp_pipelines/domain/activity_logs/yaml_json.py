"""JSON text, and what a database driver has already read from a `jsonb` column, to the same plain values."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, NoReturn

from cdp_pipelines.domain.activity_logs.yaml_limits import DEEPEST, Budget, Refused, check_depth
from cdp_pipelines.domain.activity_logs.yaml_scalars import (
    decimal_text,
    key_text,
    real_number,
    whole_number,
    without_surrogates,
)

_MOST_BITS: Final = 2_048


def read_json(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        JSONDecodeError: it is not JSON.
        Refused: it has a constant that JSON does not know, or is beyond the bounds.
    """
    try:
        value = json.loads(text, parse_constant=_no_constant, parse_int=whole_number, parse_float=real_number)
    except RecursionError:
        raise Refused(f"nested more than {DEEPEST} levels deep") from None
    return plain_data(value)


def plain_data(value: Any) -> Any:
    """A copy with keys as text and only the values that texts give.

    Raises:
        Refused: a value of another kind, or beyond the bounds.
    """
    return _plain(value, Budget(), 0)


def _plain(value: Any, budget: Budget, depth: int) -> Any:
    kind = type(value)
    if kind is str:
        budget.spend(1, len(value))
        return without_surrogates(value)
    budget.spend(1)
    if value is None or kind is bool or kind is float:
        return value
    if isinstance(value, Mapping):
        check_depth(depth + 1)
        return {_key(key, budget): _plain(item, budget, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        check_depth(depth + 1)
        return [_plain(item, budget, depth + 1) for item in value]
    return _driver_value(value)


def _key(key: Any, budget: Budget) -> str:
    return key_text(_plain(key, budget, DEEPEST))


def _driver_value(value: Any) -> Any:
    if type(value) is int and value.bit_length() <= _MOST_BITS:
        return value
    if isinstance(value, Decimal):
        return decimal_text(str(value))
    if isinstance(value, datetime):
        # A time without a zone is UTC everywhere in the CRM.
        instant = value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
        return f"{instant.isoformat(timespec='microseconds')}Z"
    if isinstance(value, date):
        return value.isoformat()
    raise Refused(f"a value of the type {type(value).__name__}")


def _no_constant(_: str) -> NoReturn:
    raise Refused("NaN or Infinity, which JSON does not know")
