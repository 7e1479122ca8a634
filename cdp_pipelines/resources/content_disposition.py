"""The `Content-Disposition` header that makes a browser save a file under its own name.

Belongs here: turning any file name into a header that is safe to send. Not here: choosing the file's name
(`cdp_pipelines.domain.contact_export.delivery`).
"""

import re
import unicodedata
from typing import Final
from urllib.parse import quote

LONGEST_NAME_CHARACTERS: Final = 150
"""Under the 255 that file systems allow, with room for the " (1)" a browser may add."""

_UNSAFE_IN_QUOTES: Final = re.compile(r"[^A-Za-z0-9 !#$&'()+,.;=@^_`{}~\[\]-]")
_RFC5987_SAFE: Final = "!#$&+-.^_`|~"


def attachment_disposition(file_name: str) -> str:
    """`attachment; filename="..."; filename*=UTF-8''...` for RFC 6266 readers, old and new.

    Control and invisible characters (line breaks, right-to-left overrides) and path separators are dropped, so a name
    can neither add a header nor pretend to have another ending.
    """
    visible = "".join(c for c in file_name if unicodedata.category(c)[0] != "C" and c not in "/\\")
    name = visible.strip()[-LONGEST_NAME_CHARACTERS:] or "download"
    plain = _UNSAFE_IN_QUOTES.sub("_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe=_RFC5987_SAFE)}"
