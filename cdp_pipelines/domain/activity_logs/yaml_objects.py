"""What a tag of Ruby's YAML leaves of a value: always plain data, never an object of the class it names.

Belongs here: tags and the shapes that Rails dumps under them. Unknown tags read as their plain value.
"""

import json
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any, Final

from cdp_pipelines.domain.activity_logs.yaml_scalars import (
    decimal_text,
    range_fields,
    resolve_plain,
    tagged_float,
    tagged_int,
)

_YAML_ORG: Final = "tag:yaml.org,2002:"
_IPV4: Final = 2
_TIME_FIELDS: Final = {"utc", "zone", "time"}
# The fields of Ruby's DelegateClass and SimpleDelegator.
_DELEGATES: Final = {"delegate_dc_obj", "delegate_sd_obj"}

BINARY: Final = "binary"
SETS: Final = frozenset({"set", "ruby/set"})
"""Mappings whose keys are the members of a set."""
SET_OBJECTS: Final = frozenset({"ruby/object:Set", "ruby/object:SortedSet", "ruby/set"})
"""Objects that keep the members of a set as the keys of their field `MEMBERS`."""
MEMBERS: Final = "hash"


def tag_name(tag: str) -> str:
    """The tag without its prefix: `!float`, `!!float` and the long form are the same to Psych."""
    return tag.removeprefix(_YAML_ORG).lstrip("!")


def scalar_value(name: str, text: str, *, quoted: bool) -> Any:
    """The value of a tagged scalar."""
    reader = _SCALARS.get(name.partition(":")[0]) or _SCALARS.get(name)
    if reader is not None:
        return reader(text)
    return text if quoted else resolve_plain(text)


def list_value(name: str, items: list[Any]) -> Any:
    """The value of a tagged list."""
    if name == "omap" and all(isinstance(item, dict) for item in items):
        return {key: value for item in items for key, value in item.items()}
    return items


def mapping_value(name: str, fields: dict[str, Any]) -> Any:
    """The value of a tagged mapping: what it wraps if it is a known wrapper, else the mapping itself."""
    kind = name.partition(":")[0]
    reader = _MAPPINGS.get(name) or _MAPPINGS.get(kind)
    if reader is not None:
        return reader(fields)
    return _delegated(fields) if kind == "ruby/object" else fields


def unique_members(members: list[Any]) -> list[Any]:
    """The members of a set, each once, in their order; `1` and `'1'` are two."""
    found: dict[str, Any] = {}
    for member in members:
        found.setdefault(json.dumps(member, sort_keys=True), member)
    return list(found.values())


_SCALARS: Final[dict[str, Callable[[str], Any]]] = {
    "str": str,
    "ruby/string": str,
    "ruby/symbol": str,
    "ruby/sym": str,
    "ruby/regexp": str,
    "ruby/class": str,
    "ruby/module": str,
    "ruby/encoding": str,
    "ruby/range": range_fields,
    "float": tagged_float,
    "int": tagged_int,
    "bool": resolve_plain,
    "timestamp": resolve_plain,
    "null": resolve_plain,
    "ruby/object:BigDecimal": decimal_text,
    "ruby/object:DateTime": resolve_plain,
    "ruby/object:Time": resolve_plain,
    "ruby/object:Date": resolve_plain,
}


def _wrapped(field: str, *beside: str) -> Callable[[dict[str, Any]], Any]:
    """What stands in `field`, if there is nothing but it and the fields `beside` it; any others go if none is named."""

    def unwrap(fields: dict[str, Any]) -> Any:
        known = not beside or fields.keys() <= {field, *beside}
        return fields[field] if known and field in fields else fields

    return unwrap


def _time_of_day(fields: dict[str, Any]) -> Any:
    """The instant of a time column as Rails 7 writes it: a delegator to a TimeWithZone (with its fields) or a Time."""
    return fields["utc"] if "utc" in fields else _delegated(fields)


def _delegated(fields: dict[str, Any]) -> Any:
    """Whatever class wraps it, what a delegator stands for; a TimeWithZone under the name of another class."""
    if fields.keys() == _TIME_FIELDS:
        return fields["utc"]
    if len(fields) == 1:
        for field in _DELEGATES & fields.keys():
            return fields[field]
    return fields


def _address(fields: dict[str, Any]) -> Any:
    """`203.0.113.7`, or `10.0.0.0/8` if the address is of a network."""
    number, mask, family = fields.get("addr"), fields.get("mask_addr"), fields.get("family")
    if type(number) is not int:
        return fields
    kind = IPv4Address if family == _IPV4 else IPv6Address
    try:
        address = kind(number)
        if type(mask) is not int or mask == 2**address.max_prefixlen - 1:
            return str(address)
        return str(ip_network(f"{address}/{mask.bit_count()}", strict=False))
    except ValueError:
        return fields


def _set(fields: dict[str, Any]) -> Any:
    """The members of a set; nothing else is known to stand beside them but a SortedSet's second list of them."""
    members = fields.get(MEMBERS)
    if fields.keys() - {MEMBERS, "keys"} or not isinstance(members, list | dict):
        return fields
    return list(members)


_MAPPINGS: Final[dict[str, Callable[[dict[str, Any]], Any]]] = {
    # `time` is local time mislabelled Z, so only `utc` is the instant.
    "ruby/object:ActiveSupport::TimeWithZone": _wrapped("utc"),
    "ruby/object:ActiveRecord::Type::Time::Value": _time_of_day,
    "ruby/object:ActionController::Parameters": _wrapped("parameters"),
    "ruby/object:OpenStruct": _wrapped("table", "modifiable"),
    "ruby/object:IPAddr": _address,
    "ruby/object:Set": _set,
    "ruby/object:SortedSet": _set,
    "ruby/string": _wrapped("str"),
    "str": _wrapped("str"),
    "ruby/array": _wrapped("internal", "ivars"),
    "ruby/hash-with-ivars": _wrapped("elements", "ivars"),
}
