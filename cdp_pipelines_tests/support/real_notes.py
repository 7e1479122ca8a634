"""Notes as people's programs write them, and what a browser shows of a note: words, numbers and lines.

`data/real_notes.txt` has them: a head `%%% kind: what it is`, then the note. In the head, ` + words` are shown after
sanitizing though they were not before (the name of a picture, the target of a link that may not stay, the number of an
item, which a browser draws but does not count as text); ` = words` is what must be shown, where the browser itself
showed less than was written.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_FILE: Final = Path(__file__).parents[1] / "data" / "real_notes.txt"
_HEAD: Final = re.compile(r"^%%% ", re.MULTILINE)
# Both ways of a note, beside each other: nothing of one touches the other. Pictures and frames are not asked for.
_SHOW: Final = """
notes => notes.map(note => {
    const place = document.createElement("div");
    document.body.append(place);
    place.innerHTML = note;
    const text = place.innerText;
    place.remove();
    return text;
})
"""


class RealNote(NamedTuple):
    """One note. `shown` is None where the browser tells what must be shown; `added` comes on top of it."""

    kind: str
    what: str
    html: str
    added: tuple[str, ...]
    shown: str | None

    @property
    def is_plain(self) -> bool:
        return self.kind == "plain"


def real_notes() -> list[RealNote]:
    """All of them."""
    return [_read(part) for part in _HEAD.split(_FILE.read_text(encoding="utf-8")) if part]


def _read(part: str) -> RealNote:
    head, _, html = part.partition("\n")
    head, _, shown = head.partition(" = ")
    title, *added = head.split(" + ")
    kind, _, what = title.partition(": ")
    return RealNote(kind, what, html.removesuffix("\n"), tuple(added), shown or None)


def shown_texts(browser: "Browser", notes: Sequence[str]) -> list[str]:
    """What each note shows, as a browser copies it to the clipboard."""
    with browser.new_context(java_script_enabled=True, offline=True) as context:
        page = context.new_page()
        page.route("**/*", lambda route: route.abort())
        page.set_content("<!DOCTYPE html><html><body></body></html>")
        found: list[str] = page.evaluate(_SHOW, list(notes))
    return found


def lines(text: str) -> list[str]:
    """The lines that have words, each with its words one space apart."""
    words = (re.sub(r"[\s\u200b\u00ad]+", " ", line).strip() for line in text.split("\n"))
    return [line for line in words if line]


def without(text: str, added: Sequence[str]) -> str:
    """The text without what was added, each once; an AssertionError if it is not there."""
    for words in added:
        assert words in text, f"{words!r} is not shown"
        text = text.replace(f" {words}" if f" {words}" in text else words, "", 1)
    return text
