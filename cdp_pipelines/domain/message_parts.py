"""What the messages of every export are made of: numbers, instants and links for people, and the Message-ID.

Belongs here: what does not depend on which export it is. Not here: sentences (`message_texts` of each export), layout
(`message_layout`).
"""

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Final

LONGEST_TEXT_CHARACTERS: Final = 500

_NOT_IN_ID: Final = re.compile(r"[^A-Za-z0-9_-]+")
_NOT_IN_DOMAIN: Final = re.compile(r"[^A-Za-z0-9.-]+")
_WEB_LINK: Final = re.compile(r"https?://[^\s<>\"]+")
_SIZE_UNITS: Final = ("kB", "MB", "GB", "TB")
_THOUSAND: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """How a language writes numbers and dates. `code` is ISO 639-1."""

    code: str
    thousands: str
    decimal: str
    months: tuple[str, ...]


ENGLISH_LANGUAGE: Final = Language(
    code="en",
    thousands=",",
    decimal=".",
    months=(
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ),
)
INDONESIAN_LANGUAGE: Final = Language(
    code="id",
    thousands=".",
    decimal=",",
    months=(
        "Januari",
        "Februari",
        "Maret",
        "April",
        "Mei",
        "Juni",
        "Juli",
        "Agustus",
        "September",
        "Oktober",
        "November",
        "Desember",
    ),
)

_INDONESIAN_CODES: Final = ("id", "in", "ind")


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposedMessage:
    """An email's subject (one line), text part and HTML part."""

    subject: str
    text: str = field(repr=False)
    html: str = field(repr=False)


def language_for(locale: str) -> Language:
    """The language of a locale such as `id-ID` or `in_ID` (Java's old name for Indonesian); else English."""
    code = locale.strip().replace("_", "-").partition("-")[0].casefold()
    return INDONESIAN_LANGUAGE if code in _INDONESIAN_CODES else ENGLISH_LANGUAGE


def message_id(request_id: str, variant: str, domain: str) -> str:
    """`<export.{request_id}.{variant}@{domain}>`: the same for the same email, so that a second one is seen as such.

    Whatever the parts hold, the result is a valid Message-ID.
    """
    local = _NOT_IN_ID.sub("_", request_id)[:100] or "_"
    host = re.sub(r"\.{2,}", ".", _NOT_IN_DOMAIN.sub("", domain)).strip(".-").lower() or "cdp.invalid"
    return f"<export.{local}.{variant}@{host}>"


def number_text(number: int, language: Language) -> str:
    """`1,234,567`, or `1.234.567` in Indonesian."""
    return f"{number:,}".replace(",", language.thousands)


def size_text(size_bytes: int, language: Language) -> str:
    """`999 B`, `1.2 MB`: in steps of 1,000, with one decimal, as file managers show it."""
    if size_bytes < _THOUSAND:
        return f"{size_bytes} B"
    # The first unit in which the rounded number stays under 1,000; the last takes whatever is left.
    power = next((n for n in range(1, len(_SIZE_UNITS)) if round(size_bytes / _THOUSAND**n, 1) < _THOUSAND), None)
    power = power or len(_SIZE_UNITS)
    return f"{size_bytes / _THOUSAND**power:.1f} {_SIZE_UNITS[power - 1]}".replace(".", language.decimal)


def moment_text(instant: datetime, zone: tzinfo, zone_name: str, language: Language) -> str:
    """`25 November 2026, 14:05 (Asia/Jakarta, UTC+07:00)`."""
    local = instant.astimezone(zone)
    offset = local.isoformat()[-6:]
    month = language.months[local.month - 1]
    return f"{local.day} {month} {local.year}, {local:%H:%M} ({one_line(zone_name)}, UTC{offset})"


def web_link(link: str | None) -> str | None:
    """The link if it is one that may stand in a message, else None."""
    return link if link and _WEB_LINK.fullmatch(link) else None


def one_line(text: str) -> str:
    """Without line breaks, control characters and the invisible ones that turn writing around; not endless."""
    visible = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
    line = " ".join(visible.split())
    return line if len(line) <= LONGEST_TEXT_CHARACTERS else line[: LONGEST_TEXT_CHARACTERS - 1] + "…"
