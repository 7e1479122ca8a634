"""Where a note's link leads, and what is left of one that may not stay: its text, and its target if that says more.

Belongs here: addresses. Not here: the links in a tree (`html_tree.py`).
"""

import re
from typing import Final, NamedTuple
from urllib.parse import unquote

from cdp_pipelines.domain.contact_notes.html_gate import lets_through

GOOD_ADDRESS: Final = r'(?:(?i:https?):[/\\]{2}|(?i:mailto):)[^\t\n\r"]*'
_ADDRESS: Final = re.compile(GOOD_ADDRESS)
PLAIN_ADDRESS: Final = re.compile(
    r"https?://(?:(?!xn--)[a-z0-9][a-z0-9-]*\.)*(?!xn--)[a-z][a-z0-9-]*(?::[0-9]{1,4})?(?:[/?#][^\s<>\"'\\]*)?"
    r"|mailto:[^\s<>\"']+",
    re.IGNORECASE | re.ASCII,
)
"""Addresses of the usual kind, which nh3 lets through as they are."""
_CONTROLS_AND_SPACE: Final = "".join(map(chr, range(0x21)))

_ORIGIN: Final = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?(?://[^/]*)?", re.IGNORECASE)
_PROFILE_PATH: Final = re.compile(r"(?:.*/)?users/[^/]+/edit_user/?", re.IGNORECASE)

_WITHOUT_SCHEME: Final = re.compile(r"//[^/\\\s].*|www\.[^/\\\s.].*", re.IGNORECASE | re.DOTALL)
_SCHEME: Final = re.compile(r"([^/?#:]*):", re.DOTALL)
_NUMBER_SCHEMES: Final = frozenset({"callto", "fax", "sms", "smsto", "tel"})
_SILENT_SCHEMES: Final = frozenset({
    "about", "blob", "cid", "data", "feed", "filesystem", "jar", "javascript", "livescript", "mocha", "vbs", "vbscript",
    "viewsource", "wyciwyg",
})  # fmt: skip
"""What would run or show something made for the occasion: no target that a person could use, so it is not shown."""


class Destination(NamedTuple):
    """Where a link leads: an `address` that may stay, or else the `target` to be told, empty for none."""

    address: str | None
    target: str = ""


def destination(href: str) -> Destination:
    """What becomes of a link's address, which is read as browsers read it."""
    address = as_browsers_read(href)
    if _WITHOUT_SCHEME.fullmatch(address):
        address = "https://" + address.removeprefix("//")
    if PLAIN_ADDRESS.fullmatch(address) or (_ADDRESS.fullmatch(address) and lets_through(address)):
        return Destination(address)
    return Destination(None, _target(address))


def tells(text: str, target: str) -> bool:
    """Whether a link's text already holds its target, however it is written."""
    said, meant = _bare(text), _bare(target)
    if meant in said or meant.partition("://")[2].rstrip("/") in (said, f"{said}/"):
        return True
    digits = "".join(filter(str.isdecimal, text))
    number = "".join(filter(str.isdecimal, target))
    if not re.fullmatch(r"\+?[0-9 ().-]{5,}", target):
        return False
    local = digits.lstrip("0")
    return number in digits or (digits.startswith("0") and len(local) >= 7 and number.endswith(local))


def mended(address: str) -> str | None:
    """An address that nh3 let through as browsers read it; None if only the page's own would complete it.

    `https:path` is such a one: nh3 takes it for absolute, but on a page of that scheme it leads to the page's host.
    """
    address = as_browsers_read(address)
    return address if _ADDRESS.fullmatch(address) else None


def leads_to_profile(href: str) -> bool:
    """Whether a browser on the CRM's page would open `/users/{id}/edit_user`, of whatever host."""
    path = re.split("[?#]", as_browsers_read(href), maxsplit=1)[0].replace("\\", "/")
    return _PROFILE_PATH.fullmatch(_ORIGIN.sub("", path, count=1)) is not None


def as_browsers_read(href: str) -> str:
    """The address without what browsers drop from it."""
    for dropped in "\t\n\r":
        href = href.replace(dropped, "")
    return href.strip(_CONTROLS_AND_SPACE)


def _target(address: str) -> str:
    """What to tell of an address that may not stay; nothing of a place on the page, or of a script."""
    scheme = _SCHEME.match(address)
    name = "".join(filter(str.isalnum, scheme[1])).lower() if scheme else ""
    if name in _SILENT_SCHEMES or address[:1] in ("", "#"):
        return ""
    if scheme and name in _NUMBER_SCHEMES:
        return unquote(address[scheme.end() :]).removeprefix("//").strip()
    return address


def _bare(text: str) -> str:
    return "".join(unquote(text).casefold().split())
