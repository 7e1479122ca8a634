"""The last word on a note: nh3, deny by default, with the list of SPEC section 6.

Belongs here: what nh3 lets through. Not here: what is done before, so that meaning survives it (`html.py`).
"""

from functools import cache
from html import escape
from typing import TYPE_CHECKING

from cdp_pipelines.domain.contact_notes.html_names import ALLOWED_TAGS, DROPPED_WITH_CONTENT

if TYPE_CHECKING:
    import nh3


@cache
def gate() -> "nh3.Cleaner":
    """The sanitizer; made when a note first needs it, for every run is a process of its own."""
    import nh3

    return nh3.Cleaner(
        tags=set(ALLOWED_TAGS),
        clean_content_tags=set(DROPPED_WITH_CONTENT),
        attributes={"a": {"href"}, "*": set()},  # without "*" nh3 lets `lang` and `title` stay everywhere
        url_schemes={"http", "https", "mailto"},
        url_relative="deny",
        link_rel="nofollow noopener noreferrer",
        strip_comments=True,
    )


def lets_through(address: str) -> bool:
    """Whether a link keeps this address."""
    return 'href="' in gate().clean(f'<a href="{escape(address)}">x</a>')
