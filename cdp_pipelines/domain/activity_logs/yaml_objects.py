"""What a tag of Ruby's YAML leaves of a value: always plain data, never an object of the class it names.

Belongs here: tags and the shapes that Rails dumps under them. Unknown tags read as their plain value.
"""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any, Final

from cdp_pipelines.domain.activity_logs.yaml_scalars import (
    Scalar,
    binary_text,
    decimal_text,
    resolve_plain,
)

_YAML_ORG: Final = "tag:yaml.org,2002:"
_IPV4: Final = 2


def tag_name(tag: str) -> str:
    """The tag without its prefix: `!float`, `!!float` and the long form are the same to Psych."""
    return tag.removeprefix(_YAML_ORG).lstrip("!")


def scalar_value(name: str, text: str, *, quoted: bool) -> Scalar:
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
    reader = _MAPPINGS.get(name) or _MAPPINGS.get(name.partition(":")[0])
    return fields if reader is None else reader(fields)


def _number(text: str) -> Scalar:
    value = resolve_plain(text)
    return float(value) if type(value) is int and abs(value) < 2**53 else value


_SCALARS: Final[dict[str, Callable[[str], Scalar]]] = {
    "str": str,
    "ruby/string": str,
    "ruby/symbol": str,
    "ruby/sym": str,
    "ruby/regexp": str,
    "ruby/class": str,
    "ruby/module": str,
    "ruby/encoding": str,
    "ruby/range": str,
    "binary": binary_text,
    "float": _number,
    "int": resolve_plain,
    "bool": resolve_plain,
    "timestamp": resolve_plain,
    "null": lambda _: None,
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


def _members(fields: dict[str, Any]) -> Any:
    """The members of a Ruby Set, which are the keys of its `hash`."""
    members = fields.get("hash")
    return list(members) if isinstance(members, dict) and len(fields) == 1 else fields


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


_MAPPINGS: Final[dict[str, Callable[[dict[str, Any]], Any]]] = {
    # `time` is local time mislabelled Z, so only `utc` is the instant.
    "ruby/object:ActiveSupport::TimeWithZone": _wrapped("utc"),
    "ruby/object:ActionController::Parameters": _wrapped("parameters"),
    "ruby/object:OpenStruct": _wrapped("table", "modifiable"),
    "ruby/object:IPAddr": _address,
    "ruby/object:Set": _members,
    "ruby/set": _members,
    "ruby/string": _wrapped("str"),
    "str": _wrapped("str"),
    "ruby/array": _wrapped("internal", "ivars"),
    "ruby/hash-with-ivars": _wrapped("elements", "ivars"),
    "set": list,
}
