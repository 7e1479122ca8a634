"""What any value reads like as text, and the places of `gps` fields.

Every text that came from data passes the formula guard here; numbers, dates and places of two numbers do not need it.
BSON values are known by what they can do (`to_decimal`, `as_datetime`), so that no driver is imported.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, Final, TypeAlias

from cdp_pipelines.domain.values.moments import IsoOf, far_instant, to_instant
from cdp_pipelines.domain.values.numbers import plain, to_decimal, to_number
from cdp_pipelines.domain.values.others import other_text, reference

Guard: TypeAlias = Callable[[str], str]
TextOf: TypeAlias = Callable[[Any], str]

_COORDINATE: Final = r"[+-]?[0-9]{1,3}(?:\.[0-9]+)?"
_PLACE_TEXT: Final = re.compile(rf" *{_COORDINATE} *, *{_COORDINATE} *")
_JSON_TYPES: Final = (list, tuple, Mapping)
_PLACE_KEYS: Final = (("lat", "lng"), ("latitude", "longitude"), ("lat", "lon"), ("lat", "long"))


def text_writer(guard: Guard, iso: IsoOf) -> TextOf:
    """A function that writes any value as the text of a cell: null is empty, lists and objects are compact JSON."""
    to_json = _json_writer(iso)

    def text_of(value: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, str):
            return guard(str(value))
        if value is True or value is False:
            return "true" if value else "false"
        if type(value) is list or isinstance(value, _JSON_TYPES):
            # It begins with a bracket or a brace, and of the separators only one stands in JSON as it is.
            text = to_json(value)
            return text if text[0] in "[{" and ";" not in text else guard(text)
        written = _scalar(value, iso)
        if written is not None:
            return written
        referred = reference(value)
        # Base64 may begin with a plus, and anything may stand in what an unknown type prints.
        return guard(to_json(referred) if referred is not None else other_text(value))

    return text_of


def place_writer(text_of: TextOf) -> TextOf:
    """Cells of a `gps` field: `lat,lng` from an object, a pair, a GeoJSON point or a text; else the value as text."""

    def cell(value: Any) -> str:
        if isinstance(value, str):
            return value if _PLACE_TEXT.fullmatch(value) else text_of(value)
        pair = _place(value)
        if pair is None:
            return text_of(value)
        latitude, longitude = map(to_number, pair)
        if latitude is None or longitude is None:
            return text_of(",".join(part if isinstance(part, str) else text_of(part) for part in pair))
        return f"{plain(latitude)},{plain(longitude)}"

    return cell


def _place(value: Any) -> tuple[Any, Any] | None:
    """Latitude and longitude, neither of them null; GeoJSON has them the other way round."""
    pair: tuple[Any, Any] | None = None
    if type(value) is dict or isinstance(value, Mapping):
        for latitude, longitude in _PLACE_KEYS:
            if latitude in value and longitude in value:
                pair = (value[latitude], value[longitude])
                break
        else:
            coordinates = value.get("coordinates")
            if isinstance(coordinates, list | tuple) and len(coordinates) >= 2:
                pair = (coordinates[1], coordinates[0])
    elif isinstance(value, list | tuple) and len(value) == 2:
        pair = (value[0], value[1])
    return pair if pair is not None and None not in pair else None


def _scalar(value: Any, iso: IsoOf) -> str | None:
    """The text of a value that can never be taken for a formula; None for one of another kind."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return plain(float(value))
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    decimal = to_decimal(value)
    if decimal is not None:
        return plain(decimal)
    instant = to_instant(value)
    return far_instant(value) if instant is None else iso(instant)


def _json_writer(iso: IsoOf) -> TextOf:
    def other(part: Any) -> Any:
        if isinstance(part, Mapping):
            return dict(part)
        return _scalar(part, iso) or reference(part) or other_text(part)

    # One encoder for the whole file: `json.dumps` would make one for every cell.
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=other, allow_nan=False).encode

    def to_json(value: Any) -> str:
        if type(value) is list and value:
            try:
                inside = '","'.join(value)
            except TypeError:
                inside = "\\"
            # Only the quotes put in between, and nothing that JSON escapes: this is what the encoder would write.
            if inside.count('"') == 2 * len(value) - 2 and "\\" not in inside and inside.isprintable():
                return f'["{inside}"]'
        try:
            return encode(value)
        except ValueError:
            # JSON has no NaN and no infinities; nothing but a value with one pays for looking at every part.
            try:
                return encode(_named(value))
            except (TypeError, ValueError, RecursionError):
                return str(value)
        except (TypeError, RecursionError):
            return str(value)

    return to_json


def _named(value: Any) -> Any:
    """The value with names for its numbers that are none, as texts."""
    if isinstance(value, float):
        return value if math.isfinite(value) else plain(float(value))
    if isinstance(value, Mapping):
        return {key: _named(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_named(part) for part in value]
    referred = reference(value)
    return value if referred is None else _named(referred)
