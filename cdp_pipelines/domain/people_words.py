"""What a person is told, in each language that messages are written in (SPEC 2, people's words to people).

Belongs here: a text in both languages, and choosing. Not here: the sentences (`failure_words.py`, and each warning
where it arises), whole messages (`message_texts` of each export).
"""

from collections.abc import Iterable
from typing import Self

from cdp_pipelines.domain.message_parts import INDONESIAN_LANGUAGE, language_for


class Words(str):
    """A text in English that knows itself in Indonesian."""

    __slots__ = ("indonesian",)

    indonesian: str

    def __new__(cls, english: str, indonesian: str) -> Self:
        """The text in both languages."""
        made = super().__new__(cls, english)
        made.indonesian = indonesian
        return made


def in_language(text: str, locale: object) -> str:
    """The text for a locale such as `id-ID`; a text that knows itself in one language alone stays as it is."""
    if isinstance(text, Words):
        wanted = language_for(locale if isinstance(locale, str) else "")
        return text.indonesian if wanted is INDONESIAN_LANGUAGE else str(text)
    return text


def all_in_language(texts: Iterable[str], locale: object) -> list[str]:
    """All of them, for a document that keeps what its user is told."""
    return [in_language(text, locale) for text in texts]
