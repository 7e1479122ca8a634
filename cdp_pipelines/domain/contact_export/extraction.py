"""Where the values of a contact are: default fields at the top, custom ones in `custom_fields` by their key.

Belongs here: finding values in documents as they come, tidy or not. Not here: what becomes of them (`values.py`).
"""

from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Any, TypeAlias

from cdp_pipelines.domain.contact_export.fields import CUSTOM_FIELDS

Contact: TypeAlias = Mapping[str, Any]


class Extractor:
    """Takes columns of values out of contacts: fields at the top, custom ones, currency codes of the coded ones.

    What is not there is `missing`. Of entries with one key the first counts; entries that are none are passed over.
    """

    def __init__(self, top_level: Sequence[str], custom: Sequence[str], coded: Sequence[str], missing: Any) -> None:
        self._top_level = tuple(dict.fromkeys(top_level))
        codeless = [name for name in dict.fromkeys(custom) if name not in coded]
        coded = list(dict.fromkeys(coded))
        self._missing = missing
        self._nothing = repeat(missing)
        self._places = {name: len(self._top_level) + place for place, name in enumerate((*codeless, *coded))}
        self._first_coded = len(self._top_level) + len(codeless)
        self._to_code = len(coded)
        self._blank = [missing] * (len(codeless) + 2 * len(coded))

    def place(self, name: str, *, custom: bool) -> int:
        """Which column the values of a field are in."""
        return self._places[name] if custom else self._top_level.index(name)

    def place_of_code(self, name: str) -> int:
        """Which column the currency codes of a coded custom field are in."""
        return self._places[name] + self._to_code

    def columns(self, contacts: Sequence[Contact]) -> list[Sequence[Any]]:
        """The columns, each as long as the batch; `place` and `place_of_code` tell which is which."""
        if not contacts:
            return [() for _ in range(len(self._top_level) + len(self._blank))]
        if not self._blank:
            return [[contact.get(name, self._missing) for contact in contacts] for name in self._top_level]
        return list(zip(*map(self._row, contacts), strict=True))

    def _row(self, contact: Contact) -> list[Any]:
        # All values of a contact at once, while it is in the processor's cache: column by column costs twice.
        top = [*map(contact.get, self._top_level, self._nothing)]
        row = top + self._blank
        entries = contact.get(CUSTOM_FIELDS)
        if entries:
            try:
                self._fill(row, entries)
            except (TypeError, KeyError, AttributeError):
                row = top + self._blank
                self._fill(row, _tidy(entries))
        return row

    def _fill(self, row: list[Any], entries: Any) -> None:
        place_of, first_coded, to_code = self._places.get, self._first_coded, self._to_code
        # From the end, so that the first of equal keys is the one that stays.
        for entry in entries[::-1]:
            place = place_of(entry["key"])
            if place is not None:
                row[place] = entry["value"]
                if place >= first_coded:
                    row[place + to_code] = entry.get("currency_code")


def _tidy(entries: Any) -> list[dict[str, Any]]:
    return [
        {"key": entry["key"], "value": entry.get("value"), "currency_code": entry.get("currency_code")}
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, Mapping) and isinstance(entry.get("key"), str)
    ]
