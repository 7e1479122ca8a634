"""All the values that a cell shows alike: what a filter on a cell's text must find (SPEC 4).

A cell shows 5, 5.0, `Decimal128("5")` and "5" alike, an id of 24 hex digits as a text has it, and an instant as
ISO-8601 in whatever zone. So what is asked for is a list of forms, and the database finds each of them by itself.

Not here: texts that stand for numbers and instants in fields of these kinds (`entity_places.py`).
"""

import base64
import binascii
import json
import math
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from bson import Binary, Decimal128, ObjectId

from cdp_pipelines.domain.entity_export.entities import FieldKind
from cdp_pipelines.domain.entity_export.filter_values import Scalar
from cdp_pipelines.domain.values.moments import to_instant
from cdp_pipelines.domain.values.numbers import plain

_HEX_ID: Final = re.compile(r"[0-9a-f]{24}")
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_TRUTHS: Final = {"true": True, "false": False}
_NO_NUMBERS: Final = {"nan": math.nan, "inf": math.inf, "infinity": math.inf, "-inf": -math.inf, "-infinity": -math.inf}
_SUBTYPES: Final = (0, 3, 5, 128)
_MOST_NUMBER_TEXT: Final = 34
"""Digits of a BSON decimal."""


def forms(value: Scalar, kind: FieldKind) -> list[Any]:
    """What is stored where a cell shows this value, itself first."""
    if isinstance(value, bool):
        return [value, "true" if value else "false"]
    if isinstance(value, Decimal):
        return [decimal_of(value)]
    if isinstance(value, int | float):
        return [value, decimal_of(value), *([] if kind == "number" else [plain(value)])]
    if isinstance(value, str) and kind not in {"number", "boolean", "instant", "day"}:
        return [value, *_of_text(value)]
    return [value]


def decimal_of(value: object) -> Decimal128:
    """A number as a decimal of the same digits; a double and a decimal of the same digits are not equal in BSON."""
    return Decimal128(Decimal(repr(value)) if isinstance(value, float) else Decimal(str(value)))


def stored(value: object) -> Any:
    """A value of a filter as the driver takes it."""
    return decimal_of(value) if isinstance(value, Decimal) else value


def same_json(path: str, asked: Scalar) -> dict[str, Any] | None:
    """A condition: at `path` is the list or object that the cell writes as this JSON text; None if the text is none."""
    if not isinstance(asked, str) or asked[:1] not in {"[", "{"}:
        return None
    try:
        wanted = json.loads(asked)
    except (ValueError, RecursionError):
        return None
    kind = "array" if isinstance(wanted, list) else "object"
    return {"$and": [{path: {"$type": kind}}, {"$expr": _same(f"${path}", wanted)}]}


def _same(value: Any, wanted: Any) -> Any:
    if isinstance(wanted, list):
        parts = [_same({"$arrayElemAt": [value, place]}, each) for place, each in enumerate(wanted)]
        return _if_a("array", value, [{"$eq": [{"$size": value}, len(wanted)]}], parts)
    if isinstance(wanted, dict):
        parts = [
            _same({"$getField": {"field": {"$literal": key}, "input": value}}, each) for key, each in wanted.items()
        ]
        return _if_a("object", value, [{"$eq": [{"$size": {"$objectToArray": value}}, len(wanted)]}], parts)
    if wanted is None:
        return {"$in": [{"$type": value}, ["null", "undefined"]]}
    return {"$in": [value, [{"$literal": form} for form in forms(wanted, "any")]]}


def _if_a(kind: str, value: Any, sizes: list[Any], parts: list[Any]) -> Any:
    # One after the other: what is no list has no size, and asking would end the whole query.
    inside = {"$cond": [{"$and": sizes}, {"$and": parts}, False]}
    return {"$cond": [{"$eq": [{"$type": value}, kind]}, inside, False]}


def _of_text(text: str) -> list[Any]:
    found: list[Any] = []
    if text in _TRUTHS:
        found.append(_TRUTHS[text])
    elif text.lower() in _NO_NUMBERS:
        number = _NO_NUMBERS[text.lower()]
        found += [number, Decimal128(Decimal(number))]
    elif len(text) <= _MOST_NUMBER_TEXT and _NUMBER.fullmatch(text):
        found += _numbers(text)
    elif _HEX_ID.fullmatch(text):
        found.append(ObjectId(text))
    elif _UUID.fullmatch(text):
        found.append(Binary.from_uuid(UUID(text)))
    elif (instant := to_instant(text)) is not None:
        found += _instants(instant)
    return found + _binaries(text)


def _numbers(text: str) -> list[Any]:
    """Numbers whose cell is this text: `5.0` and `05` are no number's."""
    decimal = Decimal(text)
    if plain(decimal) != text:
        return []
    whole = int(decimal) if decimal == decimal.to_integral_value() else None
    number: Any = whole if whole is not None and -(2**63) <= whole < 2**63 else float(text)
    return [number, Decimal128(decimal)]


def _instants(instant: datetime) -> list[Any]:
    try:
        return [instant.astimezone(UTC)]
    except OverflowError:
        return []


def _binaries(text: str) -> list[Any]:
    if not text or len(text) % 4:
        return []
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return []
    return [content, *(Binary(content, subtype) for subtype in _SUBTYPES[1:])]
