"""Whether a text can be one e-mail address.

Deliverability is the mail server's to judge; this keeps out what can never be an address, or could break a header.
"""

import re
from typing import Final

_LONGEST: Final = 254
_EMAIL: Final = re.compile(
    r"[^\s@<>,;:\"()\[\]\\\x00-\x1f]+@[^\s@<>,;:\"()\[\]\\\x00-\x1f]+\.[^\s@<>,;:\"()\[\]\\\x00-\x1f]+"
)


def is_email_address(text: str) -> bool:
    """True for one address such as `ani@example.com`; no name, no list, no quotes."""
    return len(text) <= _LONGEST and _EMAIL.fullmatch(text) is not None
