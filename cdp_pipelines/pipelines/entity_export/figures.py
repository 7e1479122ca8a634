"""Counting ended exports, by object and status; what cannot be counted is said in the log and stops nothing."""

import logging
from collections.abc import Mapping
from typing import Any, Final

from cdp_pipelines.domain.entity_export.metrics import object_label
from cdp_pipelines.domain.errors import CdpError
from cdp_pipelines.pipelines.entity_export.config import JOB_NAME
from cdp_pipelines.pipelines.entity_export.services import EntityServices

logger = logging.getLogger(__name__)

UNKNOWN_FORMAT: Final = "unknown"


def count_ended(
    services: EntityServices,
    document: Mapping[str, Any],
    status: str,
    *,
    rows: int = 0,
    size_bytes: int = 0,
    seconds: float = 0.0,
) -> None:
    """Count an export that has just ended; called once, by whoever ended it."""
    try:
        services.metrics.count(
            JOB_NAME,
            object_of(document),
            status,
            rows=rows,
            size_bytes=size_bytes,
            seconds=seconds,
            now=services.now(),
        )
    except CdpError as exc:
        logger.warning("an ended export was not counted (%s)", exc.code)


def object_of(document: Mapping[str, Any]) -> str:
    """The exported object's name, for figures and events; `unknown` where it is none."""
    return object_label(document.get("exported_object"))


def format_of(document: Mapping[str, Any]) -> str:
    """The format as it is called in figures; `unknown` of an export that ended before it was read."""
    exported_as = document.get("exported_as")
    found = exported_as.get("format") if isinstance(exported_as, Mapping) else None
    return found if isinstance(found, str) else UNKNOWN_FORMAT


def short_text(value: object) -> str:
    """An id for a line of text: what is not a short text is not put there, because it may be anything."""
    return value if isinstance(value, str) and len(value) <= 64 and value.isprintable() else "unknown"


def seconds_of(services: EntityServices, document: Mapping[str, Any]) -> float:
    """How long the export has been worked on."""
    started = document.get("started_at") or services.now()
    return float(round((services.now() - started).total_seconds(), 3))
