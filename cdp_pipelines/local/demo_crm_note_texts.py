"""The HTML of the demo CRM's notes: pools made once, filled with a number a row.

Belongs here: what the CRM's editor, mail programs and attackers put into a note. Not here: which note gets what
(`demo_crm_notes.py`) and the sentences (`demo_crm_note_phrases.py`).
"""

import random
from collections.abc import Callable, Sequence
from html import escape
from typing import Final, NamedTuple, TypeAlias

from cdp_pipelines.local.demo_crm_note_hostile import HOSTILE
from cdp_pipelines.local.demo_crm_note_mails import gmail, outlook
from cdp_pipelines.local.demo_crm_note_phrases import PHRASES, Phrases
from cdp_pipelines.local.demo_crm_texts import Template, Templates
from cdp_pipelines.local.demo_pools import LocalePool

_SLOT: Final = "\0"
_EACH: Final = 60
"""So many texts of a kind; with a number in each they look just as varied as a new one for every row."""
_LONG: Final = 10
LONGEST_KEPT: Final = 10_000
"""So many characters a note may have at most after sanitizing (SPEC 6); the long ones have more in their text alone."""
_EMPTY_LINE: Final = "<div><br></div>"
_COLOURS: Final = ("#1f497d", "rgb(255, 0, 0)", "windowtext", "green")
_SITES: Final = (
    "https://www.tokopedia.example/kopi?ref=crm&amp;page=2",
    "http://intranet.example/penawaran/2024",
    "mailto:sales@mitra.example",
    "https://maps.example/?q=-6.2,106.8",
)
_DAYS: Final = ("12/03", "1 April", "Senin", "2024-07-15", "30.09.", "17:00", "Q3")

User: TypeAlias = tuple[int, str]


class NoteTexts(NamedTuple):
    """Texts by kind. All but `long` survive the sanitizer with at most 10,000 characters."""

    short: Templates
    plain: Templates
    editor: Templates
    lists: Templates
    mentions: Templates
    mails: Templates
    hostile: Templates
    long: Templates


def note_texts(pools: Sequence[LocalePool], users: Sequence[User], seed: str) -> NoteTexts:
    """The pools of an organization; the same arguments give the same texts.

    Args:
        pools: of its languages, the more frequent ones more than once.
        users: ids and names of those who are mentioned.
        seed: of everything random.
    """
    maker = _Maker(pools, users, random.Random(seed))  # noqa: S311 made-up notes, not a secret
    return NoteTexts(
        short=maker.many(_EACH, maker.short),
        plain=maker.many(_EACH, maker.plain),
        editor=maker.many(_EACH, maker.editor),
        lists=maker.many(_EACH, maker.listing),
        mentions=maker.many(_EACH, maker.mention),
        mails=maker.many(_EACH, maker.mail),
        hostile=tuple(_template(maker.hostile(payload)) for payload in HOSTILE),
        long=maker.many(_LONG, maker.long),
    )


