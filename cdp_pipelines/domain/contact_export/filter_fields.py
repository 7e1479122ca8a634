"""Which fields a filter or a sort may name: the company's own, but none that is hidden.

A hidden field never leaves; a filter on it would tell its values one comparison at a time, so it does not exist here.
"""

from collections.abc import Iterable
from typing import Final

from cdp_pipelines.domain.contact_export.fields import FieldProperty, is_safe_top_level_name
from cdp_pipelines.domain.contact_export.filter_values import FilterField, FilterKind
from cdp_pipelines.domain.contact_export.values import TIMESTAMP_NAMES, field_kind

_KINDS: Final[dict[str, FilterKind]] = {
    "number": "number", "percentage": "percentage", "currency": "currency", "date": "date", "timestamp": "instant",
    "gps": "place", "text_area": "text", "text": "text",
}  # fmt: skip


def filter_fields(properties: Iterable[FieldProperty]) -> dict[str, FilterField]:
    """The usable fields by name; `created_at` and `updated_at` are on every contact, listed or not."""
    listed = list(properties)
    hidden = {field.name for field in listed if field.is_hidden}
    usable = {name: FilterField(name, custom=False, is_instant=True) for name in sorted(TIMESTAMP_NAMES - hidden)}
    for field in listed:
        if field.name in hidden or (field.is_default and not is_safe_top_level_name(field.name)):
            continue
        kind = _KINDS[field_kind(field)]
        usable.setdefault(field.name, FilterField(field.name, custom=not field.is_default, kind=kind))
    return usable
