"""Which fields a filter or a sort may name: the company's own, but none that is hidden.

A hidden field never leaves; a filter on it would tell its values one comparison at a time, so it does not exist here.
"""

from collections.abc import Iterable
from typing import Final

from cdp_pipelines.domain.contact_export.fields import FieldProperty, is_safe_top_level_name
from cdp_pipelines.domain.contact_export.filters import FilterField
from cdp_pipelines.domain.contact_export.values import TIMESTAMP_NAMES, TIMESTAMP_TYPES

# What is written as an instant or a day is compared as one: the list is the one that cells go by.
_INSTANT_TYPES: Final = TIMESTAMP_TYPES | {"date"}


def filter_fields(properties: Iterable[FieldProperty]) -> dict[str, FilterField]:
    """The usable fields by name; `created_at` and `updated_at` are on every contact, listed or not."""
    listed = list(properties)
    hidden = {field.name for field in listed if field.is_hidden}
    usable = {name: FilterField(name, custom=False, is_instant=True) for name in sorted(TIMESTAMP_NAMES - hidden)}
    for field in listed:
        if field.name in hidden or (field.is_default and not is_safe_top_level_name(field.name)):
            continue
        instant = field.name in TIMESTAMP_NAMES or (field.is_default and field.field_type in _INSTANT_TYPES)
        usable.setdefault(field.name, FilterField(field.name, custom=not field.is_default, is_instant=instant))
    return usable