class _Maker:
    def __init__(self, pools: Sequence[LocalePool], users: Sequence[User], rng: random.Random) -> None:
        self._pools = pools
        self._users = users
        self._rng = rng
        self._pool = pools[0]

    def many(self, count: int, make: Callable[[], str]) -> Templates:
        return tuple(_template(self._in_one_language(make)) for _ in range(count))

    def short(self) -> str:
        return f"{self._rng.choice(self._phrases.short)} {_SLOT}"

    def plain(self) -> str:
        """As typed into an old form, or sent by an integration: no markup, so `<` and `&` mean themselves."""
        breaks = self._rng.choice((" ", "\n", "\r\n"))
        return breaks.join(self._sentences(1, 3)) + f" (#{_SLOT})"

    def editor(self) -> str:
        paragraphs = [self._decorated(sentence) for sentence in self._sentences(2, 5)]
        style = self._rng.randrange(3)
        if style == 0:
            return "".join(f"<div>{text}</div>{_EMPTY_LINE}" for text in paragraphs) + f"<div>No. {_SLOT}</div>"
        if style == 1:
            return "<br>".join([*paragraphs, f"No.&nbsp;{_SLOT}"])
        return "".join(f"<p>{text}</p>" for text in paragraphs) + f"<p><em>No. {_SLOT}</em></p>"

    def listing(self) -> str:
        tag = self._rng.choice(("ul", "ol"))
        items = "".join(f"<li>{escape(self._filled(item))}</li>" for item in self._phrases.items)
        nested = f"<li>#{_SLOT}<ul><li>{escape(self._filled(self._phrases.items[0]))}</li></ul></li>"
        heading = escape(self._filled(self._phrases.heading))
        after = self._decorated(self._sentences(1, 1)[0])
        return f"<h3>{heading}</h3><{tag}>{items}{nested}</{tag}><blockquote>{after}</blockquote>"

    def mention(self) -> str:
        first, second = (self._rng.choice(self._users) for _ in range(2))
        sentences = [self._decorated(sentence) for sentence in self._sentences(1, 3)]
        by_id = f'<a class="mention" data-user-id="{first[0]}" href="/users/{first[0]}">@{escape(first[1])}</a>'
        by_page = f'<a href="https://crm.example/users/{second[0]}/edit_user">@{escape(second[1])}</a>'
        mentions = self._rng.choice((by_id, by_page, f"{by_id} &amp; {by_page}"))
        return (
            f"<p>{mentions} {sentences[0]}</p>"
            + "".join(f"<p>{text}</p>" for text in sentences[1:])
            + f"<p>#{_SLOT}</p>"
        )

    def mail(self) -> str:
        make = self._rng.choice((outlook, gmail))
        phrases = self._phrases
        return make(
            greeting=escape(self._filled(phrases.greeting)),
            wrote=escape(self._filled(phrases.wrote)),
            lines=[escape(sentence) for sentence in self._sentences(2, 4)],
            quoted=[escape(sentence) for sentence in self._sentences(1, 3)],
            sender=escape(self._rng.choice(self._pool.names)),
            company=escape(self._rng.choice(self._pool.companies)),
            number=_SLOT,
        )

    def hostile(self, payload: str) -> str:
        return self._in_one_language(lambda: f"<p>{escape(self._sentences(1, 1)[0])}</p>{payload}<p>#{_SLOT}</p>")

    def long(self) -> str:
        """A whole catalogue pasted into one note."""
        texts: list[str] = []
        while sum(map(len, texts)) <= LONGEST_KEPT:
            texts += self._sentences(3, 5)
        return f"<p>#{_SLOT}</p>" + "".join(f"<p>{escape(text, quote=False)}</p>" for text in texts)

    @property
    def _phrases(self) -> Phrases:
        return PHRASES[self._pool.locale]

    def _in_one_language(self, make: Callable[[], str]) -> str:
        self._pool = self._rng.choice(self._pools)
        return make()

    def _filled(self, phrase: str) -> str:
        rng, pool = self._rng, self._pool
        return phrase.format(
            name=rng.choice(pool.names),
            company=rng.choice(pool.companies),
            city=rng.choice(pool.cities),
            day=rng.choice(_DAYS),
            amount=f"{rng.randrange(1, 900) * 50_000:,}",
        )

    def _sentences(self, least: int, most: int) -> list[str]:
        count = self._rng.randint(least, most)
        return [self._filled(self._rng.choice(self._phrases.sentences)) for _ in range(count)]

    def _decorated(self, sentence: str) -> str:
        """Escaped, with what the editor's buttons do to a sentence."""
        text = escape(sentence, quote=False)
        rng = self._rng
        match rng.randrange(9):
            case 0:
                return f"<strong>{text}</strong>"
            case 1:
                return f'<span style="color: {rng.choice(_COLOURS)}; font-size: 14px;">{text}</span>'
            case 2:
                return f'{text} <a href="{rng.choice(_SITES)}" target="_blank">link</a>'
            case 3:
                return f"<b><i>{text}</i></b>&nbsp;&nbsp;🙏"
            case 4:
                return f'<u>{text}</u><br class="x">'
            case _:
                return text


def _template(text: str) -> Template:
    head, slot, tail = text.partition(_SLOT)
    return Template(head, tail) if slot else Template(text, None)
