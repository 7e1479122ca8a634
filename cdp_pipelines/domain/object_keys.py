"""Whose an object key is: the company's folder, and a mark that says for which request it was made (SPEC 2).

A key stands on documents that others write, so it is never believed: before an object is written, linked or deleted,
`belongs` is asked. The mark is a digest of company and request, so nothing need be looked up to know it, and no request
can come by another's.

Belongs here: one rule of quoting, the mark, the question. Not here: what a key is called besides (each export's
`delivery.py`, `contact_notes/attachments.py`).
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from cdp_pipelines.domain.errors import PermanentFailure

MARK_DIGITS: Final = 16
RESERVED_SEGMENTS: Final = frozenset({"private"})
"""Folders of ours at the top of the bucket; a company of that name gets another."""

_NAME: Final = re.compile(r"[A-Za-z0-9._%-]+")
_HEX: Final = re.compile(r"[0-9a-f]+")


def key_segment(text: str) -> str:
    """A text as one part of a key: percent-encoded, so that different texts stay different and none leads out of it.

    Raises:
        ValueError: the text is empty.
    """
    if not text:
        raise ValueError("An object key needs the ids of the company and of what it is for.")
    quoted = quote(text, safe="", errors="surrogatepass")
    return "%2E" if quoted == "." else quoted.replace("..", "%2E%2E")


def company_segment(company_sso_id: str) -> str:
    """The company's part of a key; see `key_segment`.

    Raises:
        ValueError: the id is empty.
    """
    segment = key_segment(company_sso_id)
    return f"%{ord(segment[0]):02X}{segment[1:]}" if segment in RESERVED_SEGMENTS else segment


def request_mark(company_sso_id: str, request_ref: str) -> str:
    """The mark of one request of one company, 16 hex digits; `request_ref` tells it from all other documents."""
    # Lengths first, so that no two pairs run together into one text.
    identity = f"{len(company_sso_id)}:{company_sso_id}:{request_ref}"
    return hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:MARK_DIGITS]


def marked_random(mark: str, random_part: str) -> str:
    """What stands for the random part of a key's name: the mark, then what is random."""
    return f"{mark}{random_part}"


def marked_uuid(mark: str, random_part: str) -> str:
    """A uuid (version 8, RFC 9562) that begins with the mark; `random_part` is 16 or more hex digits."""
    if not _HEX.fullmatch(random_part) or len(random_part) < MARK_DIGITS:
        raise ValueError("the random part of a key must be 16 hex digits")
    return f"{mark[:8]}-{mark[8:12]}-8{mark[12:15]}-8{random_part[:3]}-{random_part[3:15]}"


@dataclass(frozen=True, slots=True)
class KeyOwner:
    """For whom keys are made: a folder, which is one company's, and the mark of one request."""

    folder: str
    mark: str

    def owns(self, key: object) -> bool:
        """Whether the key lies in the folder and was made for the request."""
        return belongs(key, self.folder, self.mark)

    def require(self, key: object) -> str:
        """The key, which must be the request's own.

        Raises:
            PermanentFailure: `OBJECT_KEY_FOREIGN`; the message does not repeat the key.
        """
        if not self.owns(key):
            raise PermanentFailure(
                "OBJECT_KEY_FOREIGN",
                "The document leads to a file that was not made for this request, so it is left alone.",
            )
        return str(key)


def belongs(key: object, folder: str, mark: str) -> bool:
    """Whether an object key lies in this folder, and its name carries this mark.

    Folders below are allowed where their names are plain; `..`, empty names and anything that a key of ours never has
    are not.
    """
    if not isinstance(key, str) or not mark or not folder.endswith("/") or not key.startswith(folder):
        return False
    names = key[len(folder) :].split("/")
    if any(not _NAME.fullmatch(name) or set(name) == {"."} for name in names):
        return False
    plain = names[-1].replace("-", "")
    return f"_{mark}" in names[-1] or f"{mark[:12]}8{mark[12:15]}8" in plain
