"""What one e-mail address is: the same rule where a request is admitted and where its mail is sent.

RFC 5321 and 6531 without what nobody's mailbox has: no quoted local part, no address of a host in brackets. The domain
goes out in ASCII as UTS 46 has it, without the transitional mapping that would send mail for `straße.de` to
`strasse.de`, which is somebody else's. Whether a mailbox exists is the mail server's to judge.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

MAX_CHARACTERS: Final = 254
_MAX_LOCAL_BYTES: Final = 64
_MAX_DOMAIN: Final = 253
_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+"
_LOCAL: Final = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
# Signs without a width that names of some scripts are spelled with; IDNA says between which letters they may stand.
_JOINERS: Final = "\u200c\u200d"
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True, repr=False)
class EmailAddress:
    """An address in its two parts, the domain in ASCII; it does not print, so that no log has it."""

    local: str
    domain: str


def read_email_address(text: str, *, dotless: bool = False) -> EmailAddress | None:
    """One address such as ` ani@example.com `, blanks around it aside; None for anything else.

    `dotless` allows a domain of one label, such as `localhost`, which our own sender may have.
    """
    local, _, domain = text.strip().rpartition("@")
    if not _LOCAL.fullmatch(local) or any(unicodedata.category(sign)[0] in "CZ" for sign in local):
        return None
    ascii_domain = domain_in_ascii(domain)
    if ascii_domain is None or (not dotless and "." not in ascii_domain):
        return None
    # Half a character, which no mail server takes, is of category C and so is not here any more.
    if len(local.encode()) > _MAX_LOCAL_BYTES or len(local) + 1 + len(ascii_domain) > MAX_CHARACTERS:
        return None
    return EmailAddress(local, ascii_domain)


def is_email_address(text: str) -> bool:
    """True for one address such as `ani@example.com`; no name, no list, no quotes."""
    return read_email_address(text) is not None


def domain_in_ascii(domain: str) -> str | None:
    """The name of a mail domain in lower case and ASCII; None for what is no name, an IP address included."""
    import idna

    if any(unicodedata.category(sign)[0] in "CZ" and sign not in _JOINERS for sign in domain):
        return None
    name = domain.lower()
    if not name.isascii() or "xn--" in name:
        try:
            name = idna.encode(name, uts46=True).decode("ascii").lower()
        except (idna.IDNAError, UnicodeError):
            return None
    labels = name.split(".")
    if len(name) > _MAX_DOMAIN or labels[-1].isdecimal() or not all(_LABEL.fullmatch(label) for label in labels):
        return None
    return name
