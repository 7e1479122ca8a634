"""From the options of `cdp export request` to the document that goes into the queue (SPEC 3.1).

Belongs here: reading files and JSON that the person named. Not here: whether the request may run; that is the
admission's to say, the same for every way in.
"""

import json
import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cdp_pipelines.cli.exit_codes import Refused

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedExport:
    """What the person asked for, as typed; empty texts and lists were not given."""

    company: str
    user: str
    email: str
    file_format: str
    mode: str = ""
    contact_ids: Sequence[str] = ()
    order_by: str = ""
    order_direction: str = ""
    filter: object = None
    start_date: str = ""
    end_date: str = ""
    sources: Sequence[str] = ()
    layout: str = ""
    fields: Sequence[str] = ()
    timezone: str = ""
    locale: str = ""
    permissions: Sequence[str] = ()


def queued_document(asked: AskedExport, *, now: datetime) -> Document:
    """A `bulk_upload_jobs` document with `status: "queued"` and a new `job_id`; what was not asked is left out."""
    chosen: Document = {
        "selection_mode": asked.mode,
        "contact_ids": list(asked.contact_ids),
        "order_by": asked.order_by,
        "order_direction": asked.order_direction,
        "filter": asked.filter,
        "period": {k: v for k, v in (("start_date", asked.start_date), ("end_date", asked.end_date)) if v},
        "source": list(asked.sources),
        "layout_id": asked.layout,
        "selected_fields": list(asked.fields),
        "timezone": asked.timezone,
        "locale": asked.locale,
    }
    return {
        "job_id": str(uuid.uuid4()),
        "job_type": "export",
        "status": "queued",
        "company_sso_id": asked.company,
        "user_sso_id": asked.user,
        "email": asked.email,
        "permissions": list(asked.permissions),
        "format": asked.file_format,
        # Only what was not given is left out: a filter that is false, or 0, is a mistake for the admission to name.
        **{name: value for name, value in chosen.items() if value not in ("", [], {}, None)},
        "created_at": now,
        "updated_at": now,
        "total_records": 0,
        "success_count": 0,
        "failed_count": 0,
        "list_failed_rows": [],
    }


CONTACT_FILTER: Final = '{"field": "name", "op": "contains", "value": "ani"}'
ENTITY_FILTER: Final = '{"created_at": {"conditions": {"$after": ["2024-01-01"]}}}'


def read_filter(text: str, *, example: str = CONTACT_FILTER) -> object:
    """The filter from JSON, or from a file named after `@` (`@-` is standard input); None for an empty text.

    `example` is shown to whoever wrote something else.

    Raises:
        Refused: `FILE_UNREADABLE` or `FILTER_NOT_JSON`.
    """
    if not text:
        return None
    content = _read(text[1:]) if text.startswith("@") else text
    try:
        return json.loads(content)
    except json.JSONDecodeError as exc:
        raise Refused(
            "FILTER_NOT_JSON",
            f"--filter is not JSON (line {exc.lineno}, column {exc.colno}: {exc.msg}). "
            f"Write it as {example}, or name a file: --filter @filter.json",
        ) from exc


def read_ids(name: str) -> list[str]:
    """Contact ids from a file (`-` is standard input): one a line, or a JSON list. Lines with `#` first are left out.

    Raises:
        Refused: `FILE_UNREADABLE` or `IDS_NOT_A_LIST`.
    """
    content = _read(name)
    if not content.lstrip().startswith("["):
        lines = (line.strip().strip(",\"'") for line in content.splitlines())
        return [line for line in lines if line and not line.startswith("#")]
    try:
        ids = json.loads(content)
    except json.JSONDecodeError as exc:
        raise Refused("IDS_NOT_A_LIST", f"The ids file is not a JSON list (line {exc.lineno}: {exc.msg}).") from exc
    return [value if isinstance(value, str) else json.dumps(value) for value in ids]


def _read(name: str) -> str:
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise Refused("FILE_UNREADABLE", f"{name} cannot be read as a text file ({type(exc).__name__}).") from exc
