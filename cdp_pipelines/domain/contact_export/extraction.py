"""Where the values of a contact are: default fields at the top, custom ones in `custom_fields` by their key.

Belongs here: finding values in documents as they come, tidy or not. Not here: what becomes of them (`values.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from typing import Any, Final, TypeAlias

from cdp_pipelines.domain.contact_export.fields import CUSTOM_FIELDS

Contact: TypeAlias = Mapping[str, Any]
Extract: TypeAlias = Callable[[Sequence[Contact]], list[Sequence[Any]]]

_VALUE: Final = "value"
_CODE: Final = "currency_code"


def extractor(top_level: Sequence[str], custom: Sequence[str], coded: Sequence[str], missing: Any) -> Extract:
    """A function from contacts to columns of values: those at the top, the custom ones, the currency codes of some.

    The columns come in the order of the three lists, each as long as the batch, with `missing` for what is not there.
    """
    nothing = repeat(missing)

    def row(contact: Contact) -> list[Any]:
        # All values of a contact at once, while it is in the processor's cache: column by column costs twice.
        values, codes = custom_values_and_codes(contact)
        return [*map(contact.get, top_level, nothing), *map(values.get, custom, nothing), *map(codes.get, coded)]

    def columns(contacts: Sequence[Contact]) -> list[Sequence[Any]]:
        if not contacts:
            return [() for _ in range(len(top_level) + len(custom) + len(coded))]
        if not custom:
            return [[contact.get(name, missing) for contact in contacts] for name in top_level]
        return list(zip(*map(row, contacts), strict=True))

    return columns


def custom_values_and_codes(contact: Contact) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The values of `custom_fields` by key, and the currency codes of the same entries, for those that have one.

    The first of equal keys wins; entries that are none are passed over.
    """
    entries = contact.get(CUSTOM_FIELDS)
    if not entries:
        return {}, {}
    try:
        values = {entry["key"]: entry["value"] for entry in entries}
        if len(values) == len(entries):
            return values, {entry["key"]: entry[_CODE] for entry in entries if _CODE in entry}
    except (TypeError, KeyError, IndexError):
        pass  # Untidy, so it takes the way of the untidy below.
    tidy = _tidy(entries)
    return {key: entry.get(_VALUE) for key, entry in tidy.items()}, {
        key: entry.get(_CODE) for key, entry in tidy.items()
    }


def _tidy(entries: Any) -> dict[str, Mapping[str, Any]]:
    tidy: dict[str, Mapping[str, Any]] = {}
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, Mapping) and isinstance(entry.get("key"), str):
            tidy.setdefault(entry["key"], entry)
    return tidy
