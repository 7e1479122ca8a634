"""What went wrong with one document: is it the document's doing, and how is that said (SPEC 2)?

For the machineries of exports and of migrations alike: one document harms only itself.
"""

import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from cdp_pipelines.domain.admission import Rejected
from cdp_pipelines.domain.errors import CdpError

HARMFUL: Final = Rejected(
    "INTERNAL_ERROR",
    500,
    "The request could not be worked on because of an error in the program; we were told of it.",
)

_OF_DATA: Final = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_OF_DOCUMENT: Final = frozenset({"DOCUMENT_UNREADABLE", "OBJECT_KEY_FOREIGN"})
_LONGEST_SHOWN: Final = 80


def is_documents_doing(error: Exception, still_answers: Callable[[], None]) -> bool:
    """Whether what a document holds made the program fail, and not an outage, a setting or a server's refusal of all.

    `still_answers` fails if MongoDB refuses everybody.
    """
    if not isinstance(error, CdpError):
        return isinstance(error, _OF_DATA)
    if error.code != "MONGO_REFUSED":
        return error.code in _OF_DOCUMENT
    try:
        still_answers()
    except CdpError:
        return False
    return True


def said(error: Exception) -> str:
    """What went wrong, and where in the program; not what Python says of it, which may repeat what a document holds."""
    places = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(places[-1].filename).name}:{places[-1].lineno}" if places else ""
    return f"{error.code if isinstance(error, CdpError) else type(error).__name__}{where}"


def shown(document: Mapping[str, Any]) -> str:
    """A document's `_id` for a log line."""
    text = "".join(c if c.isprintable() else "\ufffd" for c in str(document.get("_id"))[:_LONGEST_SHOWN])
    return text or "(empty)"


def alert_of(collection: str, name: str, what: str) -> tuple[str, str]:
    """Cause and text of the alert about a document that was set aside."""
    return (
        f"document_set_aside:{collection}:{name}",
        f"A document in {collection} was set aside. _id {name}, {what}.",
    )
