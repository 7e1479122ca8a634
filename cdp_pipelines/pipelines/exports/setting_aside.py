"""One document harms only itself (SPEC 2): what cannot be worked on ends with a code, and is told to operators once."""

import logging
from collections.abc import Mapping
from typing import Any, Final

from cdp_pipelines.domain.admission import Rejected
from cdp_pipelines.domain.errors import CdpError
from cdp_pipelines.pipelines.alerting import alert_once
from cdp_pipelines.pipelines.blame import HARMFUL, alert_of, is_documents_doing, said, shown
from cdp_pipelines.pipelines.exports.services import SharedServices
from cdp_pipelines.stores.documents import UNREADABLE, Unreadable

logger = logging.getLogger(__name__)

NEVER_TAKEN_IN: Final = Rejected(
    "REQUEST_NEVER_TAKEN_IN",
    422,
    "The request says that it is at work, but it never came through the queue. Ask with a new document that is queued.",
)


def set_aside_unreadable(services: SharedServices, found: Unreadable) -> None:
    """End a document that cannot be read, by the bytes of its `_id`."""
    collection = services.jobs.shape.collection
    try:
        services.jobs.set_aside(found, UNREADABLE, now=services.now())
    except CdpError as exc:
        logger.warning("a document in %s cannot be read, nor set aside (%s)", collection, exc.code)
    alert_once(services, *alert_of(collection, found.shown, f"{UNREADABLE.code}: it cannot be read"))


def tell_if_unreadable(services: SharedServices, document: Mapping[str, Any], refused: Rejected) -> None:
    """Say once that a document was refused because it could not be read."""
    if refused.code == UNREADABLE.code:
        _tell(services, document, f"{UNREADABLE.code}: it cannot be read")


def refuse_never_taken_in(services: SharedServices, document: Mapping[str, Any]) -> str:
    """End a document that says it is at work, and have nobody do anything about one that says it has ended."""
    services.jobs.never_taken_in(document, NEVER_TAKEN_IN, now=services.now())
    _tell(services, document, f"{NEVER_TAKEN_IN.code}: it never came through the queue")
    return f"[{shown(document)}] never came through the queue; left alone"


def set_aside_harmful(services: SharedServices, document: Mapping[str, Any], error: Exception) -> str:
    """End a document that makes the program fail, so that its neighbours go on; for the log, what it was.

    Raises:
        Exception: the same, where it is not the document's doing.
    """
    if not is_documents_doing(error, services.jobs.intake.still_answers):
        raise error
    logger.error("[%s] made the program fail: %s", shown(document), said(error))
    try:
        services.jobs.end_whatever(document["_id"], HARMFUL, now=services.now())
    except CdpError as exc:
        logger.warning("[%s] could not be set aside (%s)", shown(document), exc.code)
    _tell(services, document, f"{HARMFUL.code}: {said(error)}")
    return f"[{shown(document)}] set aside: {said(error)}"


def tell_of_foreign_files(services: SharedServices, document: Mapping[str, Any]) -> None:
    """Say once that a document leads to files that were not made for it; they are left alone."""
    if services.jobs.own_files(document) != services.jobs.shape.files(document):
        _tell(services, document, "OBJECT_KEY_FOREIGN: it leads to a file that was not made for it")


def _tell(services: SharedServices, document: Mapping[str, Any], what: str) -> None:
    alert_once(services, *alert_of(services.jobs.shape.collection, shown(document), what))
