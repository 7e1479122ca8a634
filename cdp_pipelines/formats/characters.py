"""Texts as UTF-8 can hold them: half a character, which databases let through, becomes U+FFFD."""


def whole_characters(text: str) -> str:
    """The text with every lone surrogate replaced."""
    # Through UTF-16 the halves of a character that stand side by side come together again.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def utf8(text: str) -> bytes:
    """The text in UTF-8, with U+FFFD for what it cannot hold."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return whole_characters(text).encode()
