"""What an entity export, a template or a schedule asks for, as it may be shown: names and counts, no value of a filter.

Documents in the queue are written by others, so anything may stand in them; what cannot be named is not shown.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from cdp_pipelines.domain.entity_export.catalogue import ENTITIES
from cdp_pipelines.domain.entity_export.entities import METADATA, METADATA_PREFIX
from cdp_pipelines.domain.entity_export.filter_values import OPERATORS
from cdp_pipelines.domain.entity_export.filters import filter_names
from cdp_pipelines.domain.web_address import FetchBlocked, read_address

Document = Mapping[str, Any]

_SHOWN: Final = ("format", "compression", "order", "timezone", "fresh")
_NO_NAME: Final = "(an unknown name)"
_CONDITIONS: Final = ("conditions", "junction")


def parameter_facts(document: Document) -> dict[str, Any]:
    """`{format, compression, order, timezone, fresh, fields, filters: [name and operators], campaign_count}`."""
    parameters = document.get("parameters")
    parameters = parameters if isinstance(parameters, Mapping) else {}
    facts: dict[str, Any] = {name: _plain(parameters.get(name)) for name in _SHOWN}
    fields = parameters.get("fields")
    facts["fields"] = [name for name in fields if isinstance(name, str)] if isinstance(fields, list) else None
    facts["filters"] = list(filter_texts(parameters.get("filters"), document.get("exported_object")))
    campaigns = parameters.get("campaign_ids")
    count = len(campaigns) if isinstance(campaigns, list) else 0
    facts["campaign_count"] = count + bool(parameters.get("campaign_id"))
    return facts


def parameter_lines(document: Document) -> list[tuple[str, object]]:
    """The same as names and values for people; values may be empty."""
    facts = parameter_facts(document)
    return [
        ("format", " ".join(str(facts[name]) for name in ("format", "compression") if facts[name])),
        ("fields", ", ".join(facts["fields"] or [])),
        ("order", facts["order"]),
        ("filters", "; ".join(facts["filters"])),
        ("campaigns", facts["campaign_count"]),
        ("timezone", facts["timezone"]),
        ("fresh", facts["fresh"]),
    ]


def filter_texts(filters: object, exported_object: object) -> Iterator[str]:
    """`created_at $after`, `status $in`: each name that is filtered on with its operators, without a value."""
    if not isinstance(filters, Mapping):
        return
    for name, asked in filters.items():
        if name == "junction":
            continue
        nested = name == METADATA and isinstance(asked, Mapping) and not _has_conditions(asked)
        for part, conditions in asked.items() if nested else [(name, asked)]:
            shown = f"{METADATA_PREFIX}{part}" if nested else part
            known = _is_known(shown, exported_object)
            yield " ".join([shown if known else _NO_NAME, *_operators(conditions)])


def _has_conditions(asked: Document) -> bool:
    return any(key in _CONDITIONS or str(key).startswith("$") for key in asked)


def _is_known(name: object, exported_object: object) -> bool:
    entity = ENTITIES.get(exported_object) if isinstance(exported_object, str) else None
    if entity is None or not isinstance(name, str):
        return False
    return name in filter_names(entity) or name.startswith(entity.filter_prefixes)


def _operators(asked: object) -> list[str]:
    if not isinstance(asked, Mapping):
        return ["$in"]
    conditions = asked.get("conditions", asked)
    return [name for name in conditions if name in OPERATORS] if isinstance(conditions, Mapping) else []


def webhook_host(document: Document) -> str | None:
    """`https://hooks.example.com`: where a webhook goes, without path and query, which may hold secrets."""
    asked = document.get("webhook")
    url = asked.get("url") if isinstance(asked, Mapping) else asked
    if not isinstance(url, str) or not url:
        return None
    try:
        address = read_address(url)
    except FetchBlocked:
        return "(not an address)"
    return f"{address.scheme}://{address.authority}"


def _plain(value: object) -> object:
    return value if isinstance(value, str | bool) or value is None else type(value).__name__
