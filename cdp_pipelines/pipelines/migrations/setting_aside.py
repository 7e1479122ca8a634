"""One document harms only itself (SPEC 2): a request that cannot be worked on ends with a code, and is told of once."""

import logging
from collections.abc import Mapping
from typing import Any

from cdp_pipelines.domain.errors import CdpError
from cdp_pipelines.pipelines.blame import HARMFUL, alert_of, is_documents_doing, said, shown
from cdp_pipelines.pipelines.migrations.services import SharedServices
from cdp_pipelines.stores.documents import UNREADABLE, Unreadable
from cdp_pipelines.stores.migration_requests import COLLECTION, NEVER_TAKEN_IN

logger = logging.getLogger(__name__)


def set_aside_unreadable(services: SharedServices, found: Unreadable) -> None:
    """End a request that cannot be read, by the bytes of its `_id`."""
    try:
        services.requests.set_aside(found, UNREADABLE, now=services.now())
    except CdpError as exc:
        logger.warning("a document in %s cannot be read, nor set aside (%s)", COLLECTION, exc.code)
    _tell(services, COLLECTION, found.shown, f"{UNREADABLE.code}: it cannot be read")


def refuse_never_taken_in(services: SharedServices, document: Mapping[str, Any]) -> str:
    """End a request that says it is at work and never came through the queue."""
    services.requests.reject(document["_id"], NEVER_TAKEN_IN, now=services.now())
    _tell(services, COLLECTION, shown(document), f"{NEVER_TAKEN_IN.code}: it never came through the queue")
    return f"[{shown(document)}] never came through the queue; refused"


def set_aside_harmful(services: SharedServices, document: Mapping[str, Any], error: Exception) -> str:
    """End a request that makes the program fail, so that its neighbours go on; for the log, what it was.

    Raises:
        Exception: the same, where it is not the document's doing.
    """
    if not is_documents_doing(error, services.requests.intake.still_answers):
        raise error
    try:
        services.requests.reject(document["_id"], HARMFUL, now=services.now())
    except CdpError as exc:
        logger.warning("[%s] could not be set aside (%s)", shown(document), exc.code)
    return tell_of_harmful(services, COLLECTION, document, error)


def tell_of_harmful(services: SharedServices, collection: str, document: Mapping[str, Any], error: Exception) -> str:
    """Say once which document made the program fail, and where; not what it holds.

    Raises:
        Exception: the same, where it is not the document's doing.
    """
    if not is_documents_doing(error, services.requests.intake.still_answers):
        raise error
    logger.error("[%s] made the program fail: %s", shown(document), said(error))
    _tell(services, collection, shown(document), f"{HARMFUL.code}: {said(error)}")
    return f"[{shown(document)}] set aside: {said(error)}"


def _tell(services: SharedServices, collection: str, name: str, what: str) -> None:
    try:
        services.alert_once(*alert_of(collection, name, what))
    except CdpError as exc:
        logger.warning("alert not sent (%s): a document in %s was set aside", exc.code, collection)
