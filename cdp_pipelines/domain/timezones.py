"""Which time zone a request asks for: an IANA id, a label that holds one, or the house default with a warning.

Belongs here: reading the text. Not here: how an instant is written in that zone (`contact_export/moments.py`).
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cdp_pipelines.domain.people_words import Words

DEFAULT_TIMEZONE: Final = "Asia/Jakarta"

_SHOWN_CHARACTERS: Final = 60
_PARENTHESES: Final = re.compile(r"\([^()]*\)")
# ZoneInfo takes a key for a path under the zone database: only names that can be an id get that far.
_IANA_ID: Final = re.compile(
    r"(?!posix/|right/|posixrules|localtime|Factory)[A-Z][A-Za-z0-9_+-]{1,31}(/[A-Za-z0-9_+-]{1,31}){0,2}"
)


class ZoneChoice(NamedTuple):
    """The zone to use, its IANA id, and what to tell the user when it is not the one asked for."""

    zone: ZoneInfo
    name: str
    warning: str | None


def resolve_timezone(text: object) -> ZoneChoice:
    """Read `Asia/Jakarta` or a label such as `(GMT+07:00) Asia/Jakarta`; anything else is the default and a warning."""
    if text is None or (isinstance(text, str) and not text.strip()):
        return _fallback("No timezone was given", "Zona waktu tidak diisi")
    if not isinstance(text, str):
        return _fallback("The timezone is not a text", "Zona waktu bukan berupa teks")
    return _resolve(text)


@lru_cache(maxsize=256)
def _resolve(text: str) -> ZoneChoice:
    label = _PARENTHESES.sub(" ", text).strip()
    for candidate in (label, *(word for word in label.split() if "/" in word)):
        zone = _zone(candidate)
        if zone is not None:
            return ZoneChoice(zone, zone.key, None)
    shown = text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."
    return _fallback(f"The timezone {shown!a} is not known", f"Zona waktu {shown!a} tidak dikenal")


def _zone(name: str) -> ZoneInfo | None:
    if not _IANA_ID.fullmatch(name):
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # OSError: the name is a folder of the database ("Asia") or too long for the file system.
        return None


def _fallback(reason: str, in_indonesian: str) -> ZoneChoice:
    warning = Words(
        f"{reason}; times are shown in {DEFAULT_TIMEZONE}. Send an IANA id such as {DEFAULT_TIMEZONE}.",
        f"{in_indonesian}; waktu ditampilkan dalam {DEFAULT_TIMEZONE}. Kirim id IANA seperti {DEFAULT_TIMEZONE}.",
    )
    return ZoneChoice(ZoneInfo(DEFAULT_TIMEZONE), DEFAULT_TIMEZONE, warning)
